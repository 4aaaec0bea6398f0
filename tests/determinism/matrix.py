"""The matrix: a run again on other kernels, threads, batches, workers, in another order, killed and gone on with."""

from dataclasses import dataclass, field

from empirical.targets import IDS, TRADEOFF
from theory.ledger import REGISTRY

EXACT, TINY, STRICT, FULL = "theory, exact worlds", "tiny models", "tiny models, strict", "theory, full exact worlds"
"""What is compared: smoke's small worlds, its models in float32 or in strict mode, and preset default's worlds."""

ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "HF_HUB_OFFLINE": "1",
}
SMOKE, MODELS = ("--preset", "smoke"), ("run", "empirical", "--preset", "smoke")
EXACTLY = ("run", *TRADEOFF, "--preset", "smoke", "--strict")
WORLDS = ("run", "theory", "toy")


@dataclass(frozen=True)
class Row:
    """One way to run: variables beside those of one thread, Python's own flags, texts a step (0: the preset's).

    how: in one go; killed with kill -9 as soon as some shards are there, then begun again; first with two prompts,
    then with all; or elsewhere, on another machine, whose run is given. card: only where there is a graphics card.
    parts: what is compared with the run of the same part that nothing has changed.
    """

    what: str
    arguments: tuple[str, ...] = SMOKE
    parts: tuple[str, ...] = (EXACT, TINY)
    variables: dict[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    rows: int = 0
    how: str = "in one go"
    card: bool = False
    bound: float | None = None


BASE = {
    EXACT: Row("as it is"),
    STRICT: Row("as it is", EXACTLY, (STRICT,)),
    FULL: Row("as it is", WORLDS, (FULL,)),
}
"""Each part's run to compare with; that of EXACT has TINY too."""

_TWO = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "2")
_OLD = {"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL"}
_OLD_TORCH = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"}
_ELSEWHERE = {
    "PYTHONHASHSEED": "1", "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Asia/Kathmandu",
}  # fmt: skip
_BACKWARDS = tuple(name for name in reversed(IDS) if name not in REGISTRY or REGISTRY[name].room == "theory")

MATRIX = (
    Row("two threads", variables=_TWO),
    Row("OpenBLAS for Haswell", variables={"OPENBLAS_CORETYPE": "Haswell"}),
    Row("OpenBLAS and NumPy without AVX", variables=_OLD),
    Row("python -O, another hash seed, ASCII locale, another time zone", variables=_ELSEWHERE, flags=("-O",)),
    Row("targets in reverse order", ("run", *_BACKWARDS, *SMOKE)),
    Row("killed half-way, resumed", MODELS, (TINY,), how="killed"),
    Row("torch without AVX, its products for SSE", MODELS, (TINY,), _OLD_TORCH),
    Row("numba for any processor", MODELS, (TINY,), {"NUMBA_CPU_NAME": "generic"}),
    Row("three texts a step", MODELS, (TINY,), rows=3),
    Row("two prompts, then all", MODELS, (TINY,), how="in pieces"),
    Row("a graphics card", (*MODELS, "--device", "cuda"), (TINY,), card=True),
    Row("another machine and other versions of the libraries", parts=(TINY,), how="elsewhere"),
    Row("Ray's workers", ("run", *TRADEOFF, "--preset", "smoke", "--ray", "local", "--strict"), (STRICT,)),
    Row("two threads", EXACTLY, (STRICT,), _TWO),
    Row("three texts a step", EXACTLY, (STRICT,), rows=3),
    Row("killed half-way, resumed", EXACTLY, (STRICT,), how="killed"),
    Row("two prompts, then all", EXACTLY, (STRICT,), how="in pieces"),
    Row("every kernel for older processors", EXACTLY, (STRICT,), _OLD | _OLD_TORCH, bound=1e-9),
    Row("OpenBLAS and NumPy without AVX", WORLDS, (FULL,), _OLD),
)

BOUNDS = {EXACT: 1e-9, FULL: 1e-9, TINY: 1e-3, STRICT: 0.0}
"""The largest relative difference of a number, set before the first run.

Exact: float64 sums of at most some 1e5 terms lose 1e-11, and equations are solved to about 1e-12; 1e-9 is above both.
Tiny models: a float32 log-probability is right to 1e-6 of its size; means, differences and correlations of few of them
lose up to three digits. Strict: threads, batches, workers and kills may not move a bit (`Row.bound`: kernels may, in
float64, as above).
"""
