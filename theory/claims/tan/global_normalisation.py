"""Equations 5 to 8 and 39: adaptors that normalise at every step, or once for whole strings."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import Adaptor, compose, eta, local, locally_typical, nucleus, temperature, top_k
from theory.arrays import logsumexp
from theory.claims.tan.worlds import ADAPTORS
from theory.language_models import Tree, adapted, log_dirichlet, random_tree, strings
from theory.ledger import Evidence, at_least, at_most, claim, rejects

Floats = NDArray[np.float64]
EXACT = 1e-11  # sums of a few logarithms below 100, then one normalisation
SYMBOLS, DEPTH = 2, 3
POWERS = (1, 1 / 0.5, 1 / 1.5, 1, 1, 1, 1, 1, 1 / 1.5, 1 / 0.7)
"""The scaling p^g of each of `ADAPTORS`, in their order."""


@claim(
    "tan.eq5-8",
    paper="tan",
    where="equations 5 to 8",
    kind="definition",
    statement="With score(y) = Π_t f(p)(y_t | y_<t), EOS included, p_loc(y) = Π_t f(p)(y_t | y_<t)/Z_t and "
    "p_glob(y) = score(y)/Z, Z = Σ_y score(y): so p_glob(x)/p_glob(y) = score(x)/score(y) and p_glob keeps the order "
    "of the scores. Also Z = E_loc[Π_t Z_t], Z_t the mass that f keeps at step t.",
    verdict="holds-with-assumption",
    assumptions="0 < Z < ∞ (tan.always_tight); p_loc is a law of finite strings only where it is tight",
)
def both_laws(rng: np.random.Generator) -> Evidence:
    tree = random_tree(SYMBOLS, DEPTH, rng, batch=(150,))
    gaps: dict[str, list[Floats]] = {name: [] for name in ("score", "p_loc", "ratio", "Σ p_glob", "Z", "no EOS", "p")}
    for adaptor in ADAPTORS:
        one = adapted(tree, adaptor)
        score = _walked(tree, adaptor, normalise=False)
        kept = score > -np.inf
        relative = np.where(kept, one.log_global, 0.0) - np.where(kept, score, 0.0)
        gaps["score"].append(_apart(one.log_scores, score))
        gaps["p_loc"].append(_apart(one.local.log_prob, _walked(tree, adaptor, normalise=True)))
        # log p_glob - log score is one number, -log Z, on all kept strings.
        gaps["ratio"].append(np.abs(np.where(kept, relative + logsumexp(score)[:, None], 0.0)).max(axis=-1))
        gaps["Σ p_glob"].append(np.abs(np.exp(one.log_global).sum(axis=-1) - 1))
        gaps["Z"].append(np.abs(np.log((np.exp(one.local.log_prob) * np.exp(one.log_kept)).sum(axis=-1)) - one.log_z))
        gaps["no EOS"].append(_apart(one.log_scores, _walked(tree, adaptor, normalise=False, ending=False)))
        gaps["p"].append(np.abs(np.log((np.exp(tree.log_prob) * np.exp(one.log_kept)).sum(axis=-1)) - one.log_z))
    check = partial(at_most, oracle="a walk along every string", tolerance=EXACT)
    for key, name in (
        ("score", "log score(y) = Σ_t log f(p)(y_t)"),
        ("p_loc", "log p_loc(y) = Σ_t (log f(p)(y_t) - log Z_t)"),
        ("ratio", "log p_glob(y) = log score(y) - log Σ score"),
        ("Σ p_glob", "Σ p_glob = 1"),
        ("Z", "log Z = log E_loc[Π_t Z_t]"),
    ):
        yield check(name, residuals=np.concatenate(gaps[key]))
    yield rejects("EOS left out of the score", check("", residuals=np.concatenate(gaps["no EOS"]), tolerance=1e-3))
    yield rejects("Z = E_p[Π_t Z_t]", check("", residuals=np.concatenate(gaps["p"]), tolerance=1e-3))
    swapped = _apart(adapted(tree, ADAPTORS[3]).log_global, _walked(tree, ADAPTORS[3], normalise=True))
    yield rejects("p_glob = p_loc", check("", residuals=swapped, tolerance=1e-3))


@claim(
    "tan.eq39",
    paper="tan",
    where="Appendix E, equation 39",
    kind="definition",
    statement="The usual transforms are a scaling after which a set is cut: f(p)(a) = p(a)^γ on a set C(p) and 0 off "
    "it, with γ = 1/T, or 1 without a temperature. Where both act C can be another set before the scaling than after "
    "it, though never for top-k: which came first must be said.",
    verdict="holds",
)
def scaled_and_cut(rng: np.random.Generator) -> Evidence:
    log_p = log_dirichlet(6, rng, batch=(1000,))
    inside = partial(at_most, oracle="powers of probabilities", tolerance=1e-13)  # one power each, of figures below 1
    for adaptor, power in zip(ADAPTORS, POWERS, strict=True):
        f = np.exp(adaptor(log_p))
        residuals = np.where(f > 0, np.abs(f - np.exp(log_p) ** power), 0.0).max(axis=-1)
        yield inside(f"{adaptor.name}: f(p) = p^γ where it is not 0", residuals=residuals)
    differ = {cut.name: _order_matters(cut, log_p) for cut in (top_k(2), nucleus(0.8), eta(0.2), locally_typical(0.7))}
    still = differ.pop("top_k(2)")
    yield inside("top-k: rows in which C before the scaling is not C after it", residuals=still)
    shares = [rows.mean() for rows in differ.values()]
    # One row would do; on random ones it is no accident.
    moved = partial(at_least, oracle="both orders at T = 1.5", tolerance=0.01)
    yield moved("nucleus, η, typical: the share of such rows", margins=shares)
    yield rejects("for top-k too", moved("", margins=[still.mean()]))
    f = np.exp(ADAPTORS[1](log_p))
    yield rejects("p^T for p^{1/T}", inside("", residuals=np.abs(f - np.exp(log_p) ** 0.5).max(axis=-1)))
    renormalised = np.exp(local(ADAPTORS[3], log_p)[0])
    gaps = np.where(renormalised > 0, np.abs(renormalised - np.exp(log_p)), 0.0).max(axis=-1)
    yield rejects("kept tokens renormalised", inside("", residuals=gaps, tolerance=1e-3))


def _order_matters(cut: Adaptor, log_p: Floats) -> Floats:
    """1 for a row of which `cut` keeps another set before the temperature than after it, else 0: [B, V] -> [B]."""
    first, last = (np.isneginf(compose(*pair)(log_p)) for pair in ((cut, temperature(1.5)), (temperature(1.5), cut)))
    return np.asarray(np.any(first != last, axis=-1), dtype=float)


def _walked(tree: Tree, adaptor: Adaptor, normalise: bool, ending: bool = True) -> Floats:
    """The log-product of f, or of f / Z_t, along every string, token by token: [B, M]."""
    steps, every = adaptor(tree.log_steps), strings(SYMBOLS, DEPTH)
    if normalise:
        steps = steps - np.where(np.isneginf(logsumexp(steps)), 0.0, logsumexp(steps))[..., None]
    walks = []
    for y in every:
        tokens = [*y, SYMBOLS] if ending else list(y)
        walks.append(sum((steps[:, every.index(y[:t]), a] for t, a in enumerate(tokens)), np.zeros(len(steps))))
    return np.stack(walks, axis=-1)


def _apart(a: Floats, b: Floats) -> Floats:
    """The largest difference of a row's finite entries; inf where one cuts a string that the other keeps."""
    same = np.isneginf(a) == np.isneginf(b)
    gaps = np.abs(np.where(np.isneginf(a), 0.0, a) - np.where(np.isneginf(b), 0.0, b))
    return np.asarray(np.where(same, gaps, np.inf).max(axis=-1))
