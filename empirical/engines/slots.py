"""Keys and values of texts under way on any device: a slot a text, the prompt's copied into each."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import scaled_dot_product_attention


@dataclass(frozen=True)
class Prefix:
    """A prompt that was read: keys and values [layers, 2, key heads, length, width], and its last state [hidden]."""

    cache: torch.Tensor
    state: torch.Tensor

    @property
    def length(self) -> int:
        """The number of tokens read."""
        return self.cache.shape[3]


class Slots:
    """A static cache [layers, 2, slots, key heads, length, width]; shape: (layers, key heads, width)."""

    def __init__(
        self, shape: tuple[int, int, int], slots: int, length: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        layers, self.key_heads, width = shape
        self.cache = torch.zeros((layers, 2, slots, self.key_heads, length, width), dtype=dtype, device=device)

    def place(self, prefix: Prefix, slots: Sequence[int]) -> None:
        """Begin a text after `prefix` in each of the slots."""
        self.cache[:, :, list(slots), :, : prefix.length] = prefix.cache[:, :, None]

    def move(self, source: int, target: int, length: int) -> None:
        """Move a text of `length` tokens to another slot."""
        self.cache[:, :, target, :, :length] = self.cache[:, :, source, :, :length]

    def copy(self, source: int, targets: Sequence[int], first: int, end: int) -> None:
        """Give other slots a text's positions `first` to `end` - 1; what comes before is the same in all of them."""
        self.cache[:, :, list(targets), :, first:end] = self.cache[:, :, source, None, :, first:end]

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

        heads: [n, query heads + 2 x key heads, width], not rotated; cos, sin: [n, width]. slots: 0 to n - 1 unless
        given; a range of them is read where it lies, others are gathered.
        """
        q, k, v = rotated(heads, self.key_heads, cos, sin)
        numbers = range(len(heads)) if slots is None else slots
        rows, longest = torch.tensor(numbers, device=heads.device), int(positions.max()) + 1
        self.cache[layer, 0, rows, :, positions], self.cache[layer, 1, rows, :, positions] = k, v
        chosen = slice(numbers.start, numbers.stop) if isinstance(numbers, range) else rows
        keys, values = self.cache[layer, 0, chosen, :, :longest], self.cache[layer, 1, chosen, :, :longest]
        seen = torch.arange(longest, device=heads.device) <= positions[:, None]
        # The queries that share a key head are folded into the query axis, so no key is copied.
        folded = q.unflatten(1, (self.key_heads, -1))
        mask = seen[:, None, None]
        return scaled_dot_product_attention(folded, keys, values, mask).flatten(1)


def rotated(
    heads: torch.Tensor, key_heads: int, cos: torch.Tensor, sin: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Split heads [n, query heads + 2 x key heads, width] into queries, keys and values, the first two rotated."""
    q, k, v = heads.split([heads.shape[1] - 2 * key_heads, key_heads, key_heads], dim=1)
    return _rotate(q, cos[:, None], sin[:, None]), _rotate(k, cos[:, None], sin[:, None]), v


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
