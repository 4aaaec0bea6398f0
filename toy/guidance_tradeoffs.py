"""The trade-offs of guided decoding where all is known: sensibleness, diversity and attribution along each rule's dial.

Chang et al. name a term of the objective for each property; here the properties themselves are summed over all strings.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

from theory.adaptors import temperature
from theory.classifier_readings import base_guided, literal_optimum, self_consistent
from theory.guidance import classifier_free_guidance, greedy
from theory.language_models import Floats, Tree, adapted
from toy.anti_attribution import phases
from toy.dynamic_temperature import comparison, kl_guided
from toy.evidence import World, mean_and_interval, measures, mixture, two_prompts

Rule: TypeAlias = Callable[[World, float], Tree]

LAMBDAS = (0.0, 0.125, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
SIGNED = (-1.0, -0.75, -0.5, -0.25, *LAMBDAS)
TEMPERATURES = (0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0)
SIGMAS = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 20.0)
WORLDS = 200
FAMILIES = {"mixture": mixture, "two prompts": two_prompts}


def tempered(world: World, T: float) -> Tree:  # noqa: N803 (the field's symbol)
    """Theorem 3.4 at every step. Raises ValueError unless 0 < T < inf."""
    return adapted(world.prior, temperature(T)).local


def classifier_free(world: World, lam: float) -> Tree:
    """Theorem 3.2 at every step; at lambda = -1 it is the model without the evidence. Raises ValueError as the rule."""
    return Tree(classifier_free_guidance(world.prior.log_steps, world.without.log_steps, lam))


def classifier_base(world: World, lam: float) -> Tree:
    """Theorem 3.1 with the grader p(e | y) and success under P_G's own continuations."""
    return base_guided(world.prior, world.log_posterior, lam)


def classifier_self(world: World, lam: float) -> Tree:
    """Theorem 3.1's formula as a fixed point: success under the policy's own continuations."""
    return self_consistent(world.prior, world.log_posterior, lam)


def classifier_literal(world: World, lam: float) -> Tree:
    """The maximiser of Theorem 3.1's objective as printed, at every step."""
    return literal_optimum(world.prior, world.log_posterior, lam)


def most_probable(world: World, _: float = 0.0) -> Tree:
    """Theorem 3.5 at every step."""
    return Tree(greedy(world.prior.log_steps))


CURVES: dict[str, tuple[str, tuple[float, ...], Rule]] = {
    "classifier, base values": ("lambda", LAMBDAS, classifier_base),
    "classifier, self-consistent": ("lambda", LAMBDAS, classifier_self),
    "classifier, literal": ("lambda", LAMBDAS, classifier_literal),
    "classifier-free": ("lambda", SIGNED, classifier_free),
    "KL-guided temperature": ("sigma", SIGMAS, kl_guided),
    "temperature": ("T", TEMPERATURES, tempered),
    "greedy": ("", (0.0,), most_probable),
}
"""rule -> the name of its dial, the settings drawn, the policy."""


def changes(world: World, rule: Rule, setting: float) -> dict[str, Floats]:
    """What the rule changes of each measure against P_G, [B] each; `kl`, 0 at P_G, is itself the change."""
    anchor = measures(world.prior, world)
    return {name: found - anchor[name] for name, found in measures(rule(world, setting), world).items()}


def curves(seed: int, worlds: int, every: int = 1) -> pd.DataFrame:
    """Each rule along its dial, means over random worlds; `every`: draw each every-th setting only.

    Columns family, rule, dial, setting, quantity, value, low, high: the mean change against P_G (nats; `posterior`: a
    probability), exact in each world, and its 95 % interval over the worlds; the same worlds for every rule.
    Raises ValueError unless worlds >= 2 and every >= 1.
    """
    if every < 1:
        raise ValueError(f"each every-th setting is drawn, and {every} is below 1.")
    rows = [row for number, family in enumerate(FAMILIES) for row in _curves(family, [seed, number], worlds, every)]
    return pd.DataFrame(rows, columns=["family", "rule", "dial", "setting", "quantity", "value", "low", "high"])


def _curves(family: str, key: Sequence[int], worlds: int, every: int) -> Iterator[tuple[object, ...]]:
    world = FAMILIES[family](np.random.Generator(np.random.Philox(np.random.SeedSequence(key))), worlds)
    for rule, (dial, settings, policy) in CURVES.items():
        for setting in settings[::every]:
            for quantity, change in changes(world, policy, setting).items():
                yield family, rule, dial, setting, quantity, *mean_and_interval(change)


def run(seed: int, small: bool = False) -> dict[str, pd.DataFrame]:
    """The tables of the evidence worlds; small: few worlds and settings, for tests.

    - toy_evidence_curves: see `curves`.
    - toy_evidence_dynamic: see `toy.dynamic_temperature.comparison`.
    - toy_evidence_phase: see `toy.anti_attribution.phases`.
    """
    return {
        "toy_evidence_curves": curves(seed, 5 if small else WORLDS, 7 if small else 1),
        "toy_evidence_dynamic": comparison(seed, 12 if small else 300),
        "toy_evidence_phase": phases(6 if small else 60),
    }
