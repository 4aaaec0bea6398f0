"""The value function V* of the base model: its definition, its Bellman equation, and how it combines rewards."""

import numpy as np

from theory.arrays import expectation
from theory.claims.optimality import EXPONENTS, ROUNDING
from theory.claims.trees import BATCH, apart, enumerated, hard_worlds, random_world, solved
from theory.language_models import Floats, log_dirichlet, path_products
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.values import Values, hard_values, soft_values, tokenwise

STATES = 4


def weighted(a: Values, b: Values, shares: tuple[float, float]) -> Values:
    """The combination of two prefix scorers, prefix by prefix and token by token."""
    first, second = shares
    return Values(first * a.state + second * b.state, first * a.action + second * b.action)


@claim(
    "cd.eq1",
    paper="cd",
    where="Equation 1",
    kind="definition",
    statement="V*([x, y^t]) = E_p[Σ R] over continuations drawn from the base model, the reward r counted once, at "
    "EOS. A reward that is bounded above is not enough: with P(|y| = n) = 2^(−n) and r = −2^n/n the value is "
    "−Σ 1/n = −∞.",
    verdict="holds-with-assumption",
    assumptions="p ends almost surely, EOS is absorbing, and E_p|r| < ∞. (log(T/T_max) is bounded above only for "
    "T ≤ T_max.)",
)
def definition(rng: np.random.Generator) -> Evidence:
    """Backward induction against all strings; rewards given too early; the harmonic series."""
    tree, reward = random_world(rng, -1.0, 1.0)
    found, exact = hard_values(tree, reward), enumerated(np.exp(tree.log_prob), reward)
    gaps = np.abs(found.state - exact.state).ravel()
    yield at_most("V* = E[r | prefix]", oracle="enumeration", residuals=gaps, tolerance=ROUNDING)
    for name, world in hard_worlds(rng).items():
        found, exact = hard_values(*world), enumerated(np.exp(world[0].log_prob), world[1])
        reached = np.isfinite(exact.state)  # where it is not, enumeration has nothing to average
        gaps = np.abs(found.state - exact.state)[reached] / max(1.0, np.abs(world[1]).max())
        yield at_most(f"the same, {name}", oracle="enumeration", residuals=gaps, tolerance=ROUNDING)
    # Paying r(s) at every prefix s on the way, whether or not y ends there.
    early = path_products(np.broadcast_to(reward[..., None], tree.log_steps.shape))
    gaps = np.abs(expectation(tree.log_prob, early) - exact.state[:, 0])
    yield rejects("rewards before EOS", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    value = -np.cumsum(1 / np.arange(1.0, 2.0**20 + 1))
    drops = value[2 ** np.arange(19) - 1] - value[2 ** np.arange(1, 20) - 1]
    yield at_least(
        "bounded above: each doubling costs ½", oracle="limit sequence: partial sums", margins=drops, tolerance=0.5
    )
    yield rejects("bounded above is enough", at_most("", oracle="", residuals=drops, tolerance=1e-3))


@claim(
    "cd.adv0",
    paper="cd",
    where="Section 2, advantage of the base policy",
    kind="identity",
    statement="A([x, y^t]; p) = E_p V*([x, y^t, z]) − V*([x, y^t]) = 0, by the law of total expectation.",
    verdict="holds",
    assumptions="V* is finite.",
)
def no_advantage(rng: np.random.Generator) -> Evidence:
    """V* of every prefix and of every next token by enumeration."""
    tree, reward = random_world(rng, -3.0, 3.0)
    exact = enumerated(np.exp(tree.log_prob), reward)
    gaps = np.abs(expectation(tree.log_steps, exact.action) - exact.state).ravel()
    yield at_most("A(p) = 0", oracle="enumeration", residuals=gaps, tolerance=ROUNDING)
    other, _ = random_world(rng, 0.0, 1.0)
    gaps = np.abs(expectation(other.log_steps, exact.action) - exact.state).ravel()
    yield rejects("the advantage of another policy", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    gaps = np.abs(expectation(tree.log_steps, exact.action) - soft_values(tree, reward, 1.0).state).ravel()
    yield rejects("a soft value as baseline", at_most("", oracle="", residuals=gaps, tolerance=1e-3))


@claim(
    "cd.bellman",
    paper="cd",
    where="Section 3.1, before equation 5",
    kind="equation",
    statement="V* = E_p V*(next) before EOS and r at EOS; the bounded solution is unique iff the model ends almost "
    "surely from every prefix: then V* = (I − A)^(−1) (P(EOS|·) r). Where it may run for ever, multiples of P(never "
    "ends|·) can be added; they are constants only where it never ends at all.",
    verdict="holds-with-assumption",
    assumptions="For uniqueness: p ends almost surely, and V is bounded. Answers of any length leave room for "
    "unbounded ones: with P(EOS) = 1/2 at every step 2^t can be added.",
)
def bellman(rng: np.random.Generator) -> Evidence:
    """Trees by enumeration and by a linear solve; automata with loops by their own powers; a model without end."""
    tree, reward = random_world(rng, -1.0, 1.0)
    exact = enumerated(np.exp(tree.log_prob), reward)
    gaps = np.abs(expectation(tree.log_steps, exact.action) - exact.state).ravel()
    yield at_most("V* satisfies it", oracle="enumeration", residuals=gaps, tolerance=ROUNDING)
    gaps = np.abs(solved(tree, reward) - hard_values(tree, reward).state).ravel()
    yield at_most("trees: (I−A)⁻¹", oracle="linear solve", residuals=gaps, tolerance=ROUNDING)

    # Loops among four states, EOS with probability 0.1 or more, a reward that depends on the last state.
    steps = np.exp(log_dirichlet(STATES + 1, rng, batch=(BATCH, STATES)))
    steps = 0.9 * steps + 0.1 * np.eye(STATES + 1)[-1]
    inner, ended = steps[..., :-1], steps[..., -1] * rng.uniform(-1, 1, size=(BATCH, STATES))
    value = np.linalg.solve(np.eye(STATES) - inner, ended[..., None])[..., 0]
    found = rng.normal(size=value.shape)
    for _ in range(400):
        found = (inner @ found[..., None])[..., 0] + ended
    # After 400 steps less than 0.9^400 < 1e-18 of the mass, and of the start, is left.
    gaps = np.abs(value - found).ravel()
    yield at_most("automata: (I−A)⁻¹ from any start", oracle="repeated backups", residuals=gaps, tolerance=ROUNDING)

    endless = inner / inner.sum(axis=-1, keepdims=True)
    shifted = np.abs((endless @ np.ones((STATES, 1)))[..., 0] - 1).ravel()
    yield at_most("no end: V* + c solves it too", oracle="row sums", residuals=shifted, tolerance=ROUNDING)
    yield from _partly_endless(inner, ended)
    # One symbol, EOS with probability 1/2 at every step: 2^t is a mean of 2^(t+1) and of nothing.
    doubling = 2.0 ** np.arange(60)
    kept = np.abs(doubling[:-1] - doubling[1:] / 2)
    yield rejects("unique among unbounded values too", at_least("", oracle="", margins=kept, tolerance=1e-3))
    shifted = np.abs((inner @ (value + 1)[..., None])[..., 0] + ended - value - 1).ravel()
    yield rejects("V* + 1 where it ends", at_most("", oracle="", residuals=shifted, tolerance=1e-3))


def _partly_endless(inner: Floats, ended: Floats) -> Evidence:
    """Two of the four states now lead to one another alone: what never ends there is reached from the others."""
    trap = np.arange(STATES) >= STATES // 2
    steps = np.where(trap[:, None], inner * trap, inner)
    steps = np.where(trap[:, None], steps / steps.sum(axis=-1, keepdims=True), steps)
    earned = np.where(trap, 0.0, ended)
    forever, value = np.ones_like(earned), np.zeros_like(earned)
    for _ in range(400):  # P(still running after t), and what the answers that end by then bring
        forever = (steps @ forever[..., None])[..., 0]
        value = (steps @ value[..., None])[..., 0] + earned

    def missed(added: Floats) -> Floats:
        return np.abs((steps @ (value + added)[..., None])[..., 0] + earned - value - added).ravel()

    name = "may never end: V* + c P(never ends) solves it too"
    yield at_most(name, oracle="product", residuals=missed(3 * forever), tolerance=ROUNDING)
    yield at_least("and is another solution", oracle="product", margins=3 * forever[:, trap].ravel(), tolerance=1.0)
    yield rejects("V* + c where it may end", at_most("", oracle="", residuals=missed(0 * forever + 3), tolerance=1e-3))


@claim(
    "cd.multiobj",
    paper="cd",
    where="Abstract and section 5, several rewards",
    kind="statement",
    statement="V* is linear in the reward, so Σ_i w_i V_i steers tokenwise decoding for Σ_i w_i r_i with no training. "
    "Not so for the sequence-level objective: its soft values are not linear in r.",
    verdict="holds-with-assumption",
    assumptions="The tokenwise objective, equation 2, with exact V_i.",
)
def several_rewards(rng: np.random.Generator) -> Evidence:
    """Two random rewards with random weights of either sign."""
    tree, first = random_world(rng, -1.0, 1.0)
    second = rng.uniform(-1, 1, size=first.shape)
    scorers, soft, policies = [], [], []
    for lam in EXPONENTS:
        shares = (float(rng.uniform(0.5, 1)), -float(rng.uniform(0.5, 1)))
        both = shares[0] * first + shares[1] * second
        trained = hard_values(tree, both)
        combined = weighted(hard_values(tree, first), hard_values(tree, second), shares)
        scorers.append(np.abs(trained.state - combined.state))
        policies.append(apart(tokenwise(tree, trained, lam), tokenwise(tree, combined, lam)))
        combined = weighted(soft_values(tree, first, lam), soft_values(tree, second, lam), shares)
        soft.append(apart(tokenwise(tree, soft_values(tree, both, lam), lam), tokenwise(tree, combined, lam)))
    yield at_most("the scorers add up", oracle="retraining", residuals=np.ravel(scorers), tolerance=ROUNDING)
    yield at_most("so do the policies", oracle="retraining", residuals=np.ravel(policies), tolerance=ROUNDING)
    yield rejects("the same with soft values", at_most("", oracle="", residuals=np.ravel(soft), tolerance=1e-3))
