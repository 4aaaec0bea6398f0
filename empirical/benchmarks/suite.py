"""All the benchmarks in one run, and what each ratio has to reach."""

import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from empirical.benchmarks import decoding, drawing, scoring
from empirical.benchmarks.measuring import in_turns, peak_memory, roofline
from empirical.benchmarks.parts import parts
from empirical.engines.jobs import answers
from empirical.engines.torch import engine
from empirical.engines.vllm import VllmEngine, exported
from empirical.models import LanguageModel
from empirical.schemes import study_schemes
from empirical.scoring import score

CPU = torch.device("cpu")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
TOKENS = decoding.ROWS * decoding.STEPS
FIRST_STEPS = {
    "plain_vs_generate.float32": 2.0,
    "plain_vs_generate.bfloat16": 2.0,
    "mixed_vs_generate_nucleus.float32": 3.0,
    "mixed_vs_generate_nucleus.bfloat16": 3.0,
    "mixed_vs_vllm.float32": 1.8,
    "mixed_vs_vllm.bfloat16": 1.8,
    "mixed_vs_vllm_kernel.float32": 1.0,
    "mixed_vs_vllm_kernel.bfloat16": 1.0,
    "plain_vs_mixed": 1 / 1.15,
    "draw_vs_transformers.nucleus": 5.0,
    "draw_vs_transformers.typical": 5.0,
    "share_of_roofline.float32": 0.30,
    "share_of_roofline.bfloat16": 0.28,
    "scoring_vs_forward": 1.5,
    "memory_of_forward_vs_scoring": 1 / 0.8,
}
"""What each ratio has to reach on two cores; fixed before anything was measured. None is set for a graphics card."""


def measured(model: LanguageModel, repeats: int, vllm: bool) -> dict[str, Any]:
    """Everything: tokens/s, seconds, ratios, the roofline, and the exactness that speed must not cost."""
    seconds: dict[str, float] = {}
    found: dict[str, Any] = {"manifest": manifest(model.device), "roofline_gflops": {}, "share_of_roofline": {}}
    flops = 2 * sum(weight.numel() for weight in model.network.parameters())  # the tied head is among them, once
    for name, dtype in DTYPES.items():
        limit = roofline(dtype, model.device)
        times = in_turns(decoding.contenders(model, dtype), repeats)
        seconds |= {f"decode {who} {name}": time for who, time in times.items()}
        seconds |= {f"part {which} {name}": time for which, time in parts(model, dtype).items()}
        limit = max(limit, roofline(dtype, model.device))  # of before and after: the machine's speed drifts
        found["roofline_gflops"][name] = limit / 1e9
        found["share_of_roofline"][name] = flops * TOKENS / times["plain"] / limit
        if vllm:
            seconds |= _by_vllm(model, name, repeats)
    logits = _logits(model)
    seconds |= {f"draw {who}": time for who, time in in_turns(drawing.contenders(logits), 5 * repeats).items()}
    seconds |= {f"score {who}": time for who, time in in_turns(scoring.contenders(model), repeats).items()}
    found["seconds"] = seconds
    found["tokens_per_second"] = {who: TOKENS / time for who, time in seconds.items() if who.startswith("decode")}
    found["gflops"] = {who: flops * speed / 1e9 for who, speed in found["tokens_per_second"].items()}
    found["memory_gib"] = memory(model.device)
    found["ratios"] = (
        ratios(seconds)
        | {f"share_of_roofline.{dtype}": share for dtype, share in found["share_of_roofline"].items()}
        | {"memory_of_forward_vs_scoring": found["memory_gib"]["forward"] / found["memory_gib"]["score"]}
    )
    found["kept_mass_difference"] = drawing.largest_difference(logits)
    found["sampler_minus_scorer_nats_per_token"] = _disagreement(model)
    found["padding"] = scoring.padding(model)
    goals = FIRST_STEPS if model.device == CPU else {}
    found["missed"] = [name for name, least in goals.items() if found["ratios"].get(name, least) < least]
    return found


def ratios(seconds: dict[str, float]) -> dict[str, float]:
    """How many times faster ours is than each peer, from the medians."""
    peers = {
        "plain_vs_generate": ("plain", "generate plain"),
        "mixed_vs_generate_nucleus": ("mixed", "generate nucleus"),
        "mixed_vs_vllm": ("mixed", "vllm"),
        "mixed_vs_vllm_kernel": ("mixed", "vllm kernel"),
    }
    found = {
        f"{ratio}.{dtype}": seconds[f"decode {peer} {dtype}"] / seconds[f"decode {ours} {dtype}"]
        for dtype in DTYPES
        for ratio, (ours, peer) in peers.items()
        if f"decode {peer} {dtype}" in seconds
    }
    found["plain_vs_mixed"] = seconds["decode plain float32"] / seconds["decode mixed float32"]
    for rule in drawing.RULES:
        found[f"draw_vs_transformers.{rule}"] = seconds[f"draw transformers {rule}"] / seconds[f"draw {rule}"]
    return found | {"scoring_vs_forward": seconds["score forward"] / seconds["score reader"]}


def manifest(device: torch.device = CPU) -> dict[str, Any]:
    """What the figures were measured on and with."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "command": " ".join(["python -m empirical.bench", *sys.argv[1:]]),
        "machine": f"{torch.cpu.get_capabilities().get('cpu_name', platform.machine())}, {os.cpu_count()} CPUs",
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("torch", "transformers", "numba", "numpy")},
        "rows": decoding.ROWS,
        "new_tokens": decoding.STEPS,
        "prompts": decoding.PROMPTS,
        "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT"),
    }


def memory(device: torch.device = CPU) -> dict[str, float]:
    """Peak GiB of a fresh process that decodes or scores, by us and by the peer; of a graphics card, if on one."""
    head = "from empirical.benchmarks import decoding, scoring; from empirical.models import default_prior; "
    head += f"import torch; model = default_prior({str(device)!r}); "
    ways = {
        "decode": "decoding.contenders(model, torch.float32)['mixed']()",
        "generate": "decoding.contenders(model, torch.float32)['generate nucleus']()",
        "score": "scoring.contenders(model)['reader']()",
        "forward": "scoring.contenders(model)['forward']()",
    }
    return {name: peak_memory(head + way, device.type) / 2**30 for name, way in ways.items()}


def _by_vllm(model: LanguageModel, dtype: str, repeats: int) -> dict[str, float]:
    """The mixed rows inside vLLM, with its own sampler and with our kernel: medians of the worker's own clock."""
    rows = decoding.jobs(model, study_schemes())
    with (
        tempfile.TemporaryDirectory() as folder,
        VllmEngine(exported(model, Path(folder)), dtype=DTYPES[dtype]) as peer,
    ):
        times = {
            who: [peer.timed(rows, sampler).seconds for _ in range(repeats + 1)][1:]  # the first warms up
            for who, sampler in (("vllm", "vllm"), ("vllm kernel", "kernel"))
        }
    return {f"decode {who} {dtype}": float(np.median(some)) for who, some in times.items()}


@torch.inference_mode()
def _logits(model: LanguageModel) -> torch.Tensor:
    """64 rows of the model's own logits, from the middle of its texts."""
    [(prompt, some), *_] = scoring.texts(model)
    return model.network(torch.tensor([prompt + some[0]], device=model.device)).logits[0, -decoding.ROWS :].contiguous()


def _disagreement(model: LanguageModel) -> float:
    """The largest |log p while sampling - log p of the scorer| a token, over the mixed rows in float32."""
    rows = decoding.jobs(model, study_schemes())
    drawn = answers(engine(model, max(job.longest for job in rows)), rows)
    return max(
        abs(score(model, job.prompt, [answer.token_ids]).log_prob.item() - answer.log_model) / len(answer.token_ids)
        for job, answer in zip(rows, drawn, strict=True)
    )
