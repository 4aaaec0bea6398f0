"""Section 4 and footnote 3: what an acceptance rate certifies, and exact sampling by rejection without Z."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import Adaptor, temperature
from theory.arrays import normalised
from theory.claims.tan.worlds import ADAPTORS
from theory.language_models import Adapted, adapted, random_tree
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.metropolis import certificate, log_acceptance, stationary_acceptance, total_variation

Floats = NDArray[np.float64]
ROUNDING = 1e-12  # sums of a few hundred products of probabilities


@claim(
    "tan.accept1",
    paper="tan",
    where="section 6.2",
    kind="text",
    statement="If every proposal is accepted then p_loc = p_glob; in figures, the stationary acceptance rate is "
    "a = 1 - TV(p_glob × p_loc, p_loc × p_glob), so (1 - a)/2 ≤ TV(p_loc, p_glob) ≤ 1 - a.",
    verdict="holds-with-assumption",
    assumptions="the rate is taken at stationarity, for the chain's own target, and both laws share their support",
)
def acceptance_certifies(rng: np.random.Generator) -> Evidence:
    runs = _runs(rng, ADAPTORS)
    check = partial(at_most, oracle="sums over all pairs of strings", tolerance=ROUNDING)
    rates = [stationary_acceptance(run.log_scores, run.local.log_prob) for run in runs]
    distances = [total_variation(run.log_global, run.local.log_prob) for run in runs]
    pairs = [_pair_distance(run) for run in runs]
    acceptance, distance = np.concatenate(rates), np.concatenate(distances)
    low, high = certificate(acceptance)
    yield check("a = 1 - TV of the two pair laws", residuals=np.abs(acceptance - (1 - np.concatenate(pairs))))
    yield check("TV - (1 - a)", residuals=distance - high)
    yield check("(1 - a)/2 - TV", residuals=low - distance)
    early = np.concatenate([_first_move(run) for run in runs])
    yield rejects("the rate of the first move, from p_loc", check("", residuals=np.abs(early - acceptance)))
    yield rejects("(1 - a)/2 as upper bound", check("", residuals=distance - low, tolerance=1e-3))
    yield rejects("a chain that accepts all, read as a = 1", check("", residuals=distance, tolerance=1e-3))


@claim(
    "tan.notdirect",
    paper="tan",
    where="footnote 3",
    kind="text",
    statement="Printed: p_glob cannot be sampled directly, as that needs Z. Corrected: for transforms f ≤ p "
    "(truncation, T ≤ 1) the weights are at most 1, so proposals from p_loc kept with probability Π_t Z_t are "
    "independent draws from p_glob; a share Z is kept and Z itself is never used.",
    verdict="erratum",
    assumptions="f(p) ≤ p at every step; at T > 1 the weights may exceed 1",
)
def rejection(rng: np.random.Generator) -> Evidence:
    shrinking = [adaptor for adaptor in ADAPTORS if "1.5" not in adaptor.name]
    runs = _runs(rng, shrinking)
    kept = [run.local.log_prob + run.log_kept for run in runs]
    log_w = np.concatenate([np.where(run.log_scores > -np.inf, run.log_kept, -np.inf).max(-1) for run in runs])
    check = partial(at_most, oracle="enumeration of all strings", tolerance=ROUNDING)
    yield at_least(
        "printed impossibility: share of proposals that rejection keeps",
        oracle="enumeration of all strings",
        margins=np.concatenate([np.exp(joint).sum(-1) for joint in kept]),
        tolerance=1e-3,  # a thousand proposals a draw at worst on these models: slow perhaps, impossible no
    )
    yield check("corrected: log w ≤ 0", residuals=log_w)
    shares = [np.abs(np.exp(joint).sum(-1) - np.exp(run.log_z)) for joint, run in zip(kept, runs, strict=True)]
    yield check("corrected: the share kept is Z", residuals=np.concatenate(shares))
    laws = [total_variation(normalised(joint), run.log_global) for joint, run in zip(kept, runs, strict=True)]
    yield check("corrected: what is kept has the law p_glob", residuals=np.concatenate(laws))
    unfiltered = np.concatenate([total_variation(run.local.log_prob, run.log_global) for run in runs])
    yield rejects("every proposal kept", check("", residuals=unfiltered, tolerance=1e-3))
    hot = np.concatenate([run.log_kept.max(-1) for run in _runs(rng, (temperature(1.5),))])
    yield rejects("weights at most 1 at T = 1.5", check("", residuals=hot, tolerance=1e-3))


def _runs(rng: np.random.Generator, adaptors: tuple[Adaptor, ...] | list[Adaptor]) -> list[Adapted]:
    trees = [random_tree(n_symbols, depth, rng, batch=(100,)) for n_symbols, depth in ((3, 1), (2, 2), (2, 3))]
    return [adapted(tree, adaptor) for tree in trees for adaptor in adaptors]


def _first_move(run: Adapted) -> Floats:
    """The mean acceptance where the state, too, is still drawn from the proposal."""
    q = np.exp(run.local.log_prob)
    alpha = np.exp(log_acceptance(run.log_kept[..., :, None], run.log_kept[..., None, :]))
    return np.asarray((q[..., :, None] * q[..., None, :] * alpha).sum(axis=(-2, -1)))


def _pair_distance(run: Adapted) -> Floats:
    pi, q = np.exp(run.log_global), np.exp(run.local.log_prob)
    pairs = pi[..., :, None] * q[..., None, :]
    return np.asarray(0.5 * np.abs(pairs - np.swapaxes(pairs, -1, -2)).sum(axis=(-2, -1)))
