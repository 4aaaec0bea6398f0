"""Incremental decoding of Llama-like networks: slots of texts that share every step's products.

Texts of different lengths and prompts share a step: each attends to its own positions only, so what it computes does
not depend on its neighbours, up to rounding; in strict mode, to the last bit.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch.nn.functional import scaled_dot_product_attention

from empirical.engines.attention import SharedPrompts
from empirical.engines.llama import Llama
from empirical.engines.slots import Prefix, Slots, rotated
from empirical.precision import one_thread


class LlamaDecoder:
    """`slots` texts of at most `length` tokens each, prompt included.

    strict: every row is computed on its own and by one thread, so that its bits depend on nothing else.
    """

    def __init__(self, llama: Llama, slots: int, length: int, strict: bool = False) -> None:
        self.llama, self.strict = llama, strict
        self.cos, self.sin = llama.rotations(length)
        shape = (len(llama.blocks), llama.key_heads, llama.width)
        self.kept: SharedPrompts | Slots
        if llama.device.type == "cpu":
            # float32 at least: the processor's kernel gains nothing from less, as the prompts are shared.
            self.kept = SharedPrompts(shape, slots, length, torch.promote_types(llama.dtype, torch.float32))
        else:
            self.kept = Slots(shape, slots, length, llama.dtype, llama.device)

    def read(self, prompt: Sequence[int]) -> Prefix:
        """Read a prompt once."""
        cache, tokens = [], torch.tensor(list(prompt), device=self.llama.device)

        def attention(_layer: int, heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
            q, k, v = (part.transpose(0, 1) for part in rotated(heads, self.llama.key_heads, cos, sin))
            cache.append(torch.stack([k, v]))
            mixed = scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True, enable_gqa=True)
            return mixed[0].transpose(0, 1).flatten(1)

        with self._rows_alone():
            states = self.llama.states(tokens, self.cos[: len(tokens)], self.sin[: len(tokens)], attention)
        return Prefix(torch.stack(cache), states[-1])

    def place(self, prefix: Prefix, slots: Sequence[int]) -> None:
        """Begin a text after `prefix` in each of the slots."""
        self.kept.place(prefix, slots)

    def move(self, source: int, target: int, length: int) -> None:
        """Move a text of `length` tokens to another slot."""
        self.kept.move(source, target, length)

    def copy(self, source: int, targets: Sequence[int], first: int, end: int) -> None:
        """Give other slots a text's positions `first` to `end` - 1; what comes before is the same in all of them."""
        self.kept.copy(source, targets, first, end)

    def step(self, tokens: torch.Tensor, positions: torch.Tensor, slots: Sequence[int] | None = None) -> torch.Tensor:
        """Feed slots[i] its next token, tokens[i], at positions[i]; return the states [n, hidden] of those slots.

        slots: 0 to n - 1 unless given.
        """
        chosen = range(len(tokens)) if slots is None else slots
        if not self.strict:
            return self._step(tokens, positions, chosen)
        rows = zip(tokens.split(1), positions.split(1), chosen, strict=True)
        with self._rows_alone():
            return torch.cat([self._step(token, position, range(slot, slot + 1)) for token, position, slot in rows])

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """The next token's logits, [n, V]."""
        return self.by_row(self.llama.logits, states)

    def features(self, states: torch.Tensor) -> torch.Tensor:
        """What a prefix scorer reads, [n, hidden]: the final normalised states, at least in float32."""
        return self.by_row(self.llama.normed, states)

    def by_row(self, work: Callable[..., torch.Tensor], *lines: torch.Tensor) -> torch.Tensor:
        """work(*lines) of tensors with the rows first; in strict mode, of each row on its own."""
        if not self.strict:
            return work(*lines)
        with self._rows_alone():
            return torch.cat([work(*row) for row in zip(*(line.split(1) for line in lines), strict=True)])

    def _step(self, tokens: torch.Tensor, positions: torch.Tensor, slots: Sequence[int]) -> torch.Tensor:
        def attention(layer: int, heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
            return self.kept.attend(layer, heads, cos, sin, positions, slots)

        return self.llama.states(tokens, self.cos[positions], self.sin[positions], attention)

    def _rows_alone(self) -> AbstractContextManager[None]:
        return one_thread() if self.strict else nullcontext()
