"""Matrix products against frozen weights: re-ordered once for the processor's kernels where torch can do that."""

from collections.abc import Callable

import torch
from torch.nn.functional import linear

Linear = Callable[[torch.Tensor], torch.Tensor]
ROWS = 64  # the height the weights are laid out for; any other works too
# Rounding of a product of depth ~1,500 stays near 1e-6 of its largest entry; a lower precision in disguise gives 1e-2.
ERROR = {torch.float32: 1e-5, torch.bfloat16: 1e-2}


def packed(weight: torch.Tensor) -> Linear:
    """x -> x W^T for a frozen weight [out, in], re-ordered for oneDNN if that is possible and as exact as torch's own.

    Wins most in float32, where torch's default product reads the weights as they lie. The error decides: on a
    processor where the kernel computes in a lower precision, torch's own product is kept, as on one that lacks the
    instructions (bfloat16 asks for AVX-512).
    """
    if weight.device.type == "cpu" and weight.dtype in ERROR and torch.backends.mkldnn.is_available():
        try:
            ordered = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS)
        except RuntimeError:
            return lambda x: linear(x, weight)

        def product(x: torch.Tensor) -> torch.Tensor:
            return torch.ops.mkldnn._linear_pointwise(x, ordered, None, "none", [], "")

        if relative_error(product, weight) < ERROR[weight.dtype]:
            return product
    return lambda x: linear(x, weight)


def relative_error(product: Linear, weight: torch.Tensor) -> float:
    """The largest error of a product against float64 on 8 fixed rows, relative to its largest output."""
    rows = torch.randn(8, weight.shape[1], generator=torch.Generator().manual_seed(0)).to(weight.dtype)
    exact = linear(rows.double(), weight.double())
    return float((product(rows).double() - exact).abs().max() / exact.abs().max().clamp(min=1e-300))
