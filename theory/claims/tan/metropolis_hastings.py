"""Algorithm 1 on exact kernels: detailed balance, the stationary law, its weights and its rate."""

from collections.abc import Iterable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import local, temperature
from theory.arrays import normalised
from theory.claims.tan.worlds import ADAPTORS, Geometric, geometric_models
from theory.language_models import Adapted, adapted, random_tree
from theory.ledger import Evidence, at_most, claim, rejects
from theory.metropolis import convergence_bound, log_acceptance, log_weights, step, transition_matrix

Floats = NDArray[np.float64]
KERNEL = 1e-13  # sums of at most a few hundred products of probabilities
GRID = 1000
BATCH, PROMPTS = 40, 8


@claim(
    "tan.alg1",
    paper="tan",
    where="Algorithm 1",
    kind="algorithm",
    statement="Independence Metropolis-Hastings with proposals from p_loc and acceptance min(1, w(y')/w(y)), "
    "w(y) = Π_t Z_t(y_<t), is reversible with respect to p_glob and converges to it; after n steps "
    "TV ≤ (1 - 1/w*)^n, w* = max p_glob/p_loc. At T > 1 endless strings have w* = ∞, and a chance of being left that "
    "tends to 0 with their length, so that no geometric rate holds.",
    verdict="holds-with-assumption",
    assumptions="0 < Z < ∞; proposal and target share their support; proposals that never end are rejected; "
    "one chain a prompt",
)
def independence_chain(rng: np.random.Generator) -> Evidence:
    trees = [random_tree(n_symbols, depth, rng, batch=(BATCH,)) for n_symbols, depth in ((3, 1), (2, 2), (2, 3))]
    runs = [adapted(tree, adaptor) for tree in trees for adaptor in ADAPTORS]
    kernels = [transition_matrix(run.log_scores, run.local.log_prob) for run in runs]
    chains = list(zip(runs, kernels, strict=True))
    strings = "enumeration of all strings"
    yield at_most(
        "log p_glob - log p_loc = Σ log Z_t - log Z",
        oracle=strings,
        residuals=_flat(_weight_error(run) for run in runs),
        tolerance=1e-12,  # a few sums of logarithms below 100
    )
    rows = _flat(np.abs(kernel.sum(-1) - 1) + np.maximum(-kernel, 0).max(-1) for kernel in kernels)
    yield at_most("rows of the kernel are laws", oracle=strings, residuals=rows, tolerance=KERNEL)
    balance = _flat(_imbalance(*chain) for chain in chains)
    yield at_most("detailed balance", oracle=strings, residuals=balance, tolerance=KERNEL)
    drift = _flat(_drift(*chain) for chain in chains)
    yield at_most("p_glob K = p_glob", oracle=strings, residuals=drift, tolerance=KERNEL)
    yield at_most(
        "second eigenvalue = 1 - 1/w*",
        oracle="eigenvalues of the symmetrised kernel",
        residuals=_flat(_rate_error(*chain) for chain in chains),
        tolerance=1e-12,  # eigenvalues of symmetric matrices in [0, 1] err by a few ulp times their side, 15
    )
    yield at_most(
        "worst TV after 1 to 20 steps - (1 - 1/w*)^n",
        oracle="powers of the kernel",
        residuals=_flat(_lateness(*chain) for chain in chains),
        tolerance=20 * KERNEL,
    )
    yield at_most(
        "share of a grid of uniforms that the step accepts - min(1, w'/w)",
        oracle=f"{GRID} midpoints",
        residuals=[_step_error(*rng.normal(0, 2, 2)) for _ in range(1000)],
        tolerance=0.5 / GRID + 1e-12,  # a threshold misplaces at most half a cell, and sums of 1000 terms round
    )
    yield at_most(
        "one chain over several prompts weighs each by its Z",
        oracle="linear solve of π K = π over pairs of prompt and string",
        residuals=_flat(np.abs(_prompt_marginal(run) - np.exp(normalised(_by_chain(run.log_z)))) for run in runs),
        tolerance=1e-12,  # the solve loses the digits of w*, which is below 10 here
    )
    left = partial(at_most, oracle="powers of like symbols' own probabilities", tolerance=1e-12)  # 4,000 terms
    models = geometric_models(rng, 340)
    yield left("T > 1: chance of leaving n symbols less its bound", residuals=_flat(_leaving(m, 0.5) for m in models))
    yield rejects("the same below T = 1, where κ < 1", left("", residuals=_flat(_leaving(m, -0.1) for m in models)))
    planted: dict[str, Iterable[Floats]] = {
        "every proposal accepted": (_drift(run, _always_accepting(run)) for run in runs),
        "no proposal ratio": (_drift(run, _without_ratio(run)) for run in runs),
        "target taken at T = 1": (
            _drift(run, transition_matrix(tree.log_prob, run.local.log_prob))
            for tree in trees
            for run in (adapted(tree, temperature(0.5)), adapted(tree, temperature(1.5)))
        ),
        "one chain over all prompts": (np.abs(_prompt_marginal(run) - 1 / PROMPTS) for run in runs),
    }
    for name, residuals in planted.items():
        yield rejects(name, at_most("", oracle="", residuals=_flat(residuals), tolerance=1e-3))


def _flat(parts: Iterable[Floats]) -> Floats:
    return np.concatenate([np.ravel(part) for part in parts])


def _weight_error(run: Adapted) -> Floats:
    support = run.log_scores > -np.inf
    log_w = log_weights(run.log_global, run.local.log_prob)
    return np.asarray(np.abs((log_w - (run.log_kept - run.log_z[..., None]))[support]))


def _imbalance(run: Adapted, kernel: Floats) -> Floats:
    flow = np.exp(run.log_global)[..., None] * kernel
    return np.asarray(np.abs(flow - np.swapaxes(flow, -1, -2)).max(axis=(-2, -1)))


def _drift(run: Adapted, kernel: Floats) -> Floats:
    """By how much one step of the chain moves p_glob: max |p_glob K - p_glob|."""
    law = np.exp(run.log_global)
    return np.asarray(np.abs(np.einsum("...x,...xy->...y", law, kernel) - law).max(axis=-1))


def _rate_error(run: Adapted, kernel: Floats) -> Floats:
    support = run.log_scores > -np.inf
    symmetric = np.sqrt(kernel * np.swapaxes(kernel, -1, -2)) * (support[..., :, None] & support[..., None, :])
    log_w_star = log_weights(run.log_global, run.local.log_prob).max(axis=-1)
    return np.asarray(np.abs(np.linalg.eigvalsh(symmetric)[..., -2] - (1 - np.exp(-log_w_star))))


def _lateness(run: Adapted, kernel: Floats) -> Floats:
    """TV from the worst start in the support, less the bound, at its largest over 20 steps."""
    law, start = np.exp(run.log_global), run.log_scores > -np.inf
    excess, power = [], kernel
    for n in range(1, 21):
        distance = 0.5 * np.abs(power - law[..., None, :]).sum(axis=-1)
        worst = np.where(start, distance, 0).max(axis=-1)
        excess.append(worst - convergence_bound(run.log_scores, run.local.log_prob, n))
        power = power @ kernel
    return np.asarray(np.max(excess, axis=0))


def _step_error(log_w_state: float, log_w_proposal: float) -> float:
    """Integrate the very step that sampling code runs over its uniform."""
    grid = (np.arange(GRID) + 0.5) / GRID
    accepted, _ = step(np.asarray(log_w_state), np.asarray(log_w_proposal), grid)
    return abs(float(accepted.mean()) - min(1.0, float(np.exp(log_w_proposal - log_w_state))))


def _leaving(model: Geometric, heat: float) -> Floats:
    """Chance of leaving n = 10, 100 and 1,000 symbols less κ^(-n/2) + (1 - e')^(n/2), T = 1 + heat (T_c - 1).

    κ is the mass Σ p^(1/T) that each step keeps and e' the local chance of ending: a proposal of up to n/2 symbols has
    κ^(-n/2) of the weight or less, and a longer one is as rare as the second term.
    """
    T = 1 - heat * np.log1p(-model.e) / np.log(model.m)  # noqa: N806 (the field's symbol)
    log_q, log_kept = local(temperature(T), np.log([(1 - model.e) / model.m] * model.m + [model.e]))
    k, n = np.arange(4000), np.array([10, 100, 1000])[:, None]
    log_law = log_q[-1] + k * np.log1p(-np.exp(log_q[-1]))
    leaves = np.exp(log_law + log_acceptance((n + 1) * log_kept, (k + 1) * log_kept)).sum(axis=-1)
    ends, going_on = model.e ** (1 / T), model.m ** (1 - 1 / T) * (1 - model.e) ** (1 / T)
    lighter = np.exp(-n / 2 * abs(np.log(going_on + ends)))
    bound = lighter + (going_on / (going_on + ends)) ** (n / 2)
    return np.asarray(leaves - bound[:, 0])


def _prompt_marginal(run: Adapted) -> Floats:
    """The prompts' stationary masses when each chain draws its prompts uniformly and accepts by Π Z_t alone."""
    prompts = min(PROMPTS, len(run.log_z))
    log_w, log_q = _by_chain(run.log_kept), _by_chain(run.local.log_prob) - np.log(prompts)
    kernel = transition_matrix(log_w + log_q, log_q)
    # Adding Σ π = 1 to every equation makes the singular system (I - K)ᵀ π = 0 regular.
    system = np.eye(log_q.shape[-1]) - np.swapaxes(kernel, -1, -2) + 1.0
    masses = np.linalg.solve(system, np.ones((*log_q.shape, 1)))
    return np.asarray(masses.reshape(len(log_q), prompts, -1).sum(axis=-1))


def _by_chain(figures: Floats) -> Floats:
    """The strings of each chain's prompts, PROMPTS at most, one after another: [B, ...] -> [chains, prompts x ...]."""
    return figures.reshape(max(1, len(figures) // PROMPTS), -1)


def _always_accepting(run: Adapted) -> Floats:
    log_q = run.local.log_prob
    return np.exp(np.broadcast_to(log_q[..., None, :], (*log_q.shape, log_q.shape[-1])))


def _without_ratio(run: Adapted) -> Floats:
    """Acceptance by the target's ratio alone, as if the proposal were symmetric."""
    return transition_matrix(run.log_scores + run.local.log_prob, run.local.log_prob)
