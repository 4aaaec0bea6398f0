"""How to load a triple, in words: paths, hub ids and counts travel to another machine; tensors and code never do."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from empirical.errors import InputError
from empirical.paper_triples import named_triple
from empirical.presets import Preset
from empirical.studies.tradeoff import Triple
from empirical.triples import check_device, default_triple


@dataclass(frozen=True)
class Recipe:
    """The preset's own triple, or the one that `named_triple` makes of (triple, prior, aligned, reward)."""

    preset: Preset
    models: tuple[str, str, str, str] | None = None
    device: str = "cpu"

    def load(self, strict: bool = False) -> Triple:
        """Load the triple, in float64 if strict; raises InputError in one sentence."""
        device = check_device(self.device)
        if strict and torch.device(device).type != "cpu":
            raise InputError(
                "Strict mode runs on the processor: a graphics card's sums depend on the batch; "
                "leave out --strict or --device."
            )
        if self.models:
            triple = named_triple(*self.models, device, self.preset.max_new)
        else:
            with TemporaryDirectory() as scratch:  # the tiny models are written, read and forgotten
                triple = default_triple(self.preset, Path(scratch), device)
        if strict:
            triple.prior.network.double()
            triple.aligned.network.double()
        return triple
