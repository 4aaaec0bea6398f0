"""Train a prefix scorer on cached steps; a run that was killed goes on where it stopped and ends with the same bits."""

import copy
import hashlib
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from empirical.prefix_features import Steps
from empirical.prefix_scorers import PrefixScorer
from empirical.prefix_targets import Method, prefix_loss, targets
from empirical.scorer_config import ScorerError
from empirical.training import SAVE_EVERY, checkpoint, warm_then_decay, write_checkpoint

TOKENS = 8192  # steps valued at once outside training: their queries take 2 MB a reward at rank 32


@dataclass(frozen=True)
class Recipe:
    """How a scorer is trained. target_every: steps after which CD-Q's target becomes a copy of the scorer as it is;
    0: the target is the scorer itself, without gradient.

    Defaults are not tuned.
    """

    method: Method
    steps: int = 3000
    batch: int = 1024
    learning_rate: float = 5e-4
    target_every: int = 0
    check_every: int = 50
    seed: int = 0


def fit(
    scorer: PrefixScorer, train: Steps, check: Steps, recipe: Recipe, folder: Path, on_policy: bool = True
) -> list[dict[str, float]]:
    """Train by Adam (clipped at norm 1, linear warm-up and decay), leave the weights of least `check` loss; the curve.

    check: texts of other prompts, drawn by the base; on_policy: whether the base drew those of `train` too. If not,
    CD-FUDGE is refused (ScorerError), as it would learn the values of the texts' own law.
    folder: where the checkpoint is kept; raises ScorerError if it is another run's.
    """
    if recipe.method is Method.FUDGE and not on_policy:
        raise ScorerError("CD-FUDGE learns the values of whatever law drew the texts: let the base draw, or use CD-Q.")
    run = {**asdict(recipe), "method": str(recipe.method), "about": asdict(scorer.about), "data": _digest(train, check)}
    standardise(scorer, train)
    scorer.requires_grad_(True)
    optimiser = torch.optim.Adam(scorer.parameters(), lr=recipe.learning_rate)
    state = _resume(folder / "checkpoint.pt", run) or {"done": 0, "curve": [], "best": None}
    held, saved = (copy.deepcopy(scorer) if recipe.target_every else scorer), time.monotonic()
    if state["done"]:
        scorer.load_state_dict(state["weights"])
        held.load_state_dict(state["held"])
        optimiser.load_state_dict(state["optimiser"])
    for number in range(state["done"], recipe.steps):
        if recipe.target_every and number % recipe.target_every == 0:
            held.load_state_dict(scorer.state_dict())
        batch = train.batch(_chosen(recipe, number, len(train)))
        aim = targets(recipe.method, batch, held)
        loss = prefix_loss(scorer.value_of(batch.states, batch.tokens), aim, scorer.reward_scale)
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * warm_then_decay(number, recipe.steps)
        optimiser.zero_grad()
        loss.backward()
        # States have heavy tails: without a bound one batch throws CD-Q's own targets off for a hundred steps.
        torch.nn.utils.clip_grad_norm_(scorer.parameters(), 1.0)
        optimiser.step()
        last = number + 1 == recipe.steps
        if last or (number + 1) % recipe.check_every == 0:
            found = float((monte_carlo_loss(scorer, check) / scorer.reward_scale**2).sum())
            state["curve"].append({"step": number + 1, "loss": float(loss.detach()), "check": found})
            if found <= min(row["check"] for row in state["curve"]):
                state["best"] = copy.deepcopy(scorer.state_dict())
        if last or time.monotonic() - saved > SAVE_EVERY:
            weights = {"weights": scorer.state_dict(), "held": held.state_dict(), "optimiser": optimiser.state_dict()}
            write_checkpoint(folder / "checkpoint.pt", {**state, **weights, "done": number + 1, "run": run})
            saved = time.monotonic()
    scorer.load_state_dict(state["best"])
    scorer.requires_grad_(False)
    return list(state["curve"])


def standardise(scorer: PrefixScorer, steps: Steps) -> None:
    """Set the means and scales by which the scorer reads states and tokens and gives rewards: those of some steps."""
    seen = {"state": steps.states, "reward": steps.reward}
    if scorer.key is not None:
        seen["token"] = scorer.token_features(steps.tokens)
    for name, figures in seen.items():
        scale = figures.double().std(dim=0, correction=0)
        getattr(scorer, f"{name}_mean").copy_(figures.double().mean(dim=0))
        # What does not vary is left in its unit.
        getattr(scorer, f"{name}_scale").copy_(torch.where(scale > 1e-6, scale, 1.0))


@torch.no_grad()
def values_along(scorer: PrefixScorer, steps: Steps) -> Tensor:
    """Q of every token that was taken, [tokens, rewards]."""
    parts = zip(steps.states.split(TOKENS), steps.tokens.split(TOKENS), strict=True)
    return torch.cat([scorer.value_of(states, tokens) for states, tokens in parts])


def monte_carlo_loss(scorer: PrefixScorer, steps: Steps) -> Tensor:
    """Half the mean square of Q - r(x, y) over the steps, [rewards]: comparable between the methods.

    On the base's own texts its mean is that of (Q - V*)^2 / 2 plus half of what no scorer can know, E Var(r | prefix).
    """
    return (values_along(scorer, steps) - steps.reward).double().square().mean(dim=0) / 2


def _digest(*data: Steps) -> str:
    """A hash of which texts were learnt from, and of their rewards."""
    parts = (tensor.numpy().tobytes() for steps in data for tensor in (steps.tokens, steps.prompt, steps.reward))
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _chosen(recipe: Recipe, number: int, size: int) -> Tensor:
    """The steps of one batch: they depend on the seed and the number of the batch and on nothing before it."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([recipe.seed, number])))
    return torch.from_numpy(rng.integers(size, size=recipe.batch))


def _resume(path: Path, run: dict[str, object]) -> dict[str, object] | None:
    if not path.is_file():
        return None
    state = checkpoint(path)
    if state["run"] != run:
        raise ScorerError(f"{path.parent} holds the checkpoint of another run; remove it or name another folder.")
    return dict(state)
