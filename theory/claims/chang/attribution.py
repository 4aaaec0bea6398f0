"""What the success probabilities of the base model's own continuations give: Bayes' rule, and the sign of I-hat."""

import numpy as np

from theory.arrays import Array, expectation, logsumexp, normalised
from theory.claims.optimality import ROUNDING, simplex
from theory.classifier_readings import respond
from theory.information import kl
from theory.ledger import Check, Evidence, at_least, at_most, claim, rejects

BATCH, SIZE = 1000, 3


def guided_strings(log_first: Array, log_second: Array, log_d: Array, lam: float) -> Array:
    """Log-probability of each string z1 z2 when both tokens follow Theorem 3.1's rule, Q under base rollouts.

    log_first: [B, n]; log_second: [B, n, n]; log_d: [B, n, n], log P(r=1 | z1 z2). Returns [B, n, n].
    """
    log_q = logsumexp(log_second + log_d)
    return respond(log_first, log_q, lam)[..., None] + respond(log_second, log_d, lam)


def flat(log_p: Array) -> Array:
    """One axis of strings: [B, n, n] -> [B, n^2]."""
    return log_p.reshape(len(log_p), -1)


def draw(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Random two-token base models and graders D in (0, 1)."""
    second = simplex(rng, BATCH * SIZE, SIZE, 1e-6).reshape(BATCH, SIZE, SIZE)
    return simplex(rng, BATCH, SIZE, 1e-6), second, np.log(rng.uniform(0.01, 1.0, size=second.shape))


@claim(
    "chang.thm3.1-base",
    paper="chang",
    where="Theorem 3.1 with P(r=1|·) under the base model's continuations",
    kind="theorem",
    statement="Read operationally, Q and V being success probabilities of P_G's own continuations, λ = 1 samples "
    "exactly from the posterior P_G(y) D(y)/P(r=1). For a grader D in {0, 1} its KL from P_G is −log P(r=1), the least "
    "of all laws that always succeed. E_π log(Q/V) = KL(π‖P_G) − KL(π‖posterior). λ = 2 gives neither the posterior "
    "nor P_G D² normalised.",
    verdict="holds-with-assumption",
    assumptions="Q and V are taken under the base model, not under the policy; P(r=1) > 0.",
)
def base_rollouts(rng: np.random.Generator) -> Evidence:
    """Two-token models, all strings enumerated."""
    log_first, log_second, log_d = draw(rng)
    log_y = flat(log_first[..., None] + log_second)
    posterior = normalised(log_y + flat(log_d))
    found = flat(guided_strings(log_first, log_second, log_d, 1.0))
    yield _apart("λ = 1 is the posterior", found, posterior, ROUNDING)
    yield rejects(
        "λ = 2 as the posterior", _apart("", flat(guided_strings(log_first, log_second, log_d, 2.0)), posterior, 1e-3)
    )
    globally = normalised(log_y + 2 * flat(log_d))
    yield rejects(
        "λ = 2 as P_G D² normalised",
        _apart("", flat(guided_strings(log_first, log_second, log_d, 2.0)), globally, 1e-3),
    )

    # The paper's graders: half of the strings fail, and with them every string of some first tokens.
    passed = np.where(rng.random(log_d.shape) < 0.5, 0.0, -np.inf)
    passed[:, 0, 0] = 0.0
    found, posterior = flat(guided_strings(log_first, log_second, passed, 1.0)), normalised(log_y + flat(passed))
    yield _apart("the same for D in {0, 1}, first tokens without hope among them", found, posterior, ROUNDING)
    masked = flat(log_first[..., None] + respond(log_second, passed, 1.0))
    yield rejects("the first token not guided", _apart("", masked, posterior, 1e-3))
    cost = np.abs(kl(found, log_y) + logsumexp(log_y + flat(passed)))
    yield at_most("its cost is −log P(r=1) for D in {0, 1}", oracle="enumeration", residuals=cost, tolerance=ROUNDING)

    any_sure = normalised(np.where(np.isfinite(flat(passed)), rng.normal(size=log_y.shape), -np.inf))
    saved = -logsumexp(log_y + flat(passed)) - kl(any_sure, log_y)
    yield at_most("no law that always succeeds costs less", oracle="random laws", residuals=saved, tolerance=ROUNDING)
    log_pi, log_q = normalised(rng.normal(size=log_first.shape)), logsumexp(log_second + log_d)
    reward = expectation(log_pi, log_q) - logsumexp(log_first + log_q)
    gaps = np.abs(reward - kl(log_pi, log_first) + kl(log_pi, normalised(log_first + log_q)))
    yield at_most(
        "E_π log Q/V = KL(π‖P_G) − KL(π‖posterior)", oracle="random policies", residuals=gaps, tolerance=ROUNDING
    )


@claim(
    "chang.Ihat_disc",
    paper="chang",
    where="Section 5, the discriminative approximation of mutual information",
    kind="definition",
    statement="Printed: Î = E_π log(P_π(r=1|s,·)/P_π(r=1|s)) approximates a mutual information, so maximising it "
    "promotes attribution. Corrected: with V_π = ⟨π,Q⟩ it is −KL(π‖π(·|r=1)) ≤ 0 and any point mass maximises it; the "
    "expectation under π(·|r=1), KL(π(·|r=1)‖π), is the non-negative one.",
    verdict="erratum",
)
def sign(rng: np.random.Generator) -> Evidence:
    """Random policies and success probabilities."""
    # Two tokens at the ends of the range, both with some mass: Q is never close to constant under the policy.
    log_pi = simplex(rng, BATCH, 4, 0.05)
    q = rng.uniform(0.05, 0.95, size=(BATCH, 4))
    q[:, 0], q[:, 1] = 0.05, 0.95
    posterior = normalised(log_pi + np.log(q))
    pmi = np.log(q) - logsumexp(log_pi + np.log(q), keepdims=True)
    printed, other = expectation(log_pi, pmi), expectation(posterior, pmi)
    yield at_least("printed: Î is negative (nats below 0)", oracle="random policies", margins=-printed, tolerance=0.01)
    gaps = np.abs(printed + kl(log_pi, posterior))
    yield at_most("corrected: Î = −KL(π‖π(·|r=1))", oracle="random policies", residuals=gaps, tolerance=ROUNDING)
    gaps = np.abs(other - kl(posterior, log_pi))
    yield at_most(
        "corrected: under π(·|r=1) it is KL(π(·|r=1)‖π)", oracle="random policies", residuals=gaps, tolerance=ROUNDING
    )
    sure = np.where(np.eye(4, dtype=bool)[:, None], 0.0, -np.inf) + np.zeros((4, BATCH, 1))  # the four point masses
    gain = expectation(sure, np.log(q)) - logsumexp(sure + np.log(q))
    yield at_most(
        "corrected: 0 at every point mass", oracle="vertices", residuals=np.abs(gain).ravel(), tolerance=ROUNDING
    )
    frozen = expectation(log_pi, np.log(q)) - np.log(np.sum(np.exp(log_pi[::-1]) * q, axis=-1))
    yield rejects("V of another policy", at_most("", oracle="", residuals=frozen, tolerance=1e-3))


def _apart(name: str, log_a: Array, log_b: Array, tolerance: float) -> Check:
    gaps = np.abs(np.exp(log_a) - np.exp(log_b)).max(axis=-1)
    return at_most(name, oracle="enumeration", residuals=gaps, tolerance=tolerance)
