"""Rewards: a Bradley-Terry head on a frozen model's features, fitted to human preferences."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from scipy.optimize import minimize
from scipy.special import expit

from empirical.errors import InputError, first_line


class RewardError(InputError):
    """A reward cannot be loaded or does not fit the model; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class PreferenceHead:
    """r(x, y) = w . (h - m): h is the mean output of block `layer` over the answer's words, in nats of preference.

    P(y1 preferred to y2) = sigmoid(r(y1) - r(y2)); the offset m only fixes where zero lies.
    """

    weight: torch.Tensor
    mean: torch.Tensor
    layer: int
    model_sha256: str

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """Score features [n, hidden]; raises RewardError if they come from a model of another width."""
        if features.shape[-1] != self.weight.shape[0]:
            raise RewardError(
                f"The reward head reads {self.weight.shape[0]} features but the model has {features.shape[-1]}; "
                "use the head with the model it was trained on."
            )
        return (features.double() - self.mean.double()) @ self.weight.double()

    def save(self, folder: Path) -> None:
        """Write head.safetensors and head.json."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"weight": self.weight.float(), "mean": self.mean.float()}, folder / "head.safetensors")
        described = {"kind": "bradley-terry-head", "layer": self.layer, "model_sha256": self.model_sha256}
        (folder / "head.json").write_text(json.dumps(described, indent=1), encoding="utf-8")


def load_head(folder: Path) -> PreferenceHead:
    """Read a head written by `save`; raises RewardError in one sentence."""
    try:
        tensors = load_file(folder / "head.safetensors")
        described = json.loads((folder / "head.json").read_text(encoding="utf-8"))
        return PreferenceHead(tensors["weight"], tensors["mean"], described["layer"], described["model_sha256"])
    except Exception as problem:  # safetensors' error is a bare Exception
        raise RewardError(
            f"Cannot read a reward head from {folder} ({first_line(problem)}); it needs head.safetensors and head.json."
        ) from problem


@dataclass(frozen=True)
class Fit:
    """Weights of a Bradley-Terry fit, its ridge, and the share of pairs ranked rightly in each split."""

    weight: NDArray[np.float64]
    ridge: float
    accuracy: dict[str, float]
    pairs: dict[str, int]

    def summary(self) -> dict[str, object]:
        """Everything but the weights, for a log."""
        return {key: value for key, value in asdict(self).items() if key != "weight"}


RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def fit_bradley_terry(differences: dict[str, NDArray[np.float64]]) -> Fit:
    """Fit w in P(chosen) = sigmoid(w . d) on d = h(chosen) - h(rejected), [pairs, hidden] for each split.

    minimise mean log(1 + e^(-w.d)) + (ridge / 2) |scale w|^2; the ridge is the one with the lowest validation loss.
    """
    scale = differences["train"].std(axis=0) + 1e-12
    scaled = {split: d / scale for split, d in differences.items()}
    fits = {ridge: _fit(scaled["train"], ridge) for ridge in RIDGES}
    best = min(fits, key=lambda ridge: float(np.logaddexp(0, -scaled["validation"] @ fits[ridge]).mean()))
    weight = fits[best]
    accuracy = {split: float((d @ weight > 0).mean()) for split, d in scaled.items()}
    return Fit(weight / scale, best, accuracy, {split: len(d) for split, d in scaled.items()})


def _fit(d: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = d @ w
        value = np.logaddexp(0, -margin).mean() + 0.5 * ridge * w @ w
        return float(value), -d.T @ expit(-margin) / len(d) + ridge * w

    return minimize(loss, np.zeros(d.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x
