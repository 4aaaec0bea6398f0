"""Two decoders over the same texts: one draws, and a prefix scorer reads the other's states."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from empirical.engines.decoder import LlamaDecoder
from empirical.engines.slots import Prefix


@dataclass(frozen=True)
class PairedPrefix:
    """A prompt that both have read; `state` holds both last states, the drawing one's first."""

    drawing: Prefix
    reading: Prefix

    @property
    def state(self) -> torch.Tensor:
        return torch.cat([self.drawing.state, self.reading.state])


class PairedDecoder:
    """A decoder like `LlamaDecoder` whose states are those of two networks side by side."""

    def __init__(self, drawing: LlamaDecoder, reading: LlamaDecoder) -> None:
        self.drawing, self.reading = drawing, reading
        self.width = len(drawing.llama.last_norm)

    def read(self, prompt: Sequence[int]) -> PairedPrefix:
        """Read a prompt once with each."""
        return PairedPrefix(self.drawing.read(prompt), self.reading.read(prompt))

    def place(self, prefix: PairedPrefix, slots: Sequence[int]) -> None:
        """As `LlamaDecoder.place`."""
        self.drawing.place(prefix.drawing, slots)
        self.reading.place(prefix.reading, slots)

    def move(self, source: int, target: int, length: int) -> None:
        """As `LlamaDecoder.move`."""
        self.drawing.move(source, target, length)
        self.reading.move(source, target, length)

    def copy(self, source: int, targets: Sequence[int], first: int, end: int) -> None:
        """As `LlamaDecoder.copy`."""
        self.drawing.copy(source, targets, first, end)
        self.reading.copy(source, targets, first, end)

    def step(self, tokens: torch.Tensor, positions: torch.Tensor, slots: Sequence[int] | None = None) -> torch.Tensor:
        """As `LlamaDecoder.step`, both states side by side."""
        return torch.cat([one.step(tokens, positions, slots) for one in (self.drawing, self.reading)], dim=1)

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """The drawing network's logits, [n, V]."""
        return self.drawing.logits(states[:, : self.width].contiguous())

    def features(self, states: torch.Tensor) -> torch.Tensor:
        """The reading network's final normalised states, [n, hidden]."""
        return self.reading.features(states[:, self.width :].contiguous())

    def by_row(self, work: Callable[..., torch.Tensor], *lines: torch.Tensor) -> torch.Tensor:
        """As `LlamaDecoder.by_row`."""
        return self.drawing.by_row(work, *lines)
