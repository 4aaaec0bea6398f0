"""A decoder whose every text is two rows of one forward pass: with the evidence, and without it."""

from collections.abc import Callable, Sequence

import torch

from empirical.engines.decoder import LlamaDecoder
from empirical.engines.pairs import PairedPrefix

Prompts = tuple[tuple[int, ...], tuple[int, ...]]
"""Token ids with the evidence, and without it."""


class EvidenceDecoder:
    """A decoder like `LlamaDecoder` whose states are those of both rows side by side.

    Text i has slot i with the evidence and slot `texts` + i without it; both are fed every token that is drawn. A
    text's positions are those with the evidence. `decoder` has twice as many slots as there are texts.
    """

    def __init__(self, decoder: LlamaDecoder, texts: int) -> None:
        self.decoder, self.texts, self.width = decoder, texts, len(decoder.llama.last_norm)
        self.shift = torch.zeros(texts, dtype=torch.int64)  # how much longer each text's prompt with the evidence is

    def read(self, prompts: Prompts) -> PairedPrefix:
        """Read both prompts once."""
        return PairedPrefix(*map(self.decoder.read, prompts))

    def place(self, prefix: PairedPrefix, slots: Sequence[int]) -> None:
        """As `LlamaDecoder.place`."""
        self.decoder.place(prefix.drawing, slots)
        self.decoder.place(prefix.reading, [self.texts + slot for slot in slots])
        self.shift[list(slots)] = prefix.drawing.length - prefix.reading.length

    def move(self, source: int, target: int, length: int) -> None:
        """As `LlamaDecoder.move`."""
        self.decoder.move(source, target, length)
        self.decoder.move(self.texts + source, self.texts + target, length - int(self.shift[source]))
        self.shift[target] = self.shift[source]

    def step(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """As `LlamaDecoder.step`, both states side by side [n, 2 hidden]."""
        count = len(tokens)
        slots = [*range(count), *range(self.texts, self.texts + count)]
        places = torch.cat([positions, positions - self.shift[:count]])
        return torch.cat(self.decoder.step(tokens.repeat(2), places, slots).split(count), dim=1)

    def logits(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The next token's logits with the evidence and without it, [n, V] each, by one product."""
        rows = torch.cat(states.split(self.width, dim=1))
        with_, without = self.decoder.logits(rows).split(len(states))
        return with_, without

    def features(self, states: torch.Tensor) -> torch.Tensor:
        """The final normalised states with the evidence, [n, hidden]."""
        return self.decoder.features(states[:, : self.width].contiguous())

    def by_row(self, work: Callable[..., torch.Tensor], *lines: torch.Tensor) -> torch.Tensor:
        """As `LlamaDecoder.by_row`."""
        return self.decoder.by_row(work, *lines)
