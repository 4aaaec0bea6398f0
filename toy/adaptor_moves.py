"""Where each adaptor takes the means (E log p, E r) of one exact world, and how far off the line of constant mean S.

S = X + R with X = log p and R = r / beta. From p_plus to an adapted law, in units of r, the move has the slope
beta DeltaR / DeltaX = -beta (1 - DeltaS / DeltaX): only where mean S stands still is it the paper's -beta.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from theory.arrays import expectation
from theory.automata import Automaton
from theory.language_models import Floats, adapted
from toy.adaptor_menu import TEMPERATURES, TRUNCATIONS, adaptor
from toy.normalisations import ENSEMBLE
from toy.reward_automata import (
    RewardAutomaton,
    critical_temperature,
    finite_mass,
    globally_adapted,
    keeps_strings,
    locally_adapted,
    random_bigram,
    reward_automaton,
)
from toy.reward_trees import RewardTree, random_worlds
from toy.temperature_regimes import CORRELATIONS, share
from toy.weighted_automata import additive

SYMBOLS, CONCENTRATION, STOP, STRENGTH, BETA = 6, 0.5, 0.15, 0.5, 0.5
ROUNDING = 1e-12  # of a mean over some 200 strings; ties are meant
TIGHT = 1e-9  # a tight model's mass is 1 but for a solve's rounding, some 1e-13
COLUMNS = ["family", "strength", "normalisation", "log_prior", "reward", "log_aligned", "length", "finite"]

UNKNOWN = (float("nan"),) * 4


def world(seed: int, beta: float = BETA, most: int = 2000) -> tuple[RewardAutomaton, int]:
    """The first world of a seeded stream that suits the paper's account of temperature best, and its number.

    A bigram model of 6 symbols with Dirichlet(.5) rows and p(eos | s) >= .15; each symbol, and the end, pays a reward
    of its own, normal with standard deviation beta / 2. Wanted under p_plus: -Var X < C < -Var R, where heat lowers
    log p and raises r; Corr(log p, r) < -.8; T_c > 1.2. Raises ValueError if none of `most` worlds does.
    """
    for number in range(most):
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 4, number])))
        prior = random_bigram(rng, SYMBOLS, CONCENTRATION, STOP)
        pay = beta * STRENGTH * rng.standard_normal(SYMBOLS + 2)
        try:
            found = reward_automaton(
                prior, np.broadcast_to(pay[:-1, None], prior.log_arcs.shape), np.full(SYMBOLS + 1, pay[-1]), beta
            )
        except ValueError:  # Z is infinite
            continue
        (vx, c), (_, vr) = additive(found.aligned, found.x, found.r).cov
        if -vx < c < -vr and c / np.sqrt(vx * vr) < -0.8 and critical_temperature(found.aligned) > 1.2:
            return found, number
    raise ValueError(f"none of the first {most} worlds trades log p for reward.")


def moves(at: RewardAutomaton) -> pd.DataFrame:
    """One row a law: p_plus itself, then each adaptor at each strength, local and global.

    Columns: family, strength, normalisation; means log_prior, reward (in units of r), log_aligned, length; `finite`,
    the mass on finite strings, below 1 where a local law is not tight, whose means are left empty; from p_plus to the
    law: `slope` = Delta r / Delta log p, `defect` = Delta S / Delta X, and the line's slope -beta. Global temperatures
    at and above T_c have no law and no row, nor has a truncation that leaves no string.
    """
    rows = [("ancestral", 1.0, "both", *_means(at, at.aligned))]
    n_tokens, critical = at.prior.log_outcomes.shape[-1] - 1, critical_temperature(at.aligned)
    for family, strengths in {**TRUNCATIONS, "temperature": TEMPERATURES}.items():
        for strength in strengths:
            chosen = adaptor(family, strength, n_tokens)
            if not keeps_strings(at.aligned, chosen):
                rows.append((family, strength, "local", *UNKNOWN, 0.0))
                continue
            rows.append((family, strength, "local", *_means(at, locally_adapted(at.aligned, chosen)[0])))
            if family != "temperature" or strength < critical:
                rows.append((family, strength, "global", *_means(at, globally_adapted(at.aligned, chosen)[0])))
    table = pd.DataFrame(rows, columns=COLUMNS)
    moved = table[["log_prior", "reward", "log_aligned"]] - table.loc[0, ["log_prior", "reward", "log_aligned"]]
    still = moved["log_prior"].abs() < 1e-9  # an adaptor that cuts nothing moves nothing, but for rounding
    step = moved["log_prior"].mask(still)
    return table.assign(slope=moved["reward"] / step, defect=moved["log_aligned"] / step, line=-at.beta)


def directions(seed: int, worlds: int) -> pd.DataFrame:
    """The share of random worlds in which a truncation at T = 1 moves the means as section 6.2 says, 95 % limits exact.

    Rewards of one nat, unrelated to log p or opposed to it. One row a kind, family, strength, normalisation and
    `statement`: "log p rises" and "r falls" against p_plus, "r falls more" against the next weaker cut, p_plus being
    the weakest. Ties count for the paper, as a weak cut may cut nothing.
    """
    rows = []
    for number, kind in enumerate(("unrelated", "opposed")):
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 5, number])))
        trees = random_worlds(rng, worlds, **ENSEMBLE, correlation=CORRELATIONS[kind])
        rows += [(kind, *row[:4], worlds, *share(row[4], worlds)) for row in _counts(trees)]
    columns = ["kind", "family", "strength", "normalisation", "statement", "worlds", "share", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _counts(trees: RewardTree) -> Iterator[tuple[str, float, str, str, int]]:
    x, r = _both(trees, trees.aligned.log_prob)
    for family, strengths in TRUNCATIONS.items():
        weaker = {"local": r, "global": r}
        for strength in strengths:
            run = adapted(trees.aligned, adaptor(family, strength, trees.prior.n_symbols + 1))
            for kind, law in (("local", run.local.log_prob), ("global", run.log_global)):
                new_x, new_r = _both(trees, law)
                yield family, strength, kind, "log p rises", int(np.sum(new_x >= x - ROUNDING))
                yield family, strength, kind, "r falls", int(np.sum(new_r <= r + ROUNDING))
                yield family, strength, kind, "r falls more", int(np.sum(new_r <= weaker[kind] + ROUNDING))
                weaker[kind] = new_r


def _both(trees: RewardTree, law: Floats) -> tuple[Floats, Floats]:
    return np.asarray(expectation(law, trees.x)), np.asarray(expectation(law, trees.r))


def _means(at: RewardAutomaton, law: Automaton) -> tuple[float, ...]:
    """E log p, E r, E log p_plus, the mean length and the mass on finite strings; means empty where that is below 1."""
    finite = finite_mass(law)
    if finite < 1 - TIGHT:
        return *UNKNOWN, finite
    one = np.ones_like(at.x)
    one[:, -1] = 0.0  # the end is no symbol
    mean = additive(law, at.x, at.r, at.aligned.log_outcomes, one).mean
    return float(mean[0]), at.beta * float(mean[1]), float(mean[2]), float(mean[3]), 1.0
