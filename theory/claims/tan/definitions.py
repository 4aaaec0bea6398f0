"""Equations 9 and 10 and Definitions 1 to 3: the typical set, Renyi entropies, and models that may end anywhere."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from theory.automata import Automaton
from theory.claims.tan.worlds import random_world
from theory.families import random_automaton
from theory.information import entropy, renyi_entropy, varentropy
from theory.language_models import log_dirichlet
from theory.ledger import Evidence, at_most, claim, rejects
from theory.typicality import corpus_types, counted, is_typical, type_log_probs

Floats = NDArray[np.float64]
BATCH, SIZE = 1100, 12
LENGTHS = (1, 2, 5, 20, 100)


@claim(
    "tan.eq9-10",
    paper="tan",
    where="equations 9 and 10",
    kind="definition",
    statement="H(Y, +) = -Σ_y p₊(y) log p(y, +) = H(p₊) - log p(+), so the set T of corpora of N strings with "
    "|H(p₊) + (1/N) Σ log p₊(y_n)| < ε is the same in terms of p(y, +). A corpus in T has probability between "
    "e^{-N(H+ε)} and e^{-N(H-ε)}; T holds at most e^{N(H+ε)} of them, and at least P(T) e^{N(H-ε)}.",
    verdict="holds-with-assumption",
    assumptions="corpora are ordered, strings independent; p(+|y) = c e^{r(y)/β} for some c, on which p(+) depends",
)
def typical_set(rng: np.random.Generator) -> Evidence:
    beta = float(rng.uniform(0.5, 2))
    world = random_world(rng, 2, 1, (BATCH,), beta)
    log_q, log_c = world.aligned.log_prob, -3 / beta - rng.uniform(0, 2, (BATCH, 1))  # p(+|y) <= 1
    joint = world.prior.log_prob + world.reward / beta + log_c
    log_success = logsumexp(joint, axis=-1)
    pointwise = -(np.exp(log_q) * joint).sum(axis=-1)
    check = partial(at_most, oracle="sums over strings", tolerance=1e-12)  # a few terms below 30
    yield check("H(Y, +) = H(p₊) - log p(+)", residuals=np.abs(pointwise - entropy(log_q) + log_success))
    yield rejects("H(p₊) + log p(+)", check("", residuals=np.abs(pointwise - entropy(log_q) - log_success)))

    counts = corpus_types(3, SIZE)
    # Above rounding, so that no corpus lies on the border for one reckoning and off it for the other.
    epsilon = np.sqrt(varentropy(log_q) / SIZE) * rng.uniform(0.5, 2, BATCH)
    information, joint_mean = -counted(log_q, counts) / SIZE, -counted(joint, counts) / SIZE
    h = np.asarray(entropy(log_q))
    rows = zip(information, joint_mean, h, pointwise, epsilon.tolist(), strict=True)
    inside, alike = np.array([(is_typical(a, s, e), is_typical(b, t, e)) for a, b, s, t, e in rows]).swapaxes(0, 1)
    differs = np.any(inside != alike, axis=-1).astype(float)
    yield at_most("the same set by p₊ and by p(y, +)", oracle="every composition", residuals=differs, tolerance=0.0)
    log_orders = type_log_probs(log_q, counts) + SIZE * information  # a composition's number of corpora
    log_count = logsumexp(np.where(inside, log_orders, -np.inf), axis=-1)
    log_mass = logsumexp(np.where(inside, type_log_probs(log_q, counts), -np.inf), axis=-1)
    some = np.isfinite(log_count)  # a narrow set may hold no corpus
    sized = partial(at_most, oracle="count of every composition's orders", tolerance=1e-11)  # log-factorials of 12
    over = log_count - SIZE * (h + epsilon)
    yield sized("log |T| - N(H + ε)", residuals=over)
    yield sized(
        "log P(T) + N(H - ε) - log |T|", residuals=log_mass[some] - log_count[some] + SIZE * (h - epsilon)[some]
    )
    yield rejects("|T| ≤ e^{N(H-ε)}", sized("", residuals=over + 2 * SIZE * epsilon))
    yield rejects("all 3^N corpora", sized("", residuals=SIZE * np.log(3) - SIZE * (h + epsilon)))


@claim(
    "tan.def1-3",
    paper="tan",
    where="Definitions 1 to 3",
    kind="definition",
    statement="H_α = log Σ p^α / (1-α) has the limits log |supp p| at 0, H at 1 and -log max p at ∞. If "
    "p(eos | y) ≥ ε after every prefix (eos-bounded), P(|y| ≥ n) ≤ (1-ε)^n, so that it is "
    "tight. (Non-trivial means an infinite support, on which no law is uniform.)",
    verdict="holds",
)
def entropies_and_ends(rng: np.random.Generator) -> Evidence:
    log_p = log_dirichlet(6, rng, batch=(BATCH,))
    log_p[::2, -1] = -np.inf
    log_p -= logsumexp(log_p, axis=-1, keepdims=True)
    support = np.isfinite(log_p).sum(axis=-1)
    yield at_most(
        "H_0 = log |supp p|",
        oracle="counting",
        residuals=np.abs(renyi_entropy(log_p, 0.0) - np.log(support)),
        tolerance=1e-14,
    )
    near = [np.abs(renyi_entropy(log_p, 1 + side) - entropy(log_p)) for side in (-1e-6, 1e-6)]
    # The slope there is V/2, and V on six strings is below 10.
    limit = partial(at_most, oracle="definition at 1 ± 1e-6", tolerance=1e-5)
    yield limit("H_α → H as α → 1", residuals=np.concatenate(near))
    far = renyi_entropy(log_p, 1e4) + log_p.max(axis=-1)
    # (log Σ (p / max p)^α) / (1 - α), and -log max p / (α - 1), at α = 1e4; p has 6 strings.
    high = partial(at_most, oracle="definition at 10⁴", tolerance=np.log(6) / (1e4 - 1) + 1e-12)
    yield high("H_α → -log max p as α → ∞", residuals=np.abs(far))
    stop = float(rng.uniform(0.02, 0.3))
    model = random_automaton(3, 2, rng, stop, batch=(BATCH,))
    excess = [_survival(model, n) - (1 - model.stop_bound) ** n for n in LENGTHS]
    ends = partial(at_most, oracle="powers of the step matrix", tolerance=1e-13)  # sums of products of probabilities
    yield ends("P(|y| ≥ n) - (1-ε)^n", residuals=np.concatenate(excess))
    greatest = np.exp(model.log_stop).max(axis=-1)
    too_fast = [_survival(model, n) - (1 - greatest) ** n for n in LENGTHS]
    yield rejects("ε the greatest p(eos | y)", ends("", residuals=np.concatenate(too_fast)))
    yield rejects("H_α → H as α → 2", limit("", residuals=np.abs(renyi_entropy(log_p, 2.0) - entropy(log_p))))
    least = np.where(np.isfinite(log_p), log_p, 0.0).min(axis=-1)
    yield rejects("H_∞ = -log min p", high("", residuals=np.abs(renyi_entropy(log_p, 1e4) + least)))


def _survival(model: Automaton, n: int) -> Floats:
    """P(|y| ≥ n) from the start."""
    steps = np.linalg.matrix_power(np.exp(model.log_arcs).sum(axis=-1), n)
    return np.asarray(steps.sum(axis=-1)[..., 0])
