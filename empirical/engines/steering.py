"""What steers an engine's rows: a prefix scorer, and the model whose states it reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from empirical.engines.jobs import Job
from empirical.models import LanguageModel


class Scorer(Protocol):
    """The values of next tokens under several rewards, read off final normalised states [n, hidden] of its base."""

    @property
    def sha256(self) -> str:
        """The weights of that base."""
        ...

    def weighted(self, states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """sum_k w_k Q_k(h, z) of every next token z: [n, hidden], [n, rewards] -> [n, V]."""
        ...

    def value_of(self, states: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Q_k(h, z) of the given tokens: [n, hidden], [n] -> [n, rewards]."""
        ...


@dataclass(frozen=True)
class Steering:
    """A scorer, how many rewards it values, and its base where that is another model than the one that draws."""

    scorer: Scorer | None = None
    rewards: int = 0
    base: LanguageModel | None = None

    def values(self, states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """The scorer's weighted values, [n, V]."""
        assert self.scorer is not None
        return self.scorer.weighted(states, weights)

    def value_of(self, states: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """The scorer's values of some tokens, [n, rewards]."""
        assert self.scorer is not None
        return self.scorer.value_of(states, tokens)

    def check(self, jobs: Sequence[Job]) -> None:
        """Raise ValueError where a job asks for control that this cannot give."""
        for control in (job.control for job in jobs if job.control and job.control.lam):
            if self.scorer is None:
                raise ValueError("Tokenwise control needs a prefix scorer; make the engine with scorer=.")
            self.check_weights(control.weights)

    def check_weights(self, weights: Sequence[float]) -> None:
        """Raise ValueError unless there is one weight for each reward."""
        if len(weights) != self.rewards:
            raise ValueError(f"Give {self.rewards} weights, one for each reward of the scorer, not {tuple(weights)}.")


def steering(model: LanguageModel, scorer: Scorer | None, base: LanguageModel | None = None) -> Steering:
    """How `scorer` steers `model`: by a second pass through `base` if that is given and another model.

    Without `base` the scorer reads the model's own states, which must be those of its base or of that base under an
    adapter. Raises ValueError on another base, tokenizer or width.
    """
    if scorer is None:
        return Steering()
    reads = base or model
    if _stem(reads.sha256) != _stem(scorer.sha256):
        raise ValueError(
            f"The scorer reads the states of another model than {reads.name}; give the one it was trained on as base."
        )
    if base is not None and base.tokenizer.get_vocab() != model.tokenizer.get_vocab():
        raise ValueError(
            f"{base.name} and {model.name} have different tokenizers, so no scorer of one can steer the other."
        )
    rewards = _rewards(scorer, reads, model)
    return Steering(scorer, rewards, None if base is None or base.sha256 == model.sha256 else base)


def _rewards(scorer: Scorer, reads: LanguageModel, model: LanguageModel) -> int:
    """How many rewards it values; one trial row says whether widths and vocabulary fit."""
    width = reads.network.get_input_embeddings().weight.shape[1]
    vocabulary = model.network.get_output_embeddings().weight.shape[0]
    state, token = torch.zeros(1, width, device=reads.device), torch.zeros(1, dtype=torch.int64, device=reads.device)
    with torch.no_grad():
        rewards = scorer.value_of(state, token).shape[1]
        found = scorer.weighted(state, torch.ones(1, rewards, device=reads.device)).shape[1]
    if found != vocabulary:
        raise ValueError(
            f"The scorer values {found} tokens but {model.name} has {vocabulary}; use one made for its tokenizer."
        )
    return int(rewards)


def _stem(sha256: str) -> str:
    """The base's part of a name that may go on with an adapter's."""
    return sha256.split("+")[0]
