"""Algorithm 1 as it runs: proposals resampled from a finite pool of texts, and what that does to the target."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import compose, temperature, top_k
from theory.language_models import Adapted, adapted, random_tree
from theory.ledger import Evidence, at_most, claim, rejects
from theory.metropolis import transition_matrix
from theory.samplers import draw, pool_weights

Floats = NDArray[np.float64]
PROMPTS, PER_PROMPT, GROUPS = 3, 6, 500
WEIGHTED = compose(temperature(1.5), top_k(2))
# Laws of at most 18 states; the solve behind them loses 1 / gap digits, and the gap of these kernels exceeds 1e-2.
EXACT = 1e-12


@claim(
    "new.finite-pool",
    paper="tan",
    where="Algorithm 1 on resamples of a finite pool of texts",
    kind="proposition",
    statement="On uniform resamples of texts y_1..y_N of p_loc the chain's stationary law is w_i / Σ_j w_j, the "
    "self-normalised importance weights of the pool, repeats counted, and not p_glob; 1/N Σ w_i estimates Z without "
    "bias. Run per prompt, every prompt keeps its share; one chain over all prompts gives prompt x the share "
    "N_x Ẑ(x) / Σ N Ẑ, whose limit re-weights prompts by Z(x).",
    verdict="holds-with-assumption",
    assumptions="0 < w < ∞ in the pool; proposals uniform over the pool, each draw a member of its own",
)
def finite_pool(rng: np.random.Generator) -> Evidence:
    one = adapted(random_tree(2, 2, rng, batch=(GROUPS, PROMPTS)), WEIGHTED)
    uniform = rng.random((PER_PROMPT, GROUPS, PROMPTS))
    pool = np.moveaxis(np.stack([draw(one.local.log_prob, u) for u in uniform]), 0, -1)
    log_w = np.take_along_axis(one.log_kept, pool, axis=-1)
    log_share, log_z = pool_weights(log_w)
    share, together = np.exp(log_share), log_w.reshape(GROUPS, -1)
    per_prompt, over_all = _stationary(_kernel(log_w)), _stationary(_kernel(together))
    oracle = "linear solve of π K = π"
    gap = np.abs(per_prompt - share).max(axis=-1).ravel()
    yield at_most("the chain's law - w_i / Σ w", oracle=oracle, residuals=gap, tolerance=EXACT)
    strings, weights = _by_string(pool, per_prompt), _by_string(pool, np.exp(log_w))
    gap = np.abs(strings - weights / weights.sum(axis=-1, keepdims=True)).max(axis=-1).ravel()
    yield at_most("every text's mass - its repeats times w / Σ w", oracle=oracle, residuals=gap, tolerance=EXACT)
    marginal = over_all.reshape(GROUPS, PROMPTS, -1).sum(axis=-1)
    z_share = np.exp(log_z) / np.exp(log_z).sum(axis=-1, keepdims=True)
    gap = np.abs(marginal - z_share).max(axis=-1)
    within = np.abs(over_all.reshape(share.shape) / marginal[..., None] - share).max(axis=(-2, -1))
    pooled = np.concatenate([gap, within])
    yield at_most(
        "one chain over prompts: share Ẑ(x) / Σ Ẑ, the same law within",
        oracle=oracle,
        residuals=pooled,
        tolerance=EXACT,
    )
    yield at_most(
        "E[1/N Σ w_i] - Z over all pools of two",
        oracle="enumeration of pairs of texts",
        residuals=_bias(one).ravel(),
        tolerance=1e-13,  # sums of 49 products of probabilities
    )
    every = np.full(together.shape + together.shape[-1:], 1 / together.shape[-1])
    planted = {
        "every proposal accepted": np.abs(_stationary(every).reshape(share.shape) - share),
        "repeats dropped before the chain": np.abs(_by_string(pool, _without_repeats(pool, log_w)) - strings),
        "the pool's law is p_glob": np.abs(strings - np.exp(one.log_global)),
        "one chain over prompts keeps their shares": np.abs(marginal - 1 / PROMPTS),
    }
    for name, residuals in planted.items():
        yield rejects(name, at_most("", oracle=oracle, residuals=residuals.ravel(), tolerance=1e-3))


def _kernel(log_w: Floats) -> Floats:
    """The exact kernel on the members of a pool: [..., N] -> [..., N, N]."""
    log_uniform = np.full_like(log_w, -np.log(log_w.shape[-1]))
    return transition_matrix(log_w + log_uniform, log_uniform)


def _stationary(kernel: Floats) -> Floats:
    """The law π with π K = π, by one linear solve: [..., N, N] -> [..., N]."""
    states = kernel.shape[-1]
    # Adding Σ π = 1 to every equation makes the singular system (I - K)ᵀ π = 0 regular.
    system = np.eye(states) - np.swapaxes(kernel, -1, -2) + 1.0
    return np.asarray(np.linalg.solve(system, np.ones((*kernel.shape[:-1], 1)))[..., 0])


def _by_string(pool: NDArray[np.int64], law: Floats) -> Floats:
    """A law on members as one on the seven texts: [..., N] -> [..., M]."""
    return np.asarray(((pool[..., None] == np.arange(7)) * law[..., None]).sum(axis=-2))


def _without_repeats(pool: NDArray[np.int64], log_w: Floats) -> Floats:
    """The chain's law where each text is proposed once, whatever number of times it was drawn."""
    first = np.array(
        [
            np.isin(np.arange(pool.shape[-1]), np.unique(row, return_index=True)[1])
            for row in pool.reshape(-1, pool.shape[-1])
        ]
    ).reshape(pool.shape)
    mass = np.where(first, np.exp(log_w), 0.0)
    return np.asarray(mass / mass.sum(axis=-1, keepdims=True))


def _bias(one: Adapted) -> Floats:
    q, w = np.exp(one.local.log_prob), np.exp(one.log_kept)
    mean = sum(q[..., i] * q[..., j] * (w[..., i] + w[..., j]) / 2 for i, j in product(range(q.shape[-1]), repeat=2))
    return np.asarray(np.abs(mean - np.exp(one.log_z)))
