"""Equation 2 and the rule that samples from its maximiser: concavity, no control at all, and inexact scorers."""

import numpy as np

from theory.arrays import Array, expectation, logsumexp, normalised
from theory.claims.cd.tokenwise import printed
from theory.claims.optimality import EXPONENTS, ROUNDING, simplex
from theory.claims.trees import random_world
from theory.guidance import controlled
from theory.information import kl
from theory.ledger import Evidence, at_most, claim, rejects
from theory.values import Values, hard_values, tokenwise

BATCH, TOKENS = 1000, 5


@claim(
    "cd.eq2",
    paper="cd",
    where="Equation 2",
    kind="statement",
    statement="J = λ A(π) − KL(π‖p) is concave in π, A being linear and KL convex. It is 1-strongly concave in the L1 "
    "norm: J at the middle of a chord exceeds the mean of J at its ends by ‖π − π'‖₁²/8 or more.",
    verdict="holds",
)
def concave(rng: np.random.Generator) -> Evidence:
    """Chords between random policies, and the short chords about two equal tokens where the bound is tight."""
    lam = np.resize([0.0, *EXPONENTS], BATCH)
    log_p, values = simplex(rng, BATCH, TOKENS, 1e-3), rng.uniform(-1, 1, size=(BATCH, TOKENS))
    bulge, squared = _chord(simplex(rng, BATCH, TOKENS, 1e-3), simplex(rng, BATCH, TOKENS, 1e-3), log_p, values, lam)
    lack = squared / 8 - bulge
    yield at_most("1-strongly concave in L1", oracle="Pinsker", residuals=lack, tolerance=ROUNDING)
    yield rejects("linear", at_most("", oracle="", residuals=bulge, tolerance=1e-3))
    ends = np.log(np.array([[0.6, 0.4], [0.4, 0.6]]))[:, None]
    bulge, squared = _chord(ends[0], ends[1], ends[0], np.array([[1.0, -1.0]]), np.ones(1))
    yield rejects("2-strongly concave", at_most("", oracle="", residuals=squared / 4 - bulge, tolerance=1e-3))


@claim(
    "cd.lambda0",
    paper="cd",
    where="Section 2, the extreme λ = 0",
    kind="statement",
    statement="At λ = 0 the optimal policy is the base model p, with A = D = 0, and it tends to p as λ → 0: "
    "D = (λ²/2) Var_p(V*) + O(λ³).",
    verdict="holds",
)
def no_control(rng: np.random.Generator) -> Evidence:
    """The rule at λ = 0 and near it, on every prefix of random trees."""
    tree, reward = random_world(rng, -1.0, 1.0)
    values = hard_values(tree, reward)
    policy = tokenwise(tree, values, 0.0)
    gaps = np.abs(np.exp(policy.log_steps) - np.exp(tree.log_steps)).ravel()
    yield at_most("π = p", oracle="p", residuals=gaps, tolerance=ROUNDING)
    advantage = np.abs(expectation(policy.log_steps, values.action) - values.state).ravel()
    yield at_most("A = 0", oracle="definition", residuals=advantage, tolerance=ROUNDING)
    divergence = np.abs(kl(policy.log_steps, tree.log_steps)).ravel()
    yield at_most("D = 0", oracle="definition", residuals=divergence, tolerance=ROUNDING)
    small = 1e-3
    found = kl(tokenwise(tree, values, small).log_steps, tree.log_steps) / small**2
    variance = expectation(tree.log_steps, (values.action - values.state[..., None]) ** 2)
    # The next order is lambda times a third moment of values in [-1, 1]; rounding adds 1e-16 / lambda^2.
    gaps = np.abs(found - variance / 2).ravel()
    yield at_most("D/λ² → Var/2", oracle="variance", residuals=gaps, tolerance=2e-3)
    yield rejects("D/λ² → Var", at_most("", oracle="", residuals=np.abs(found - variance).ravel(), tolerance=2e-3))
    moved = np.abs(np.exp(tokenwise(tree, values, 0.1).log_steps) - np.exp(tree.log_steps)).ravel()
    yield rejects("p also at λ = 0.1", at_most("", oracle="", residuals=moved, tolerance=1e-3))


@claim(
    "cd.tradeoff",
    paper="cd",
    where="Section 2, trade-off of A and D in λ",
    kind="statement",
    statement="Along the optimal policies dA/dλ = Var_π(V*) and dD/dλ = λ Var_π(V*), so both the advantage and the "
    "divergence grow with λ; as λ → ∞ the policy becomes p restricted to the tokens of largest V*.",
    verdict="holds",
)
def tradeoff(rng: np.random.Generator) -> Evidence:
    """Central differences of the rule that we run, at every prefix."""
    tree, reward = random_world(rng, -1.0, 1.0)
    values, h = hard_values(tree, reward), 1e-4
    q = values.action
    for lam in EXPONENTS:
        low, here, high = (tokenwise(tree, values, lam + side).log_steps for side in (-h, 0.0, h))
        advantage = (expectation(high, q) - expectation(low, q)) / (2 * h)
        divergence = (kl(high, tree.log_steps) - kl(low, tree.log_steps)) / (2 * h)
        variance = expectation(here, (q - expectation(here, q)[..., None]) ** 2)
        # Central differences err by h² times third derivatives below 100.
        for name, gaps in {"dA/dλ = Var": advantage - variance, "dD/dλ = λ Var": divergence - lam * variance}.items():
            residuals = np.abs(gaps).ravel()
            yield at_most(f"{name}, λ = {lam:g}", oracle="central differences", residuals=residuals, tolerance=1e-6)
    off = np.abs(divergence - variance).ravel()
    yield rejects("dD/dλ = Var", at_most("", oracle="", residuals=off, tolerance=1e-3))
    base = expectation(tree.log_steps, (q - expectation(tree.log_steps, q)[..., None]) ** 2)
    off = np.abs(advantage - base).ravel()
    yield rejects("the variance under p", at_most("", oracle="", residuals=off, tolerance=1e-3))
    tied = np.sign(np.round(reward))
    values = hard_values(tree, tied)
    allowed = np.where(np.isfinite(tree.log_steps), values.action, -np.inf)
    # Ties of V* that are sums in another order differ by rounding.
    lack = allowed.max(axis=-1, keepdims=True) - allowed
    best, far = lack < 1e-12, 300.0
    kept = np.where(best, tree.log_steps, -np.inf)
    left = np.exp(logsumexp(np.where(best, -np.inf, tree.log_steps - far * lack)) - logsumexp(kept))
    found = np.exp(tokenwise(tree, values, far).log_steps)

    def missed(limit: Array) -> Array:
        return (np.abs(found - limit).sum(axis=-1) / 2 - left).ravel()

    name = "λ → ∞: p on the best tokens, but for e^(−λ lack) of the others"
    yield at_most(name, oracle="maxima", residuals=missed(np.exp(normalised(kept))), tolerance=ROUNDING)
    even = best / best.sum(axis=-1, keepdims=True)
    yield rejects("ties shared equally", at_most("", oracle="", residuals=missed(even), tolerance=1e-3))


@claim(
    "cd.eq6",
    paper="cd",
    where="Equation 6",
    kind="algorithm",
    statement="Sampling from p e^(λ V_θ) is Theorem 2.1's policy when V_θ = V* up to a constant a prefix; an error of "
    "the scorer costs KL(π_θ‖π*) ≤ 2λ sup|V_θ − V*| at each step, and twice cannot be replaced by once.",
    verdict="holds",
)
def inexact_scorer(rng: np.random.Generator) -> Evidence:
    """Random errors of the scorer at every prefix of random trees; the worst case on two tokens."""
    tree, reward = random_world(rng, -1.0, 1.0)
    values = hard_values(tree, reward)
    constant = rng.normal(size=values.state.shape)[..., None]
    excess, moved = [], []
    for lam in EXPONENTS:
        best = tokenwise(tree, values, lam).log_steps
        shifted = tokenwise(tree, Values(values.state, values.action + constant), lam).log_steps
        moved.append(np.abs(np.exp(shifted) - np.exp(best)).ravel())
        error = rng.normal(size=values.action.shape)
        wrong = tokenwise(tree, Values(values.state, values.action + error), lam).log_steps
        excess.append((kl(wrong, best) - 2 * lam * np.abs(error).max(axis=-1)).ravel())
    yield at_most("constants do not matter", oracle="exact scorer", residuals=np.ravel(moved), tolerance=ROUNDING)
    yield at_most("KL ≤ 2λ sup|error|", oracle="exact scorer", residuals=np.ravel(excess), tolerance=ROUNDING)

    # A token with e^-18 of the mass, over-rated by 10 nats, while its rival is under-rated by as much.
    rare = np.array([[-18.0, np.log1p(-np.exp(-18.0))]])
    cost = kl(controlled(rare, np.array([[10.0, -10.0]]), 1.0), rare)
    yield rejects("KL ≤ λ sup|error|", at_most("", oracle="", residuals=cost - 10, tolerance=1e-3))
    yield at_most(
        "the worst case obeys 2λ sup|error|", oracle="worked example", residuals=cost - 20, tolerance=ROUNDING
    )


def _chord(log_a: Array, log_b: Array, log_p: Array, values: Array, lam: Array) -> tuple[Array, Array]:
    """J(middle) minus the mean of J(a) and J(b), and the squared L1 distance of a and b."""
    value = expectation(log_p, values)
    at = [
        printed(log_pi, log_p, values, value, lam) for log_pi in (log_a, log_b, np.logaddexp(log_a, log_b) - np.log(2))
    ]
    return at[2] - (at[0] + at[1]) / 2, np.abs(np.exp(log_a) - np.exp(log_b)).sum(axis=-1) ** 2
