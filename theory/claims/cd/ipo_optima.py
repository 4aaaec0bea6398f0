"""What IPO aims at, off-line and on-line, and by how much that differs from the optimum of KL-regularised RL."""

from functools import partial

import numpy as np

from theory.arrays import expectation
from theory.certificates import duality_gap
from theory.claims.cd.preference_optima import ANSWERS, WORLDS, average, climbed, comparison_law
from theory.claims.optimality import BFGS_L1, FLOOR, MILD, ROUNDING, simplex
from theory.guidance import gibbs
from theory.information import kl
from theory.language_models import Floats
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.preference_optima import (
    gradient,
    ipo_log_ratio,
    psi_optimum,
    rl_optimum,
    self_play_optimum,
)
from theory.preferences import bradley_terry, by_reward, independent, ipo_loss, ipo_slope, margins


def any_preference(rng: np.random.Generator, batch: int, size: int) -> Floats:
    """P(y, y') = 1 - P(y', y) at random, cycles and certain wins among them: [batch, size, size]."""
    drawn = np.clip(rng.uniform(-0.5, 1.5, size=(batch, size, size)), 0, 1)
    return np.asarray((drawn + 1 - drawn.swapaxes(-1, -2)) / 2)


def wins(preference: Floats, log_mu: Floats) -> Floats:
    """P(y beats mu): [..., M]."""
    return np.asarray(expectation(log_mu[..., None, :], preference))


@claim(
    "new.ipo-optimum",
    paper="cd",
    where="Section 4.3, the baseline IPO",
    kind="new result",
    statement="With pairs drawn from μ, IPO's minimiser is p e^(P(y ≻ μ)/τ)/Z, the maximiser of P(π ≻ μ) − τ KL(π‖p), "
    "for any preference P; for any comparison law w it solves Laplacian(w) h = Σ w (2P − 1)/(2τ), and the excess loss "
    "is Σ w (Δh − Δh*)². On-line, with pairs from π itself, it stands still at one policy only, π ~ p e^(P(y ≻ π)/τ), "
    "the equilibrium of the game in which both players pay τ KL to p.",
    verdict="holds",
)
def ipo(rng: np.random.Generator) -> Evidence:
    """Random preferences, cycles included; certificates, a linear solve, Newton's method, BFGS."""
    log_p, log_mu = simplex(rng, WORLDS, ANSWERS, 1e-3), simplex(rng, WORLDS, ANSWERS, 0.02)
    preferred, pairs = any_preference(rng, WORLDS, ANSWERS), comparison_law(rng, log_p)
    h = rng.normal(size=log_p.shape)
    for tau in MILD:
        aim = psi_optimum(log_p, preferred, log_mu, tau)
        # mu >= 0.02 and log-ratios up to 1 / tau = 10: the Laplacian divides rounding of 1e-15 by some 0.02.
        near = partial(at_most, tolerance=1e-11)
        found = gibbs(log_p, ipo_log_ratio(independent(log_mu), preferred, tau))
        name = f"pairs from μ: p e^(P(y ≻ μ)/τ), τ = {tau:g}"
        yield near(name, oracle="least squares", residuals=np.abs(np.exp(found) - np.exp(aim)).ravel())
        gaps = np.abs(duality_gap(found, log_p, wins(preferred, log_mu) / tau))
        yield near(f"no duality gap, τ = {tau:g}", oracle="Lagrange dual", residuals=gaps)
        best = ipo_log_ratio(pairs, preferred, tau)
        loss = average(pairs, ipo_loss(margins(h), preferred, tau) - ipo_loss(margins(best), preferred, tau))
        gaps = np.abs(loss - average(pairs, (margins(h) - margins(best)) ** 2))
        yield near(f"excess loss = Σ w (Δh − Δh*)², τ = {tau:g}", oracle="random policies", residuals=gaps)
        game = self_play_optimum(log_p, preferred, tau)
        gaps = np.abs(duality_gap(game, log_p, wins(preferred, game) / tau))
        yield near(f"on-line: no better reply to itself, τ = {tau:g}", oracle="Lagrange dual", residuals=gaps)
        still = gradient(game - log_p, independent(game), preferred, tau, ipo_slope)
        yield near(f"on-line: still there, τ = {tau:g}", oracle="gradient", residuals=np.abs(still).ravel())
        # Two equilibria would make (π − π')(h − h') both their symmetrised KL and, P + P' being 1, zero.
        slope = np.sum((np.exp(game) - np.exp(aim)) * (wins(preferred, game) - wins(preferred, aim)), axis=-1) / tau
        yield near(f"one equilibrium, τ = {tau:g}", oracle="antisymmetry", residuals=np.abs(slope))
    gaps = np.abs(duality_gap(aim, log_p, wins(preferred, aim) / tau))
    yield rejects("off-line's optimum on-line", at_most("", oracle="", residuals=gaps, tolerance=1e-4))
    gaps = np.abs(gradient(aim - log_p, pairs, preferred, tau, ipo_slope)).ravel()
    yield rejects("the optimum for μ with other pairs", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    wrong = psi_optimum(log_p, preferred, log_mu, 2 * tau)
    gaps = np.abs(duality_gap(wrong, log_p, wins(preferred, log_mu) / tau))
    yield rejects("2τ for τ", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    small, choices = simplex(rng, WORLDS, 4, FLOOR), any_preference(rng, WORLDS, 4)
    found = climbed(small, np.full((4, 4), 1 / 16), choices, partial(ipo_loss, tau=1.0))
    aim = psi_optimum(small, choices, np.full((WORLDS, 4), -np.log(4)), 1.0)
    gaps = np.abs(np.exp(found) - np.exp(aim)).sum(axis=-1)
    yield at_most("argmin over policies (L1)", oracle="SciPy BFGS", residuals=gaps, tolerance=BFGS_L1)


@claim(
    "new.ipo-against-rl",
    paper="cd",
    where="Section 4.3, IPO and KL-regularised RL",
    kind="new result",
    statement="With Bradley-Terry labels of small rewards εr, strengths εβ and ετ, τ = β/4, IPO's optimum is RL's "
    "up to KL = ε⁴ Var_π(E_μ (r−r')³)/(288 β²) + O(ε⁶). Far from that they part: IPO's log-ratios span at most 1/τ, so "
    "KL(π‖p) ≤ 1/τ whatever the rewards; and with labels by the reward it sees ranks alone: all increasing functions "
    "of r have the one optimum p e^(F(y)/τ)/Z, F the mid-rank of y under μ, where best-of-K has p F^(K−1)/Z.",
    verdict="holds",
)
def against_rl(rng: np.random.Generator) -> Evidence:
    """The small-reward law, the bounds at rewards of any size, and ranks."""
    log_p, reward = simplex(rng, WORLDS, ANSWERS, 1e-3), rng.uniform(-1, 1, size=(WORLDS, ANSWERS))
    log_mu = simplex(rng, WORLDS, ANSWERS, 1e-3)
    small = 0.08
    for beta in (0.5, 1.0, 2.0):
        best = rl_optimum(log_p, reward, beta)
        found = psi_optimum(log_p, bradley_terry(small * reward), log_mu, small * beta / 4)
        cubes = wins(margins(reward) ** 3, log_mu)
        leading = expectation(best, (cubes - expectation(best, cubes)[:, None]) ** 2) / (288 * beta**2)
        law = small**4 * leading

        def off(cost: Floats, law: Floats = law) -> Floats:
            # Where next to nothing is left to tell apart, a KL is a difference of terms near 1, good to some 1e-15.
            return np.asarray(np.abs(cost - law) / (law + 1e-12))

        # Next orders, relative: 2 |r − r'|² ε²/10 <= .8 ε², and a third cumulant, ε² (16/12)/(3 β) <= .9 ε².
        near = partial(at_most, oracle="KL", tolerance=2.5 * small**2)
        yield near(f"the ε⁴ law, relative error, β = {beta:g}", residuals=off(kl(found, best)))
    yield rejects("144 for 288", near("", residuals=off(kl(found, best) / 2)))
    found = psi_optimum(log_p, bradley_terry(small * reward), log_mu, small * beta / 2)
    yield rejects("τ = β/2", near("", residuals=off(kl(found, best))))
    for scale in (1.0, 10.0, 100.0):
        for tau in MILD:
            found = psi_optimum(log_p, bradley_terry(scale * reward), log_mu, tau)
            over = [np.ptp(found - log_p, axis=-1) - 1 / tau, kl(found, log_p) - 1 / tau]
            name = f"span and KL ≤ 1/τ, r × {scale:g}, τ = {tau:g}"
            yield at_most(name, oracle="IPO's optimum", residuals=np.ravel(over), tolerance=ROUNDING)
    over = np.ptp(rl_optimum(log_p, scale * reward, 4 * tau) - log_p, axis=-1) - 1 / tau
    yield rejects("the same span for RL", at_most("", oracle="", residuals=over, tolerance=ROUNDING))
    ranked = psi_optimum(log_p, by_reward(reward), log_mu, 1.0)
    bent = psi_optimum(log_p, by_reward(np.exp(3 * reward)), log_mu, 1.0)
    gaps = np.abs(ranked - bent).ravel()
    yield at_most("labels by e^(3r): the same optimum", oracle="ranks", residuals=gaps, tolerance=ROUNDING)
    mu = np.exp(log_mu)
    below = np.sum(mu[:, None] * (reward[:, None] < reward[..., None]), axis=-1)
    same = np.sum(mu[:, None] * (reward[:, None] == reward[..., None]), axis=-1)
    gaps = np.abs(gibbs(log_p, below + same / 2) - ranked).ravel()
    yield at_most("h = F/τ, F the mid-rank", oracle="sorting", residuals=gaps, tolerance=ROUNDING)
    p = np.exp(log_p)
    under_p = np.sum(p[:, None] * (np.sign(reward[..., None] - reward[:, None]) + 1) / 2, axis=-1)
    gaps = np.abs(gibbs(log_p, under_p) - ranked).ravel()
    yield rejects("the mid-rank under p", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    gaps = np.abs(gibbs(log_p, below + same) - ranked).ravel()
    yield rejects("the upper rank for the mid-rank", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    gaps = kl(psi_optimum(log_p, bradley_terry(3 * reward), log_mu, 0.25), rl_optimum(log_p, 3 * reward, 1.0))
    yield at_least(
        "rewards in ±3, τ = β/4: KL, median over all worlds", oracle="KL", margins=[np.median(gaps)], tolerance=0.01
    )
