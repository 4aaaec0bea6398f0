"""Truncation rules as optima over supports: what keeping one more token earns in KL, against what it costs."""

from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import Adaptor, eta, min_p, nucleus, top_k
from theory.information import kl
from theory.language_models import log_dirichlet
from theory.ledger import Check, Evidence, at_most, claim, rejects

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
TOKENS = 8
SUBSETS = np.array(list(product([False, True], repeat=TOKENS))[1:])  # all but the empty one
SIZE = SUBSETS.sum(axis=-1)
MASS, EPSILON, RHO = 0.8, 0.1, 0.2
PRICES = (0.05, 0.2, 0.5, 1.0)
EXACT = 1e-12  # sums and logarithms of eight probabilities
EQUAL = 1e-9  # masses this near count as equal: the rows with ties meet thresholds up to rounding


@claim(
    "new.truncation-objectives",
    paper="tan",
    where="Appendix E.1, Examples 4 to 7, as variational problems",
    kind="proposition",
    statement="The law on a support S nearest p is p restricted to S, at KL = -log p(S). So top-k minimises KL(π‖p) "
    "subject to |supp π| ≤ k; nucleus(p₀) minimises (|supp π|, KL) in lexicographic order subject to KL ≤ log 1/p₀; "
    "η- and min-p sampling maximise e^(-KL) - θ|supp π| with θ = η and θ = ρ max p. The sibling rule, "
    "-KL - μ|supp π|, keeps the token of rank k+1 iff p_(k+1) > (e^μ - 1) Σ_{i≤k} p_(i), and stops at the first that "
    "fails.",
    verdict="holds-with-assumption",
    assumptions="non-empty supports; where tokens tie, or one lies at the threshold, several supports are optimal",
)
def truncations(rng: np.random.Generator) -> Evidence:
    log_p = _rows(rng)
    mass = np.exp(log_p) @ SUBSETS.T
    chosen = SUBSETS[rng.integers(len(SUBSETS), size=len(log_p))]
    yield _nearest(log_p, chosen, rng, restricted=True)
    for k in (1, 3, 5):
        best = np.where(k >= SIZE, mass, 0.0).max(axis=-1)
        kept = _kept(top_k(k), log_p)
        excess = np.log(best) - np.log(_mass(log_p, kept))
        too_many = np.where(kept.sum(axis=-1) > k, np.inf, 0.0)
        yield _short(f"top-{k}: least KL on at most {k} tokens", residuals=excess + too_many)
    yield _lexicographic("nucleus: fewest tokens, then least KL", log_p, mass, MASS)
    for name, adaptor, price in (("η", eta(EPSILON), _eta(log_p)), ("min-p", min_p(RHO), _top(log_p))):
        yield _linear(f"{name}: greatest e^(-KL) - θ|supp|", log_p, mass, _kept(adaptor, log_p), price)
    for mu in PRICES:
        yield _priced(f"greatest -KL - {mu:g} |supp|", log_p, mass, _affordable(log_p, np.expm1(mu)), mu)

    yield rejects("a law on S that is not p restricted", _nearest(log_p, chosen, rng, restricted=False))
    first = np.where(SIZE <= 3, mass, 0.0).max(axis=-1)
    yield rejects(
        "top-3 as the first three tokens", _short("", residuals=np.log(first) - np.log(np.exp(log_p[:, :3]).sum(-1)))
    )
    yield rejects("nucleus of another mass", _lexicographic("", log_p, mass, 0.9))
    yield rejects("min-p with θ = ρ", _linear("", log_p, mass, _kept(min_p(RHO), log_p), np.full(len(log_p), RHO)))
    fixed = np.full(len(log_p), np.sqrt(EPSILON))
    yield rejects("η with θ = √ε", _linear("", log_p, mass, _kept(eta(EPSILON), log_p), fixed))
    for name, rate in (("e^μ", np.exp(0.5)), ("μ", 0.5)):
        yield rejects(f"{name} for e^μ - 1", _priced("", log_p, mass, _affordable(log_p, rate), 0.5))


def _rows(rng: np.random.Generator) -> Floats:
    """Half flat, half peaked, and one fifth more with ties: small integers over their sum."""
    counts = rng.integers(1, 4, size=(200, TOKENS))
    tied = np.log(counts / counts.sum(axis=-1, keepdims=True))
    return np.concatenate([log_dirichlet(TOKENS, rng, c, (500,)) for c in (0.5, 3.0)] + [tied])


def _affordable(log_p: Floats, rate: float) -> Bools:
    """Keep the tokens in order of probability while p_(k+1) > rate Σ_{i≤k} p_(i), always the first: [B, V]."""
    order = np.argsort(-log_p, axis=-1, kind="stable")
    p = np.take_along_axis(np.exp(log_p), order, axis=-1)
    worth = np.concatenate([np.full((len(p), 1), True), p[:, 1:] > rate * np.cumsum(p, axis=-1)[:, :-1]], axis=-1)
    kept = np.zeros(log_p.shape, dtype=bool)
    np.put_along_axis(kept, order, np.logical_and.accumulate(worth, axis=-1), axis=-1)
    return kept


def _kept(adaptor: Adaptor, log_p: Floats) -> Bools:
    return np.asarray(adaptor(log_p) > -np.inf)


def _mass(log_p: Floats, kept: Bools) -> Floats:
    return np.asarray(np.where(kept, np.exp(log_p), 0.0).sum(axis=-1))


def _eta(log_p: Floats) -> Floats:
    p = np.exp(log_p)
    return np.asarray(np.minimum(EPSILON, np.sqrt(EPSILON) * np.exp((p * log_p).sum(axis=-1))))


def _top(log_p: Floats) -> Floats:
    return np.asarray(RHO * np.exp(log_p).max(axis=-1))


_short = partial(at_most, oracle=f"all {len(SUBSETS)} supports", tolerance=EXACT)


def _short_of(name: str, values: Floats, reached: Floats) -> Check:
    return _short(name, residuals=values.max(axis=-1) - reached)


def _linear(name: str, log_p: Floats, mass: Floats, kept: Bools, price: Floats) -> Check:
    return _short_of(name, mass - price[:, None] * SIZE, _mass(log_p, kept) - price * kept.sum(axis=-1))


def _priced(name: str, log_p: Floats, mass: Floats, kept: Bools, mu: float) -> Check:
    return _short_of(name, np.log(mass) - mu * SIZE, np.log(_mass(log_p, kept)) - mu * kept.sum(axis=-1))


def _lexicographic(name: str, log_p: Floats, mass: Floats, kept_mass: float) -> Check:
    kept = _kept(nucleus(kept_mass), log_p)
    fewest = np.where(mass >= MASS - EQUAL, SIZE, TOKENS).min(axis=-1)
    heaviest = np.where(fewest[:, None] == SIZE, mass, 0.0).max(axis=-1)
    return _short(name, residuals=np.abs(kept.sum(axis=-1) - fewest) + np.abs(_mass(log_p, kept) - heaviest))


def _nearest(log_p: Floats, chosen: Bools, rng: np.random.Generator, restricted: bool) -> Check:
    """-log p(S) = KL(p restricted ‖ p), and no random law on S is nearer."""
    log_mass = np.log(_mass(log_p, chosen))
    scores = np.where(chosen, log_p, -np.inf)
    on_it = scores - log_mass[:, None]
    other = scores + np.where(chosen, rng.normal(size=log_p.shape), 0.0)
    other = other - np.log(np.exp(other).sum(axis=-1, keepdims=True))
    exact = np.abs(kl(on_it if restricted else other, log_p) + log_mass)
    return at_most(
        "KL(π‖p) ≥ -log p(S) for π on S, equal at p restricted",
        oracle="random laws on random supports",
        residuals=np.maximum(exact, -log_mass - kl(other, log_p)),
        tolerance=EXACT,
    )
