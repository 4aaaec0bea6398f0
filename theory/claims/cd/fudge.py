"""CD-FUDGE: regressing on the reward of one continuation has, on average, the gradient of regressing on V*."""

from dataclasses import dataclass

import numpy as np

from theory.arrays import Array
from theory.claims.optimality import ROUNDING
from theory.claims.trees import BATCH, enumerated, given_prefix, passing, random_world
from theory.language_models import Floats, Tree
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.prefix_scorers import prefix_loss
from theory.values import hard_values

FEATURES = 3


@dataclass(frozen=True, eq=False)
class Regression:
    """A prefix scorer V_theta = sin <theta, phi>, which is not linear in theta, and the strings it is trained on.

    law, reward: [B, M]; inner: [B, M, d], features of the prefixes; ends: [B, M, d], those of the complete strings.
    The loss sums over t = 1 .. |y|: the empty prefix is never trained, and y^|y| is y with its EOS.
    """

    law: Floats
    reward: Floats
    inner: Floats
    ends: Floats

    def loss(self, theta: Array, targets: Array) -> Array:
        """E_y (1/2) sum_t (V_theta(y^t) - target)^2, the EOS step aiming at r.

        theta: [B, d]; targets: [B, M strings, 1] or [B, 1, M prefixes]. Returns [B].
        """
        aims = np.broadcast_to(targets, (*self.law.shape, self.law.shape[-1]))
        inner, at_end = (np.sin(features @ theta[..., None])[..., 0] for features in (self.inner, self.ends))
        before = prefix_loss(inner[:, None, 1:], passing()[:, 1:], aims[..., 1:])
        return np.sum(self.law * (before + (at_end - self.reward) ** 2 / 2), axis=-1)

    def slope(self, theta: Array, direction: Array, targets: Array) -> Array:
        """The directional derivative of the loss by a complex step: it owes nothing to a formula for the gradient."""
        step = 1e-30
        return np.imag(self.loss(theta + 1j * step * direction, targets)) / step


def regression(rng: np.random.Generator, tree: Tree, reward: Floats) -> Regression:
    """Random features for the strings of `tree`."""
    inner, ends = rng.normal(size=(2, *reward.shape, FEATURES))
    return Regression(np.exp(tree.log_prob), reward, inner, ends)


@claim(
    "cd.lemC.1",
    paper="cd",
    where="Lemma C.1",
    kind="lemma",
    statement="E_y ∇L_F = ∇L*: regressing V_θ(y^t) on the reward of the whole y has on average the gradient of "
    "regressing on V*(y^t). The losses differ by ½ E Σ_t Var_p(r|y^t), which θ does not move.",
    verdict="holds-with-assumption",
    assumptions="y is drawn from p itself (on-policy); V_θ is differentiable and Σ_t (r² + V_θ² + ‖∇V_θ‖²) integrable.",
)
def unbiased(rng: np.random.Generator) -> Evidence:
    """Scorers at random θ, all strings enumerated; off-policy data as control."""
    tree, reward = random_world(rng, -1.0, 1.0)
    fit = regression(rng, tree, reward)
    theta, direction = rng.normal(size=(2, BATCH, FEATURES))
    aim, sampled = hard_values(tree, reward).state[:, None], reward[..., None]
    gaps = np.abs(fit.slope(theta, direction, sampled) - fit.slope(theta, direction, aim))
    # Sums of some ten squares of at most 1e2, in double precision.
    yield at_most("E ∇L_F = ∇L*", oracle="complex step", residuals=gaps, tolerance=1e-11)
    variance = given_prefix(fit.law, reward**2) - given_prefix(fit.law, reward) ** 2
    spread = np.sum(fit.law * (variance[:, 1:] @ passing()[:, 1:].T), axis=-1) / 2
    gaps = np.abs(fit.loss(theta, sampled) - fit.loss(theta, aim) - spread)
    yield at_most("E L_F − L* = ½ E Σ Var(r|y^t)", oracle="enumeration", residuals=gaps, tolerance=1e-11)
    yield rejects("E L_F = L*", at_most("", oracle="", residuals=spread, tolerance=1e-3))
    other, _ = random_world(rng, 0.0, 1.0)
    off = Regression(np.exp(other.log_prob), reward, fit.inner, fit.ends)
    gaps = np.abs(off.slope(theta, direction, sampled) - off.slope(theta, direction, aim))
    yield rejects("the same off-policy", at_most("", oracle="", residuals=gaps, tolerance=1e-3))


@claim(
    "cd.eq16",
    paper="cd",
    where="Equation 16, in the proof of Lemma C.1",
    kind="equation",
    statement="Printed: (V_θ − r)² is expanded with the middle term −2 V_θ² r; at V_θ = 2, r = 1 that makes −3 of 1. "
    "Corrected: −2 V_θ r, as the next line, equation 17, has it.",
    verdict="erratum",
)
def square(rng: np.random.Generator) -> Evidence:
    """The loss of equation 15 against both expansions, scorers in [2, 3] and rewards in [1/2, 1]."""
    tree, reward = random_world(rng, 0.5, 1.0)
    score = rng.uniform(2, 3, size=reward.shape)
    law, through = np.exp(tree.log_prob), passing()
    V, r = score[:, None, :], reward[..., None]  # noqa: N806

    def mean(summand: Floats) -> Floats:
        return np.asarray(np.sum(law * np.sum(through * summand, axis=-1), axis=-1) / 2)

    left = mean((V - r) ** 2)
    printed, corrected = mean(V**2 - 2 * V**2 * r + r**2), mean(V**2 - 2 * V * r + r**2)
    # Each string has a prefix, which adds (1/2) 2 V r (V - 1) >= 1.
    yield at_least("printed: the two sides differ", oracle="equation 15", margins=left - printed, tolerance=1.0)
    yield rejects("the printed expansion", at_most("", oracle="", residuals=left - printed, tolerance=1e-3))
    gaps = np.abs(left - corrected)
    yield at_most("corrected: −2 V r", oracle="equation 15", residuals=gaps, tolerance=ROUNDING)
    yield rejects("−V r", at_most("", oracle="", residuals=mean(V * r), tolerance=1e-3))


@claim(
    "cd.eq20",
    paper="cd",
    where="Equation 20, in the proof of Lemma C.1",
    kind="equation",
    statement="Printed: E[r | y^t] in equation 19 becomes V*([x, y]), which is r itself: the step takes back the "
    "conditional expectation. Corrected: it is V*([x, y^t]), the target of L*. The expectations of both right-hand "
    "sides are nevertheless equal, so the lemma stands.",
    verdict="erratum",
)
def target(rng: np.random.Generator) -> Evidence:
    """Term by term over the strings and their proper prefixes; then the expectations."""
    tree, reward = random_world(rng, -1.0, 1.0)
    law, through = np.exp(tree.log_prob), passing()
    mean = given_prefix(law, reward)  # the inner expectation of equation 19
    apart = np.max(through[:, 1:] * np.abs(mean[:, None, 1:] - reward[..., None]), axis=(-1, -2))
    yield at_least("printed: E[r|y^t] is not V*([x, y])", oracle="enumeration", margins=apart, tolerance=0.02)
    yield rejects("V*([x, y]) term by term", at_most("", oracle="", residuals=apart, tolerance=1e-3))
    found = hard_values(tree, reward).state
    gaps = np.abs(mean - found).ravel()
    yield at_most("corrected: it is V*([x, y^t])", oracle="enumeration", residuals=gaps, tolerance=ROUNDING)
    score = rng.normal(size=reward.shape)[:, None]
    sums = [
        np.sum(law * np.sum(through * score * aim, axis=-1), axis=-1) for aim in (reward[..., None], found[:, None])
    ]
    gaps = np.abs(sums[0] - sums[1])
    yield at_most("corrected: equal expectations", oracle="total expectation", residuals=gaps, tolerance=ROUNDING)
    other, _ = random_world(rng, 0.0, 1.0)
    gaps = np.abs(enumerated(np.exp(other.log_prob), reward).state - found).ravel()
    yield rejects("continuations of another model", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
