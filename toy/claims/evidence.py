"""What section 5 of Chang et al. says of the trade-offs, in worlds where each property is a sum over all strings.

The rule, fixed before the run: a sentence that a setting raises or lowers a property is reproduced iff the 95 %
interval of the mean change over the random worlds lies on the claimed side at every strength looked at; a sentence
about every policy or every world must hold in each to rounding.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from theory.claims.optimality import ROUNDING
from theory.claims.trees import apart
from theory.language_models import Floats
from theory.ledger import Check, Evidence, at_least, at_most, claim, rejects
from toy.dynamic_temperature import kl_guided
from toy.evidence import World, mean_and_interval, measures, mixture
from toy.guidance_tradeoffs import (
    Rule,
    changes,
    classifier_base,
    classifier_free,
    classifier_literal,
    classifier_self,
    most_probable,
    tempered,
)

WORLDS = 1000
STRENGTHS = (0.5, 1.0, 2.0, 4.0)


@claim(
    "chang.toy.anchor",
    paper="chang",
    where="Section 5, first item",
    kind="experiment",
    statement="P_G is the anchor of all three properties: each rule at its neutral setting (λ = 0, T = 1, or evidence "
    "that matters nowhere, whatever σ) is P_G itself.",
    verdict="reproduced",
)
def anchor(rng: np.random.Generator) -> Evidence:
    """Every string of every world."""
    world, free = mixture(rng, WORLDS), mixture(rng, WORLDS, 0)
    rules = (classifier_base, classifier_self, classifier_free, classifier_literal)
    gaps = [apart(rule(world, 0.0), world.prior) for rule in rules]
    gaps += [apart(tempered(world, 1.0), world.prior), apart(kl_guided(free, 0.1), free.prior)]
    yield at_most("neutral settings", oracle="P_G", residuals=np.concatenate(gaps), tolerance=ROUNDING)
    for name, policy in {"λ = 0.1": classifier_free(world, 0.1), "T = 1.1": tempered(world, 1.1)}.items():
        yield rejects(
            f"{name} as neutral", at_most("", oracle="", residuals=apart(policy, world.prior), tolerance=1e-3)
        )


@claim(
    "chang.toy.temperature",
    paper="chang",
    where="Section 1, on classical sampling; section 5, on Theorem 3.4",
    kind="experiment",
    statement="A higher temperature buys diversity with sensibleness and attribution, a lower one the reverse: from "
    "T = 1 to 2 entropy and surprisal under P_G rise and attribution falls, from 1 to .5 all three turn.",
    verdict="reproduced",
)
def classical(rng: np.random.Generator) -> Evidence:
    """Means over worlds."""
    world = mixture(rng, WORLDS)
    for T, sign in ((2.0, 1.0), (0.5, -1.0)):  # noqa: N806
        yield _moves(f"T = {T:g}", changes(world, tempered, T), sign)
    yield rejects("T = 2 as colder", _moves("", changes(world, tempered, 2.0), -1.0))


@claim(
    "chang.toy.tradeoff",
    paper="chang",
    where="Section 5, on Theorems 3.1 and 3.2",
    kind="experiment",
    statement="λ sets how far the policy drifts from P_G for attribution: from each of λ = 0, .5, 1, 2, 4 to the next, "
    "KL from P_G and E p(e|y) both rise and the entropy falls, on average over worlds.",
    verdict="reproduced",
)
def drift(rng: np.random.Generator) -> Evidence:
    """Consecutive settings in the same worlds."""
    world = mixture(rng, WORLDS)
    for name, rule in {"classifier, base values": classifier_base, "classifier-free": classifier_free}.items():
        yield _drifts(name, world, rule)
    yield rejects("temperature for attribution", _drifts("", world, lambda world, lam: tempered(world, 1 + lam)))


@claim(
    "chang.toy.greedy",
    paper="chang",
    where="Theorem 3.5 and section 5, the cross-entropy term",
    kind="experiment",
    statement="Greedy decoding, step by step the maximiser of −CE(π, P_G), would be so for whole strings as in dynamic "
    "programming. It is not: the objective has no future, and in at least 5 % of the worlds another string is more "
    "probable.",
    verdict="not-reproduced",
)
def myopic(rng: np.random.Generator) -> Evidence:
    """Greedy's string against the most probable one."""
    world = mixture(rng, WORLDS)
    best = world.prior.log_prob.max(axis=-1)
    short = best + measures(most_probable(world), world)["surprisal"]
    behind = short > 1e-9  # far above the rounding of a sum of five logarithms
    yield at_least(
        "worlds in which greedy misses", oracle="enumeration", margins=[float(behind.mean())], tolerance=0.05
    )
    yield at_most("no string beats the best", oracle="enumeration", residuals=-short, tolerance=ROUNDING)
    one_step = world.prior.log_steps[:, 0]
    missed = one_step.max(axis=-1) - np.max(one_step + most_probable(world).log_steps[:, 0], axis=-1)
    yield rejects("one step alone", at_least("", oracle="", margins=[float((missed > 1e-9).mean())], tolerance=0.05))


def _moves(name: str, change: dict[str, Floats], sign: float) -> Check:
    sides = {"entropy": sign, "surprisal": sign, "posterior": -sign, "information": -sign}
    margins = [mean_and_interval(side * change[key])[1] for key, side in sides.items()]
    return at_least(name, oracle="enumeration", margins=margins, tolerance=0.0)


def _drifts(name: str, world: World, rule: Rule) -> Check:
    def margins() -> Iterator[float]:
        settings = (0.0, *STRENGTHS)
        found = [changes(world, rule, lam) for lam in settings]
        for before, after in pairwise(found):
            for key, side in {"kl": 1, "posterior": 1, "entropy": -1}.items():
                yield mean_and_interval(side * (after[key] - before[key]))[1]

    return at_least(name, oracle="enumeration", margins=margins(), tolerance=0.0)
