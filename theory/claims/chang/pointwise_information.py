"""Pointwise and mutual information: what the log-ratios of sections 4.2 and 5 are, and of what they are not."""

import numpy as np

from theory.arrays import Array, expectation, logsumexp, normalised
from theory.claims.optimality import ROUNDING, simplex
from theory.information import entropy, kl
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.solvers import minimise_linear

BATCH, EVIDENCES, TOKENS = 1000, 3, 5


def evidence_worlds(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """log P(e) [B, E], log P(a | e) [B, E, V], and the model without evidence as their mixture, log P(a) [B, V]."""
    log_e = simplex(rng, BATCH, EVIDENCES, 0.05)
    log_a = simplex(rng, BATCH * EVIDENCES, TOKENS, 1e-3).reshape(BATCH, EVIDENCES, TOKENS)
    return log_e, log_a, logsumexp(np.moveaxis(log_e[..., None] + log_a, 1, -1))


def off_the_hull(p: Array, p_without: Array) -> Array:
    """min over weights w of max_a |sum_e w_e P(a | e) - P^-(a)|: 0 iff P^- is a mixture. [B, E, V], [B, V] -> [B]."""
    batch, size, tokens = p.shape
    slack = -np.ones((batch, tokens, 1))
    rows = np.concatenate([np.concatenate([side * np.swapaxes(p, 1, 2), slack], axis=2) for side in (1, -1)], axis=1)
    limits = np.concatenate([p_without, -p_without], axis=1)
    last = np.eye(size + 1)[-1]
    costs, weights = (np.broadcast_to(row, (batch, size + 1)) for row in (last, 1 - last))
    found = minimise_linear(costs, rows, limits, weights[:, None], np.ones((batch, 1)))
    return found[:, -1]


@claim(
    "chang.defA.7",
    paper="chang",
    where="Definition A.7",
    kind="definition",
    statement="pmi(x,y) = log P(x,y)/(P(x)P(y)) = log P(x|y)/P(x) = log P(y|x)/P(y), for outcomes x and y (not for "
    "distributions).",
    verdict="holds",
    assumptions="Outcomes of positive probability.",
)
def three_forms(rng: np.random.Generator) -> Evidence:
    """Random joints made from P(x) and P(y|x); P(x|y) from the columns of the joint."""
    log_x, log_y_given_x, log_y = evidence_worlds(rng)
    joint = np.exp(log_x)[..., None] * np.exp(log_y_given_x)
    x_given_y = joint / joint.sum(axis=1, keepdims=True)
    first = np.log(joint / (joint.sum(axis=2, keepdims=True) * joint.sum(axis=1, keepdims=True)))
    forms = {"by P(x|y)": np.log(x_given_y) - log_x[..., None], "by P(y|x)": log_y_given_x - log_y[:, None]}
    for name, form in forms.items():
        gaps = np.abs(form - first).ravel()
        yield at_most(name, oracle="joint probabilities", residuals=gaps, tolerance=ROUNDING)
    crossed = np.abs(np.log(x_given_y) - log_y[:, None] - first).ravel()
    yield rejects("log P(x|y)/P(y)", at_most("", oracle="", residuals=crossed, tolerance=1e-3))
    undivided = np.abs(log_y_given_x - first).ravel()
    yield rejects("log P(y|x), not divided by P(y)", at_most("", oracle="", residuals=undivided, tolerance=1e-3))


@claim(
    "chang.pmi_e",
    paper="chang",
    where="Section 4.2, first interpretation",
    kind="statement",
    statement="log P_G(a|s)/P_G(a|s⁻) is pmi(e, a|s⁻) of some joint law iff P_G(·|s⁻) is a mixture over e of the "
    "P_G(·|e,s⁻). Two prompts of a language model need not obey: P(·|e₁) = (.9,.1), P(·|e₂) = (.8,.2) and "
    "P⁻ = (.5,.5) come from no joint law.",
    verdict="holds-with-assumption",
    assumptions="The model without the evidence lies in the convex hull of the models with each evidence.",
)
def evidence_and_token(rng: np.random.Generator) -> Evidence:
    """The pmi of the joint law where there is one; a linear programme where there may be none."""
    log_e, log_a, log_without = evidence_worlds(rng)
    joint = np.exp(log_e[..., None] + log_a)
    pmi = np.log(joint / (joint.sum(axis=2, keepdims=True) * joint.sum(axis=1, keepdims=True)))
    gaps = np.abs(log_a - log_without[:, None] - pmi).ravel()
    yield at_most("a mixture: the log-ratio is the pmi", oracle="joint law", residuals=gaps, tolerance=ROUNDING)
    unrelated = np.abs(log_a - simplex(rng, BATCH, TOKENS, 1e-3)[:, None] - pmi).ravel()
    yield rejects("any model without evidence", at_most("", oracle="", residuals=unrelated, tolerance=1e-3))
    found = off_the_hull(np.exp(log_a), np.exp(log_without))
    # HiGHS holds its constraints to 1e-7.
    yield at_most("a mixture lies in the hull", oracle="SciPy HiGHS", residuals=found, tolerance=1e-6)
    strange = off_the_hull(np.exp(log_a), np.exp(simplex(rng, BATCH, TOKENS, 1e-3)))
    yield rejects("every model lies in the hull", at_most("", oracle="", residuals=strange, tolerance=1e-3))
    off = off_the_hull(np.array([[[0.9, 0.1], [0.8, 0.2]]]), np.array([[0.5, 0.5]]))
    yield at_least(
        "the counter-example is .3 off it", oracle="SciPy HiGHS, worked example", margins=off, tolerance=0.3 - 1e-6
    )
    yield rejects("two prompts always have a joint law", at_most("", oracle="", residuals=off, tolerance=1e-3))


@claim(
    "chang.Ihat_gen",
    paper="chang",
    where="Section 5, the generative approximation of mutual information",
    kind="definition",
    statement="Î = E_π log(P_G/P_G⁻) = KL(π‖P_G⁻) − KL(π‖P_G). At π = P_G it is the information that one e gives, "
    "KL(P_G‖P_G⁻); the mutual information is its mean over e. For other π it can be negative.",
    verdict="holds",
    assumptions="An approximation, as the paper says; for the mean over e the P_G⁻ is the mixture of the P_G.",
)
def generative(rng: np.random.Generator) -> Evidence:
    """The identity at random policies; the mutual information from entropies."""
    log_e, log_a, log_without = evidence_worlds(rng)
    log_p, log_pi = log_a[:, 0], normalised(rng.normal(size=log_without.shape))
    found = expectation(log_pi, log_p - log_without)
    gaps = np.abs(found - kl(log_pi, log_without) + kl(log_pi, log_p))
    yield at_most("Î is a difference of two KL", oracle="random policies", residuals=gaps, tolerance=ROUNDING)
    swapped = np.abs(found - kl(log_without, log_pi) + kl(log_p, log_pi))
    yield rejects("KL in the other direction", at_most("", oracle="", residuals=swapped, tolerance=1e-3))
    mutual = entropy(log_without) - expectation(log_e, entropy(log_a))
    mean = expectation(log_e, kl(log_a, np.broadcast_to(log_without[:, None], log_a.shape)))
    yield at_most("its mean over e is I(a; e)", oracle="entropies", residuals=np.abs(mean - mutual), tolerance=ROUNDING)
    one = np.abs(kl(log_p, log_without) - mutual)
    yield rejects("one e for the mean over e", at_most("", oracle="", residuals=one, tolerance=1e-3))
    negative = expectation(log_without, log_p - log_without)
    gaps = np.abs(negative + kl(log_without, log_p))
    yield at_most("at π = P_G⁻: −KL(P_G⁻‖P_G)", oracle="definition", residuals=gaps, tolerance=ROUNDING)
    yield rejects("Î is never negative", at_most("", oracle="", residuals=-negative, tolerance=1e-3))


@claim(
    "chang.3.3.discriminative",
    paper="chang",
    where="Section 5, third item on λ(s, s⁻)",
    kind="statement",
    statement="Printed: D_KL(P_π(r=1|s,·)‖P_π(r=1|s)) is another valid measure of relevance. It is none: P_π(r=1|s,a) "
    "is no distribution over a, and Σ_a Q log(Q/V) can be negative. Smallest case: π = (.99,.01), Q = (.8,.4). "
    "Corrected: KL(P(·|s,r=1)‖P(·|s)) = Σ_a π (Q/V) log(Q/V) ≥ 0.",
    verdict="erratum",
)
def discriminative(rng: np.random.Generator) -> Evidence:
    """Policies that mostly take the best token, the others succeeding at most half as often; then any policies."""
    log_pi = np.log(0.99 * np.eye(1, TOKENS) + 0.01 * rng.dirichlet(np.ones(TOKENS), size=BATCH))
    q = rng.uniform(0.4, 0.9, size=(BATCH, 1)) * np.append(1.0, np.full(TOKENS - 1, 0.5))
    printed = _printed(np.exp(log_pi), q)
    smallest = _printed(np.array([0.99, 0.01]), np.array([0.8, 0.4]))
    yield at_least(
        "printed: smallest case (nats below 0)", oracle="definition, worked example", margins=[-smallest], tolerance=0.2
    )
    # V >= .99 max Q, so each of the others adds -Q log 2 and a little, the best at most .01 max Q.
    yield at_least("printed: negative (nats below 0)", oracle="definition", margins=-printed, tolerance=0.1)
    yield at_least(
        "printed: Q over a does not sum to 1", oracle="sum", margins=np.abs(q.sum(axis=-1) - 1), tolerance=0.1
    )
    yield rejects("the printed measure as a divergence", at_most("", oracle="", residuals=-printed, tolerance=1e-3))

    log_pi, q = simplex(rng, BATCH, TOKENS, 1e-3), rng.uniform(0.05, 0.95, size=(BATCH, TOKENS))
    posterior = normalised(log_pi + np.log(q))
    ratio = q / np.sum(np.exp(log_pi) * q, axis=-1, keepdims=True)
    divergence = kl(posterior, log_pi)
    gaps = np.abs(divergence - np.sum(np.exp(log_pi) * ratio * np.log(ratio), axis=-1))
    yield at_most("corrected: Σ π (Q/V) log(Q/V)", oracle="definition", residuals=gaps, tolerance=ROUNDING)
    yield at_most("corrected: never negative", oracle="Gibbs", residuals=-divergence, tolerance=ROUNDING)
    without = np.abs(divergence - np.sum(ratio * np.log(ratio), axis=-1))
    yield rejects("without the factor π", at_most("", oracle="", residuals=without, tolerance=1e-3))


def _printed(pi: Array, q: Array) -> Array:
    return np.sum(q * np.log(q / np.sum(pi * q, axis=-1, keepdims=True)), axis=-1)
