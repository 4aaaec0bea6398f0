"""Dynamic against static temperature, equally diverse (or equally close to P_G) to the last digit in every world.

Both rules are pi ~ p e^(s log p): the dynamic one chooses s = 2^(x / sigma) - 1 at each step from x = KL(P_G || P_G^-),
the static one has one s = 1/T - 1 a world, found as a root.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
import pandas as pd
from scipy.optimize.elementwise import find_root

from theory.arrays import shaped
from theory.classifier_readings import base_guided
from theory.guidance import gibbs, kl_guided_temperature
from theory.information import entropy, kl
from theory.language_models import Floats, Tree
from toy.evidence import DEPTH, World, even, mean_and_interval, measures, mixture, two_prompts

Dynamic: TypeAlias = Callable[[World, float], Tree]
"""(world, sigma in nats) -> the policy."""
Measure: TypeAlias = Callable[[Floats, Floats], Floats]
"""(log pi(y), log p(y)), [B, M] each -> [B]."""

SIGMAS = (0.1, 0.3, 1.0)
"""Nats; the KL of a relevant step is some tenths."""
COLD, WARM = (0.005, 1.0), (1.0, 2.0)
MATCHED: dict[str, tuple[Measure, tuple[tuple[float, float], ...]]] = {
    "entropy": (lambda log_pi, _: np.asarray(entropy(log_pi)), (COLD, WARM)),
    "kl": (lambda log_pi, log_p: np.asarray(kl(log_pi, log_p)), (COLD,)),
}
"""What is made equal, and the static temperatures among which the equal one is sought, in this order. A dynamic one can
raise the entropy of a string, by leading to prefixes with much to say; the KL would rise on both sides of T = 1."""


def kl_guided(world: World, sigma: float) -> Tree:
    """Theorem 3.3 at every step, T = 2^(-x / sigma), x = KL(P_G || P_G^-). Raises ValueError unless 0 < sigma < inf."""
    return Tree(kl_guided_temperature(world.prior.log_steps, world.without.log_steps, sigma))


def grader_guided(world: World, sigma: float) -> Tree:
    """The same with the classifier's measure of relevance, x = KL(P_G(. | s, r = 1) || P_G(. | s)).

    r = 1 has probability p(e | y). Chang et al., section 5, say that such a weight is valid too; what they print is no
    divergence. Raises ValueError unless 0 < sigma < inf.
    """
    if not 0 < sigma < np.inf:
        raise ValueError(f"sigma must be a positive number of nats, not {sigma}.")
    prior = world.prior.log_steps
    x = kl(base_guided(world.prior, world.log_posterior, 1.0).log_steps, prior)
    # Past 2^100 a power law is greedy in every float64.
    return Tree(gibbs(prior, _along(prior, 2.0 ** np.minimum(x / sigma, 100.0) - 1)))


FAMILIES: dict[str, tuple[Callable[[np.random.Generator, int], World], Dynamic]] = {
    "evidence at 2 of 4 steps": (mixture, kl_guided),
    "evidence at 1 of 4 steps": (partial(mixture, relevant_steps=1), kl_guided),
    "evidence at all steps": (partial(mixture, relevant_steps=DEPTH), kl_guided),
    "2 of 4 steps, two prompts": (two_prompts, kl_guided),
    "2 of 4 steps, classifier's KL": (mixture, grader_guided),
    "all steps equally (control)": (even, kl_guided),
}
"""Random worlds, and the temperature that follows the evidence."""


def tilted(tree: Tree, u: Floats, strength: Floats) -> Tree:
    """pi(a | s) ~ p(a | s) e^(strength u(s, a)), one strength a world: u [B, M, V], strength [B].

    With u = log p and s = 1/T - 1 it is temperature T, with u = log p / p^- classifier-free guidance.
    Raises ValueError on other shapes, and as `theory.guidance.gibbs`.
    """
    _of_worlds(tree, u, strength, "strength")
    return Tree(gibbs(tree.log_steps, _along(u, strength[:, None])))


def matching(
    tree: Tree, u: Floats, measure: Measure, target: Floats, brackets: Sequence[tuple[float, float]] = (COLD,)
) -> Floats:
    """The strength s of each world at which the tilted tree measures `target`, [B]; NaN if none is found.

    It is sought where 1 / (1 + s), the temperature if u = log p, lies in the first bracket, then in the next.
    Raises ValueError on other shapes.
    """
    _of_worlds(tree, u, target, "target")
    log_steps, log_anchor = tree.log_steps, tree.log_prob

    def excess(softness: Floats, world: Floats) -> Floats:
        rows = world.astype(int)
        policy = Tree(gibbs(log_steps[rows], _along(u[rows], 1 / softness[:, None] - 1)))
        return np.asarray(measure(policy.log_prob, log_anchor[rows]) - target[rows])

    strength = np.full(len(target), np.nan)
    for coldest, warmest in brackets:
        left = np.flatnonzero(np.isnan(strength)).astype(float)
        if left.size:
            ends = np.full(left.size, coldest), np.full(left.size, warmest)
            found = find_root(excess, ends, args=(left,))
            strength[left.astype(int)] = np.where(found.success, 1 / found.x - 1, np.nan)
    return strength


def compare(world: World, dynamic: Tree, matched: str) -> tuple[dict[str, Floats], Floats, Floats]:
    """A dynamic temperature minus the static one of equal entropy (or KL): each measure [K], the residual of the match
    [K], nats, and the static temperatures [K]; K worlds in which an equal static one exists.

    Raises ValueError on another measure, or where the dynamic policy is of other worlds.
    """
    if matched not in MATCHED:
        raise ValueError(f"what is matched must be one of {list(MATCHED)}, not {matched!r}.")
    prior, (measure, brackets) = world.prior, MATCHED[matched]
    shaped(dynamic.log_steps, prior.log_steps.shape, "the dynamic policy")
    target = measure(dynamic.log_prob, prior.log_prob)
    strength = matching(prior, prior.log_steps, measure, target, brackets)
    kept = np.isfinite(strength)
    some = World(Tree(world.given.log_steps[kept]), Tree(world.without.log_steps[kept]), world.relevant[kept])
    static = tilted(some.prior, some.prior.log_steps, strength[kept])
    ours, theirs = measures(Tree(dynamic.log_steps[kept]), some), measures(static, some)
    residual = np.abs(measure(static.log_prob, some.prior.log_prob) - target[kept])
    return {name: ours[name] - theirs[name] for name in ours}, residual, 1 / (1 + strength[kept])


def comparison(seed: int, worlds: int) -> pd.DataFrame:
    """Dynamic minus static over random worlds, by family, sigma (nats) and what was matched.

    Columns family, sigma, matched, quantity, value, low, high: the mean difference (nats; `posterior`: a probability)
    and its 95 % interval; share, the part of the worlds in which it is positive by more than 1e-9; worlds, how many
    had a match; residual, the worst mismatch (nats); temperature, the mean static one.
    Raises ValueError where fewer than two worlds have a match.
    """
    rows = []
    for number, (family, (make, rule)) in enumerate(FAMILIES.items()):
        world = make(np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 10 + number]))), worlds)
        for sigma in SIGMAS:
            dynamic = rule(world, sigma)
            for matched in MATCHED:
                differences, residual, static = compare(world, dynamic, matched)
                shared = (static.size, float(residual.max()), float(static.mean()))
                for quantity, values in differences.items():
                    share = float(np.mean(values > 1e-9))  # 1e-9: far above the mismatch, far below any effect
                    rows.append((family, sigma, matched, quantity, *mean_and_interval(values), share, *shared))
    names = ["family", "sigma", "matched", "quantity", "value", "low", "high", "share", "worlds", "residual"]
    return pd.DataFrame(rows, columns=[*names, "temperature"])


def _of_worlds(tree: Tree, u: Floats, each: Floats, name: str) -> None:
    batch = shaped(tree.log_steps, (None, None, None), "the tree").shape
    shaped(u, batch, "u")
    shaped(each, batch[:1], name)


def _along(u: Floats, strength: Floats) -> Floats:
    """strength u, 0 at the tokens that u rules out, as p does: u [B, M, V], strength [B, M] or [B, 1]."""
    return np.asarray(strength[..., None] * np.where(np.isneginf(u), 0.0, u))
