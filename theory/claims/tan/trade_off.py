"""Proposition 1 read as a statement about correlation or slope: what it does and does not say."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.arrays import expectation
from theory.claims.tan.worlds import ADAPTORS, World, random_world
from theory.information import entropy, varentropy
from theory.language_models import adapted, aligned, random_tree
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.typicality import (
    atypical_probability,
    chebyshev_bound,
    corpus_types,
    counted,
    trade_off_constant,
    type_log_probs,
)

Floats = NDArray[np.float64]
ROUNDING = 1e-9  # correlations: quotients of variances that rounding moves by 1e-13, the smallest near 1e-4


@claim(
    "tan.prop1-reading",
    paper="tan",
    where="section 5.1 and abstract",
    kind="reading",
    statement="Printed reading: corpora from an aligned model trade mean log p off against mean reward, whatever the "
    "relation of strings. Corrected: Corr(mean log p, mean r) over independent corpora is Corr(log p, r) over "
    "strings of p₊ at every N, negative iff V(p₊) < Var log p + Var(r/β); with r = c log p, c > 0, it is +1 "
    "while Proposition 1 holds.",
    verdict="erratum",
)
def no_trade_off_by_itself(rng: np.random.Generator) -> Evidence:
    positive = _likelihood_reward(rng, 1000)
    exactly = partial(at_most, oracle="exact multinomial law of the corpus", tolerance=ROUNDING)
    yield at_least(
        "printed reading: correlation over corpora where the reward is a multiple of log p",
        oracle="exact multinomial law of the corpus",
        margins=np.concatenate([_corpus_correlation(positive, size) for size in (2, 10, 20)]),
        tolerance=0.999,  # it is exactly 1, where a trade-off would have it negative
    )
    yield at_most(
        "corrected: Proposition 1 holds on those very models",
        oracle="exact multinomial law of the corpus",
        residuals=_excess_over_chebyshev(positive, 40),
        tolerance=1e-11,  # log-factorials of 40
    )
    worlds = [random_world(rng, n, depth, (500,), beta) for n, depth, beta in ((2, 1, 0.5), (3, 1, 2.0))]
    pairs = [(world, size) for world in worlds for size in (1, 2, 10, 20)]
    gaps = [np.abs(_corpus_correlation(w, size) - _string_correlation(w, w.aligned.log_prob)) for w, size in pairs]
    yield exactly("corrected: correlation of corpora = that of strings of p₊", residuals=np.concatenate(gaps))
    agree = partial(at_least, oracle="covariances by enumeration", tolerance=1)
    figures = [(w, _variance(w.aligned.log_prob, w.reward)) for w in worlds]
    signs = [_signs_agree(w, var_r / w.beta**2) for w, var_r in figures]
    yield agree("corrected: its sign is that of V(p₊) - Var log p - Var(r/β)", margins=np.concatenate(signs))
    once = [_signs_agree(w, var_r / w.beta) for w, var_r in figures]
    yield rejects("(Var r)/β for Var(r/β)", agree("", margins=np.concatenate(once)))
    corpora = _corpus_correlation(worlds[0], 10)
    for name, law in (("p", worlds[0].prior.log_prob), ("every string once", np.full((500, 3), -np.log(3)))):
        wrong = np.abs(corpora - _string_correlation(worlds[0], law))
        yield rejects(f"strings weighted by {name}", exactly("", residuals=wrong))
    trade_off = -np.concatenate([_corpus_correlation(world, 10) for world in worlds])
    yield rejects("every random model trades off", at_least("", oracle="", margins=trade_off, tolerance=0))


@claim(
    "tan.slope",
    paper="tan",
    where="section 5.1",
    kind="reading",
    statement="Between two laws of strings with means X of log p, S of log p₊ and r of reward, Δr = β(ΔS - ΔX): the "
    "slope Δr/ΔX is -β(1 - ΔS/ΔX), so -β only along constant mean log p₊.",
    verdict="holds-with-assumption",
    assumptions="slope -β: the two laws have the same mean log p₊",
)
def slope(rng: np.random.Generator) -> Evidence:
    beta = float(rng.uniform(0.3, 3))
    world = random_world(rng, 3, 2, (200,), beta)
    start = _means(world, world.aligned.log_prob)
    changes = [_means(world, adapted(world.aligned, adaptor).log_global) - start for adaptor in ADAPTORS]
    check = partial(at_most, oracle="enumeration of all strings")
    figures = np.concatenate([np.abs(dr - beta * (ds - dx)) for dx, ds, dr in changes])
    yield check("Δr = β(ΔS - ΔX)", residuals=figures, tolerance=1e-11)  # sums of 13 terms below 100
    level = _slope_at_constant_s(random_world(rng, 3, 2, (1100,), beta), rng)
    # A quotient of two differences, of which the smaller is above 1e-4.
    yield check("slope -β between laws of equal mean log p₊", residuals=np.abs(level + beta), tolerance=1e-8)
    reversed_sign = np.concatenate([np.abs(dr - beta * (dx - ds)) for dx, ds, dr in changes])
    yield rejects("Δr = β(ΔX - ΔS)", check("", residuals=reversed_sign, tolerance=1e-3))
    off = np.concatenate([np.abs(dr + beta * dx) for dx, _, dr in changes])
    yield rejects("slope -β between the model and an adapted one", check("", residuals=off, tolerance=1e-3))


def _slope_at_constant_s(world: World, rng: np.random.Generator) -> Floats:
    """Δr/ΔX between p_plus and a law moved along the laws of the same total mass and the same mean log p_plus."""
    law, s = np.exp(world.aligned.log_prob), world.aligned.log_prob
    move = rng.normal(size=law.shape) * law
    centred = s - (law * s).sum(-1, keepdims=True)
    move -= law * move.sum(-1, keepdims=True)
    move -= law * centred * ((move * s).sum(-1) / (law * centred**2).sum(-1))[..., None]
    x = (move * world.prior.log_prob).sum(-1)
    seen = np.abs(x) > 1e-4
    return np.asarray((move * world.reward).sum(-1)[seen] / x[seen])


def _likelihood_reward(rng: np.random.Generator, batch: int) -> World:
    """r = c log p with c in (0.2, 2), so that p_plus ∝ p^(1 + c)."""
    prior = random_tree(2, 1, rng, batch=(batch,))
    reward = rng.uniform(0.2, 2, (batch, 1)) * prior.log_prob
    return World(prior, reward, 1.0, *aligned(prior, reward))


def _correlation(mass: Floats, x: Floats, y: Floats) -> Floats:
    x, y = (side - (mass * side).sum(-1, keepdims=True) for side in (x, y))
    return np.asarray((mass * x * y).sum(-1) / np.sqrt((mass * x * x).sum(-1) * (mass * y * y).sum(-1)))


def _string_correlation(world: World, log_law: Floats) -> Floats:
    return _correlation(np.exp(log_law), world.prior.log_prob, world.reward)


def _corpus_correlation(world: World, size: int) -> Floats:
    counts = corpus_types(world.reward.shape[-1], size)
    mass = np.exp(type_log_probs(world.aligned.log_prob, counts))
    return _correlation(mass, counted(world.prior.log_prob, counts), counted(world.reward, counts))


def _signs_agree(world: World, var_r: Floats) -> Floats:
    """1 where the strings' correlation has the sign of V(p_plus) - Var log p - var_r, else -1."""
    law = world.aligned.log_prob
    excess = varentropy(law) - _variance(law, world.prior.log_prob) - var_r
    return np.asarray(np.sign(_string_correlation(world, law)) * np.sign(excess))


def _variance(log_law: Floats, values: Floats) -> Floats:
    return np.asarray(expectation(log_law, values**2) - expectation(log_law, values) ** 2)


def _excess_over_chebyshev(world: World, size: int) -> Floats:
    log_q, counts = world.aligned.log_prob, corpus_types(world.reward.shape[-1], size)
    epsilon = 1.5 * np.sqrt(varentropy(log_q) / size)
    statistic = counted(world.prior.log_prob + world.reward, counts) / size
    exact = atypical_probability(log_q, counts, statistic, trade_off_constant(world.log_z, entropy(log_q)), epsilon)
    return np.asarray(exact - chebyshev_bound(varentropy(log_q), size, epsilon))


def _means(world: World, log_law: Floats) -> Floats:
    return np.array([expectation(log_law, v) for v in (world.prior.log_prob, world.aligned.log_prob, world.reward)])
