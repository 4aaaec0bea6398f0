"""One decoding step's attention on the CPU: rotate, store and attend in one fused pass a text.

A step reads every kept key and value once and computes little, so memory decides. Texts of one prompt share its keys
and values, which stay in the processor's own cache from one text to the next; a text keeps only what it wrote itself.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numba import njit

from empirical.engines.kernel import exponential, in_shares
from empirical.engines.slots import Prefix


class SharedPrompts:
    """The texts' keys and values: each prompt's once, and what every slot has written after it.

    shape: (layers, key heads, width); dtype: float32 or float64, whatever the rest of the network runs in.
    """

    def __init__(self, shape: tuple[int, int, int], slots: int, length: int, dtype: torch.dtype) -> None:
        layers, key_heads, width = shape
        self.dtype = dtype
        self.written = np.zeros((layers, 2, slots, key_heads, length, width), torch.empty(0, dtype=dtype).numpy().dtype)
        self.read = np.zeros((layers, 2, key_heads, 0, width), self.written.dtype)
        self.prefixes: list[Prefix | None] = [None] * slots
        self.bounds = np.zeros((slots, 2), np.int64)  # where in `read` each slot's prompt begins and ends

    def place(self, prefix: Prefix, slots: Sequence[int]) -> None:
        """Begin a text after `prefix` in each of the slots."""
        for slot in slots:
            self.prefixes[slot] = prefix
        live = {id(prefix): prefix for prefix in self.prefixes if prefix is not None}
        ends = np.cumsum([prefix.length for prefix in live.values()])
        bounds = {name: (end - live[name].length, end) for name, end in zip(live, ends, strict=True)}
        self.bounds = np.array([bounds.get(id(prefix), (0, 0)) for prefix in self.prefixes])
        self.read = torch.cat([prefix.cache for prefix in live.values()], dim=3).to(self.dtype).numpy()

    def move(self, source: int, target: int, length: int) -> None:
        """Move a text of `length` tokens to another slot and forget the one that was there."""
        steps = length - self.prefixes[source].length
        self.written[:, :, target, :, :steps] = self.written[:, :, source, :, :steps]
        self.prefixes[target], self.bounds[target] = self.prefixes[source], self.bounds[source]
        self.prefixes[source] = None

    def copy(self, source: int, targets: Sequence[int], first: int, end: int) -> None:
        """Give other slots a text's positions `first` to `end` - 1; what comes before is the same in all of them."""
        begin, stop = (position - self.prefixes[source].length for position in (first, end))
        self.written[:, :, list(targets), :, begin:stop] = self.written[:, :, source, None, :, begin:stop]

    def attend(
        self,
        layer: int,
        heads: torch.Tensor,
        cos: torch.Tensor,
        sin: torch.Tensor,
        positions: torch.Tensor,
        slots: Sequence[int] | None = None,
    ) -> torch.Tensor:
        """Attention's output [n, query heads x width] of slots[i]'s token at positions[i], which is now kept.

        heads: [n, query heads + 2 x key heads, width], not rotated; cos, sin: [n, width]; slots:
        0 to n - 1 unless given.
        """
        numbers = np.arange(len(heads)) if slots is None else np.asarray(slots)
        bounds, written = self.bounds[numbers], self.written[layer]
        inputs, *turns = (part.to(self.dtype).numpy() for part in (heads, cos, sin))
        # Torch aligns what it allocates; where NumPy's lies would decide the last bits of the product that reads it.
        mixed = torch.empty(len(heads), heads.shape[1] - 2 * written.shape[2], heads.shape[2], dtype=self.dtype)
        steps = positions.numpy() - (bounds[:, 1] - bounds[:, 0])
        arguments = (inputs, *turns, self.read[layer], written[0], written[1], numbers, bounds, steps, mixed.numpy())
        in_shares(lambda first, end: _attend(*arguments, first, end), len(heads))
        return mixed.flatten(1).to(heads.dtype)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _attend(
    heads, cos, sin, read, all_keys, all_values, slots, bounds, steps, mixed, first, end
):  # pragma: no cover (compiled)
    key_heads, longest, width = all_keys.shape[1:]
    groups = mixed.shape[1] // key_heads
    scale = heads.dtype.type(1 / math.sqrt(width))
    query = np.empty((groups, width), heads.dtype)
    weights = np.empty((groups, read.shape[2] + longest), heads.dtype)
    for row in range(first, end):
        begin, stop, step = bounds[row, 0], bounds[row, 1], steps[row]
        prompt = stop - begin
        for head in range(key_heads):
            keys, values = all_keys[slots[row], head], all_values[slots[row], head]
            _rotate(heads[row, groups * key_heads + head], cos[row], sin[row], keys[step])
            values[step] = heads[row, (groups + 1) * key_heads + head]
            for group in range(groups):
                _rotate(heads[row, groups * head + group], cos[row], sin[row], query[group])
                line, out = weights[group], mixed[row, groups * head + group]
                _products(query[group], read[0, head][begin:stop], scale, line[:prompt])
                _products(query[group], keys[: step + 1], scale, line[prompt : prompt + step + 1])
                _softmax(line[: prompt + step + 1])
                out[:] = 0
                _mix(line[:prompt], read[1, head][begin:stop], out)
                _mix(line[prompt : prompt + step + 1], values, out)


@njit(forceinline=True, fastmath={"reassoc", "contract", "nsz"})
def _rotate(x, cos, sin, turned):  # pragma: no cover (compiled)
    half = len(x) // 2
    for a in range(half):
        turned[a] = x[a] * cos[a] - x[a + half] * sin[a]
        turned[a + half] = x[a + half] * cos[a + half] + x[a] * sin[a + half]


# Four keys, and four values, at a time: a query is loaded, and a result stored, once for the four.


@njit(forceinline=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _products(query, keys, scale, products):  # pragma: no cover (compiled)
    zero, fours = products.dtype.type(0), len(products) // 4 * 4
    for t in range(0, fours, 4):
        a, b, c, d = zero, zero, zero, zero
        for i in range(len(query)):
            a += query[i] * keys[t, i]
            b += query[i] * keys[t + 1, i]
            c += query[i] * keys[t + 2, i]
            d += query[i] * keys[t + 3, i]
        products[t], products[t + 1], products[t + 2], products[t + 3] = a * scale, b * scale, c * scale, d * scale
    for t in range(fours, len(products)):
        a = zero
        for i in range(len(query)):
            a += query[i] * keys[t, i]
        products[t] = a * scale


@njit(forceinline=True, fastmath={"reassoc", "contract", "nsz"})
def _mix(weights, values, mixed):  # pragma: no cover (compiled)
    fours = len(weights) // 4 * 4
    for t in range(0, fours, 4):
        a, b, c, d = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
        for i in range(len(mixed)):
            mixed[i] += a * values[t, i] + b * values[t + 1, i] + c * values[t + 2, i] + d * values[t + 3, i]
    for t in range(fours, len(weights)):
        a = weights[t]
        for i in range(len(mixed)):
            mixed[i] += a * values[t, i]


@njit(forceinline=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _softmax(weights):  # pragma: no cover (compiled)
    top = weights[0]
    for t in range(1, len(weights)):
        top = max(top, weights[t])
    total = 0.0
    for t in range(len(weights)):
        weights[t] = exponential(np.float64(weights[t] - top))
        total += weights[t]
    for t in range(len(weights)):
        weights[t] /= total
