"""The vLLM back end: the same law and the same randomness as our own engines, drawn inside vLLM.

vLLM pins its own torch, transformers and numba, so it lives in an environment and a process of its own: jobs go there
as JSON lines and answers come back as they are done. Installation and limits: docs/vllm.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import torch
from transformers import AutoTokenizer

from empirical.engines.jobs import Answer, Job
from empirical.engines.vllm_process import Worker, interpreter
from empirical.engines.vllm_processor import rebuilt
from empirical.engines.vllm_records import LOG_PROBABILITIES
from empirical.errors import InputError, first_line
from empirical.models import LanguageModel, load


@dataclass(frozen=True)
class Timing:
    """New tokens drawn and the seconds they took inside the worker, prefill included, start-up not."""

    tokens: int
    seconds: float


class VllmEngine:
    """A vLLM process with a model folder loaded; an `Engine`. Close it, or use it in a `with` block.

    longest: tokens of the longest prompt and its answer together; rows: texts a step; kv_cache_gb: for each process.
    The numbers of tensor- and data-parallel processes are vLLM's own. Raises InputError in one sentence.
    """

    def __init__(
        self,
        model_folder: Path,
        python: str | Path | None = None,
        dtype: torch.dtype = torch.float32,
        longest: int = 512,
        rows: int = 64,
        tensor_parallel: int = 1,
        data_parallel: int = 1,
        kv_cache_gb: float = 2,
        compiled: bool = False,
    ) -> None:
        if not (model_folder / "config.json").is_file():
            raise InputError(f"{model_folder} holds no model (no config.json); pass a folder that `exported` wrote.")
        self.longest = longest
        self.eos = _eos(model_folder)
        engine = {
            "model": str(model_folder.resolve()),
            "dtype": str(dtype).removeprefix("torch."),
            "max_model_len": longest,
            "max_num_seqs": rows,
            # Room for all prompts of a step: a row whose prompt is read in two parts is drawn once in vain.
            "max_num_batched_tokens": max(16_384, longest),
            "kv_cache_memory_bytes": int(kv_cache_gb * 2**30),
            "tensor_parallel_size": tensor_parallel,
            "data_parallel_size": data_parallel,
            "enforce_eager": not compiled,
        }
        self._worker, self._unread = Worker(interpreter(python)), False
        self._worker.send({"engine": engine})
        self.version = self._worker.receive()["ready"]

    def stream(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Answer]]:
        """Each job's number and answer, as soon as it is done."""
        for message in self._run(jobs, "kernel", self.eos):
            if "number" in message:
                ids = message["token_ids"]
                figures = {name: message[name] for name in LOG_PROBABILITIES}
                yield message["number"], Answer(ids, ids[-1] == self.eos, **figures)

    def timed(self, jobs: Sequence[Job], sampler: Literal["kernel", "vllm"] = "kernel") -> Timing:
        """Draw every job to its last step (EOS does not end a text) and say how long it took.

        sampler: ours, or vLLM's own with T, top-k, top-p and min-p per text. That one has no typical and no eta
        sampling (top-p stands in for them) and records nothing: it is there to be timed, not to be used.
        """
        *_, last = self._run(jobs, sampler, None)
        return Timing(last["tokens"], last["seconds"])

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, jobs: Sequence[Job], sampler: str, eos: int | None) -> Iterator[dict[str, Any]]:
        """The worker's messages about a batch."""
        if not jobs:
            return
        for job in jobs:
            if job.longest > self.longest:
                raise InputError(
                    f"A prompt and its answer may take {job.longest} tokens but this engine was made for "
                    f"{self.longest}; make it with longest={job.longest}."
                )
            if job.control:
                raise InputError("vLLM draws without control; draw controlled answers with the default engine.")
            try:
                rebuilt(job.adaptor.parts)
            except ValueError as problem:
                raise InputError(f"{problem} ({job.adaptor.name})".replace("\n", " ")) from problem
        while self._unread:  # what is left of a batch whose reader went away
            self._unread = "seconds" not in self._worker.receive()
        self._unread = True
        self._worker.send({"jobs": len(jobs), "sampler": sampler, "eos": eos})
        for number, job in enumerate(jobs):
            line = {"number": number, "prompt": list(job.prompt), "parts": job.adaptor.parts}
            self._worker.send(line | {"uniforms": job.uniforms.tolist()})
        while self._unread:
            message = self._worker.receive()
            self._unread = "seconds" not in message
            yield message


def _eos(folder: Path) -> int:
    """The token that ends an answer: the tokenizer's, as in `LanguageModel`."""
    try:
        found = AutoTokenizer.from_pretrained(folder, trust_remote_code=False).eos_token_id
    except Exception as problem:  # transformers raises anything from OSError to ValueError here
        raise InputError(f"Cannot read a tokenizer from {folder} ({first_line(problem)}).") from problem
    if found is None:
        raise InputError(f"The tokenizer of {folder} has no end-of-sequence token; add one before using it here.")
    return int(found)


def exported(model: LanguageModel, folder: Path) -> Path:
    """Write a model, adapter merged, as a folder that vLLM can load; return the folder.

    vLLM gives rows of the base model the adapter too when both are in one batch, so no adapter may reach it: the
    folder is read back and its weights are compared. Raises InputError if they differ or cannot be written.
    """
    if hasattr(model.network, "peft_config"):
        raise InputError(f"{model.name} still carries its adapter; merge it with `with_adapter`.")
    try:
        model.network.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
    except OSError as problem:
        raise InputError(f"Cannot write the model to {folder} ({first_line(problem)}); free some space.") from problem
    back = load(folder).network.state_dict()
    if any(not torch.equal(weight.cpu(), back[name]) for name, weight in model.network.state_dict().items()):
        raise InputError(f"{folder} does not hold the weights of {model.name}; export it to an empty folder.")
    return folder
