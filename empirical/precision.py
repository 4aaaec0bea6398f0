"""Choose the fastest float32 matrix product that is still float32, by measuring its error at start-up."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Rounding of a float32 product of depth ~1,500 stays near 1e-6 of its largest entry; bfloat16 inputs give 1e-2.
FLOAT32_ERROR = 1e-5


def use_fast_float32() -> str:
    """Let torch take another float32 kernel if its error stays at float32's level; return the setting in force.

    On some processors "medium" selects a prepacked kernel of equal accuracy, on others it silently computes in
    bfloat16, on graphics cards in TF32: weights and targets must never be scored with these, so the error decides, not
    the name, and on every kind of device, since one setting rules them all.
    """
    torch.set_float32_matmul_precision("medium")
    if max(map(relative_error, kinds())) > FLOAT32_ERROR:
        torch.set_float32_matmul_precision("highest")
    return torch.get_float32_matmul_precision()


@contextmanager
def plain_float32() -> Iterator[None]:
    """Torch's default float32 products within: the faster ones for large products are slower for attention's small."""
    chosen = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(chosen)


def kinds() -> list[str]:
    """The kinds of device that torch can use here."""
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def relative_error(kind: str = "cpu") -> float:
    """The largest error of a linear layer on such a device against float64, relative to its largest output."""
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(shape, generator=generator) for shape in ((256, 576), (1536, 576)))
    exact = x.double() @ weight.double().T
    found = torch.nn.functional.linear(x.to(kind), weight.to(kind)).cpu()
    return float((found - exact).abs().max() / exact.abs().max())


def at_least_float32(x: torch.Tensor) -> torch.Tensor:
    """x itself if it is float32 or float64, else x in float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch's within: how a sum is split among threads moves its last bits."""
    chosen = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(chosen)
