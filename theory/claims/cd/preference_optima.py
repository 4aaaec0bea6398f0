"""What PPO, DPO and IPO aim at on a finite set of answers: one optimum, two, or none, depending on the labels."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from theory.certificates import duality_gap
from theory.claims.optimality import BFGS_L1, FLOOR, MILD, ROUNDING, simplex
from theory.guidance import gibbs
from theory.information import kl
from theory.language_models import Floats
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.preference_optima import (
    dpo_log_ratio,
    gradient,
    rl_optimum,
    winner_at_least,
)
from theory.preferences import bradley_terry, by_reward, components, dpo_loss, dpo_slope, independent, margins
from theory.solvers import maximise_logits

WORLDS, ANSWERS = 1000, 6


def comparison_law(rng: np.random.Generator, log_p: Floats, connected: bool = True) -> Floats:
    """Symmetric weights of pairs, half of them 0, none between the two halves unless connected: [B, M, M]."""
    size = log_p.shape[-1]
    weights = rng.uniform(0.2, 1, size=(len(log_p), size, size)) * (rng.random((len(log_p), size, size)) < 0.5)
    step = np.arange(size - 1)
    weights[:, step, step + 1] += 0.2  # a chain through all answers
    if not connected:
        side = np.arange(size) < size // 2
        weights *= side[:, None] == side
    weights = weights + weights.swapaxes(-1, -2)
    return np.asarray(weights / weights.sum(axis=(-1, -2), keepdims=True))


def centred(h: Floats, among: NDArray[np.bool_]) -> Floats:
    """h less its mean in each component."""
    return np.asarray(h - (among @ h[..., None])[..., 0] / among.sum(axis=-1))


def average(pairs: Floats, x: Floats) -> Floats:
    """sum_(y, y') w(y, y') x(y, y'): [..., M, M] -> [...]."""
    return np.asarray(np.sum(pairs * x, axis=(-1, -2)))


def divergence_of_coins(a: Floats, logit: Floats) -> Floats:
    """KL(Bernoulli(a) || Bernoulli(sigmoid(logit))), a inside (0, 1)."""
    return np.asarray(a * np.log(a / expit(logit)) + (1 - a) * np.log((1 - a) / expit(-logit)))


def climbed(log_p: Floats, pairs: Floats, preference: Floats, loss: partial[Floats]) -> Floats:
    """The policies of least mean loss by BFGS on their logits, from p: [..., M] -> [..., M]."""
    return np.asarray(maximise_logits(lambda pi: -average(pairs, loss(margins(pi - log_p), preference)), log_p))


@claim(
    "new.preference-optima",
    paper="cd",
    where="Section 4.3, the baselines PPO and DPO",
    kind="new result",
    statement="If y beats y' with probability σ(r − r'), DPO's mean loss exceeds its minimum by Σ w KL(σ(Δr)‖σ(βΔh)), "
    "so that its minimiser is p e^(r/β)/Z, that of KL-regularised RL and so PPO's, for every comparison law w that "
    "connects the answers, on-line or not. Where w falls into components, a constant on each is free: p e^(r/β)/Z is "
    "then one minimiser among others.",
    verdict="holds-with-assumption",
    assumptions="Bradley-Terry labels, and a comparison law that connects all answers.",
)
def same_optimum(rng: np.random.Generator) -> Evidence:
    """Random comparison laws; the identity for the excess loss; Newton's method; BFGS; laws that fall apart."""
    log_p, reward = simplex(rng, WORLDS, ANSWERS, 1e-3), rng.uniform(-1, 1, size=(WORLDS, ANSWERS))
    preferred, pairs = bradley_terry(reward), comparison_law(rng, log_p)
    apart, h = comparison_law(rng, log_p, connected=False), rng.normal(size=reward.shape)
    for beta in MILD:
        best = reward / beta
        missed = average(pairs, dpo_loss(margins(h), preferred, beta) - dpo_loss(margins(best), preferred, beta))
        gaps = np.abs(missed - average(pairs, divergence_of_coins(preferred, beta * margins(h))))
        name = f"excess loss = Σ w KL of labels, β = {beta:g}"
        yield at_most(name, oracle="random policies", residuals=gaps, tolerance=ROUNDING)
        found = dpo_log_ratio(pairs, preferred, beta)
        # Edges weigh 1e-2 or more, so that the Laplacian divides rounding of 1e-16 / β by some 1e-4.
        near = partial(at_most, tolerance=1e-10)
        gaps = np.abs(found - centred(best, components(pairs))).ravel()
        yield near(f"log-ratio r/β, β = {beta:g}", oracle="Newton's method", residuals=gaps)
        gaps = duality_gap(gibbs(log_p, found), log_p, best)
        yield near(f"no duality gap in RL, β = {beta:g}", oracle="Lagrange dual", residuals=np.abs(gaps))
        found = dpo_log_ratio(apart, preferred, beta)
        gaps = np.abs(found - centred(best, components(apart))).ravel()
        yield near(f"apart: r/β up to constants, β = {beta:g}", oracle="Newton's method", residuals=gaps)
    slope = gradient(best, independent(rl_optimum(log_p, reward, beta)), preferred, beta, dpo_slope)
    yield at_most(
        "on-line pairs: still at the optimum", oracle="gradient", residuals=np.abs(slope).ravel(), tolerance=1e-12
    )
    gaps = np.abs(gradient(best, pairs, bradley_terry(2 * reward), beta, dpo_slope)).ravel()
    yield rejects("labels from σ(2(r − r'))", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    shifted = best + (np.arange(ANSWERS) < ANSWERS // 2)
    gaps = average(apart, dpo_loss(margins(shifted), preferred, beta) - dpo_loss(margins(best), preferred, beta))
    yield at_most("apart: a shifted half loses nothing", oracle="loss", residuals=np.abs(gaps), tolerance=ROUNDING)
    moved = kl(gibbs(log_p, shifted), rl_optimum(log_p, reward, beta))
    yield at_least("though it is another policy (nats)", oracle="KL", margins=moved, tolerance=1e-6)
    gaps = average(pairs, dpo_loss(margins(shifted), preferred, beta) - dpo_loss(margins(best), preferred, beta))
    yield rejects("a shifted half where pairs connect", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    small = simplex(rng, WORLDS, 4, FLOOR)
    even, rewards = np.full((4, 4), 1 / 16), rng.uniform(-1, 1, size=(WORLDS, 4))
    found = climbed(small, even, bradley_terry(rewards), partial(dpo_loss, beta=1.0))
    gaps = np.abs(np.exp(found) - np.exp(rl_optimum(small, rewards, 1.0))).sum(axis=-1)
    yield at_most("argmin over policies (L1)", oracle="SciPy BFGS", residuals=gaps, tolerance=BFGS_L1)


@claim(
    "new.dpo-certain-labels",
    paper="cd",
    where="Section 4.3, on-line DPO on explicit rewards",
    kind="new result",
    statement="Where the higher reward wins for sure, DPO has no optimum: a mean loss within ε of its infimum forces "
    "h(best) − h(y) ≥ −log(e^(ε/2w) − 1)/β for each y of lower reward, so that all mass goes to the best answers as "
    "ε → 0, whatever β, which regularises only a training that stops early.",
    verdict="holds",
)
def certain(rng: np.random.Generator) -> Evidence:
    """Random policies against the bound, two answers for its equality, and the limit."""
    log_p = simplex(rng, WORLDS, ANSWERS, 1e-3)
    reward = np.sort(rng.uniform(-1, 1, size=(WORLDS, ANSWERS)), axis=-1)  # the last answer is the best
    preferred, pairs = by_reward(reward), independent(simplex(rng, WORLDS, ANSWERS, 0.02))
    floor = np.trace(pairs, axis1=-2, axis2=-1) * np.log(2)  # a pair of twins is a fair coin
    best = ANSWERS - 1
    for beta in MILD:
        h = rng.uniform(0, 20) / beta * reward + rng.normal(size=reward.shape)
        excess = average(pairs, dpo_loss(margins(h), preferred, beta)) - floor
        slack = np.exp(gibbs(log_p, h)[:, best]) - winner_at_least(log_p, excess, pairs, best, beta)
        name = f"mass of the best answer ≥ the bound, β = {beta:g}"
        yield at_least(name, oracle="random policies", margins=slack, tolerance=-ROUNDING)
        certain = winner_at_least(log_p, np.full(WORLDS, 1e-14), pairs, best, beta)
        # w >= 4e-4 forces a margin of log(8e-4 / 1e-14) / 2 = 12.5 nats or more, against p(winner) >= 1e-3.
        yield at_least(f"loss within 1e-14, β = {beta:g}", oracle="bound", margins=certain, tolerance=0.99)
        two, even = log_p[:, :2] - np.logaddexp(log_p[:, :1], log_p[:, 1:2]), np.full((WORLDS, 2, 2), 0.25)
        excess = average(even, dpo_loss(margins(h[:, :2]), by_reward(reward[:, :2]), beta)) - np.log(2) / 2
        mass = np.exp(gibbs(two, h[:, :2])[:, 1])
        equal = partial(at_most, oracle="two answers", tolerance=1e-9)  # excess - log 2 / 2 cancels 7 digits at most
        gaps = np.abs(mass - winner_at_least(two, excess, even, 1, beta))
        yield equal(f"equality for two answers, β = {beta:g}", residuals=gaps)
    yield rejects(
        "2β in the bound", equal("", residuals=np.abs(mass - winner_at_least(two, excess, even, 1, 2 * beta)))
    )
    slope = gradient(h, pairs, preferred, beta, dpo_slope)[:, best]
    yield at_most("the best answer is always pushed up", oracle="gradient", residuals=slope, tolerance=0.0)
    slope = gradient(reward / beta, pairs, bradley_terry(reward), beta, dpo_slope)[:, best]
    yield rejects("with Bradley-Terry labels", at_most("", oracle="", residuals=slope, tolerance=-1e-12))
    kept = np.exp(rl_optimum(log_p, reward, beta)[:, best])
    yield rejects("p e^(r/β)/Z gives all to the best", at_least("", oracle="", margins=kept, tolerance=0.99))
