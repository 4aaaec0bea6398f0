"""Presets: how much is run. Nothing here imports torch, so that a command that needs no model starts fast."""

from dataclasses import dataclass, replace

from empirical.errors import InputError


@dataclass(frozen=True)
class Backend:
    """How rows are drawn: by `torch` here, by `vllm` in its own process, or by Ray's workers at `ray` (empty: none).

    strict: float64, every text computed on its own. Raises ValueError in one sentence where these do not go together.
    """

    engine: str = "torch"
    ray: str = ""
    strict: bool = False
    tensor_parallel: int = 1

    def __post_init__(self) -> None:
        if self.engine not in ("torch", "vllm"):
            raise ValueError(f"There is no engine {self.engine!r}; choose torch or vllm.")
        if self.engine == "vllm" and (self.strict or self.ray):
            raise ValueError("vLLM has its own workers and no strict mode; leave out --ray and --strict.")
        if self.engine != "vllm" and self.tensor_parallel != 1:
            raise ValueError("Only vLLM splits a model over several GPUs; add --engine vllm.")


TORCH = Backend()


@dataclass(frozen=True)
class Settings:
    """The study's counts; corpora are drawn from the finite pool of `samples` strings a cell.

    rows: texts a step. If the back end is strict, no row depends on `rows`, on threads, on workers or on where a run
    was killed, to the last bit.
    """

    samples: int
    max_new: int
    seed: int = 0
    corpus_size: int = 2000
    corpora: int = 2000
    resamples: int = 1000
    rows: int = 64
    backend: Backend = TORCH

    @property
    def strict(self) -> bool:
        """Whether the back end is strict."""
        return self.backend.strict


@dataclass(frozen=True)
class Preset:
    """Prompts, and the study's counts; `real` is False where the models are random and prove nothing.

    small: the exact worlds run at the size of a test; anew: all of every study is drawn again.
    """

    prompts: int
    samples: int
    max_new: int
    real: bool = True
    corpora: int = 2000
    resamples: int = 1000
    small: bool = False
    anew: bool = False

    def settings(self, seed: int, backend: Backend = TORCH) -> Settings:
        """The study's settings under this preset."""
        counts = {"corpora": self.corpora, "resamples": self.resamples}
        return Settings(self.samples, self.max_new, seed, **counts, backend=backend)


PRESETS = {
    "smoke": Preset(prompts=4, samples=2, max_new=8, real=False, corpora=200, resamples=100, small=True),
    "default": Preset(prompts=20, samples=4, max_new=32),
    # The trade-off on every prompt that no alignment run has seen; the other studies are those of `default`.
    "wide": Preset(prompts=100, samples=4, max_new=32),
    # Tan et al.: 1,000 prompts x 2 answers of at most 256 tokens; with the embedded prompts, the same 2,000 answers.
    "paper": Preset(prompts=100, samples=20, max_new=256, anew=True),
}


def preset(name: str, first: int = 0) -> Preset:
    """A preset by its name, of its first so many prompts, if not 0. Raises InputError on another name."""
    if name not in PRESETS:
        raise InputError(f"There is no preset {name!r}; choose {', '.join(PRESETS)}.")
    size = PRESETS[name]
    return replace(size, prompts=min(first or size.prompts, size.prompts))
