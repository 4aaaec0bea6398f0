"""Decoding as a decision process: what a state must hold, the values of appendix A.1, and greedy optimality."""

import numpy as np

from theory.claims.optimality import ROUNDING
from theory.claims.trees import DEPTH, SYMBOLS, all_policies, chosen, enumerated, random_world, transitions
from theory.language_models import Tree, path_products, strings
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.values import hard_values, optimal_values

SMALL = 2
"""The depth at which every deterministic policy can be listed: 27 of them."""


@claim(
    "chang.sec2.mdp",
    paper="chang",
    where="Section 2",
    kind="definition",
    statement="Decoding is a decision process with states (e, x, y_<t), the next token as action, a deterministic "
    "transition and one final reward. States must be sequences (the printed s ∪ a forgets order and repetition), and "
    "that y ends with EOS for some finite T is an assumption on the policy: with P(EOS) = 1/(t+1)² at step t half of "
    "all episodes never end.",
    verdict="holds-with-assumption",
    assumptions="States are sequences of tokens; the policy ends almost surely.",
)
def process(rng: np.random.Generator) -> Evidence:
    """The chain over prefixes against the law of strings; the same with sets for states; an endless policy."""
    tree, _ = random_world(rng, 0.0, 1.0)
    law = np.exp(tree.log_prob)
    start = np.eye(law.shape[-1])[0]
    stopped = np.exp(tree.log_steps[..., -1])
    visits = np.linalg.solve(np.eye(law.shape[-1]) - transitions(tree).mT, start[:, None])[..., 0]
    gaps = np.abs(visits * stopped - law).max(axis=-1)
    yield at_most("the chain ends in y with p(y)", oracle="linear solve", residuals=gaps, tolerance=ROUNDING)

    every = strings(SYMBOLS, DEPTH)
    alike = np.array([[float(set(a) == set(b)) for b in every] for a in every])
    # What a policy that sees the set alone can do: the mean of the steps over the prefixes with that set.
    merged = alike @ (visits[..., None] * np.exp(tree.log_steps)) / (alike @ visits[..., None])
    gaps = np.abs(np.exp(path_products(np.log(merged))) - law).max(axis=-1)
    yield rejects("sets of tokens as states", at_most("", oracle="", residuals=gaps, tolerance=1e-3))

    steps = np.arange(1.0, 1001.0)
    running = np.cumprod(1 - 1 / (steps + 1) ** 2)
    gaps = np.abs(running - (steps + 2) / (2 * (steps + 1)))
    yield at_most("P(running after t) = (t+2)/(2(t+1))", oracle="closed form", residuals=gaps, tolerance=ROUNDING)
    yield at_least("without the assumption: half never end", oracle="product", margins=running, tolerance=0.5)
    yield rejects("every policy ends", at_most("", oracle="", residuals=running, tolerance=1e-3))


@claim(
    "chang.defA.1-A.6",
    paper="chang",
    where="Definitions A.1 to A.6",
    kind="definition",
    statement="V_π(s) and Q_π(s,a) are the expected final reward from s, or after a in s, under π; Q_*(s,a) is the "
    "maximum of Q_π(s,a) over policies. Backward induction computes all three.",
    verdict="holds",
    assumptions="Undiscounted and possibly unbounded in time, the return needs a policy that ends almost surely.",
)
def values(rng: np.random.Generator) -> Evidence:
    """All strings for V and Q, all 27 deterministic policies for Q_*."""
    policy, reward = random_world(rng, -1.0, 1.0)
    found, exact = hard_values(policy, reward), enumerated(np.exp(policy.log_prob), reward)
    for name, gaps in {"V_π": found.state - exact.state, "Q_π": found.action - exact.action}.items():
        yield at_most(name, oracle="enumeration of strings", residuals=np.abs(gaps).ravel(), tolerance=ROUNDING)
    lengths = np.array([len(y) for y in strings(SYMBOLS, DEPTH)])
    gaps = np.abs(hard_values(policy, 0.9**lengths * reward).state - exact.state)
    yield rejects("discount 0.9", at_most("", oracle="", residuals=gaps.ravel(), tolerance=1e-3))

    tree, reward = random_world(rng, -1.0, 1.0, SMALL)
    best = hard_values(_each_policy(), reward).action.max(axis=0)
    gaps = np.abs(optimal_values(tree, reward).action - best).ravel()
    yield at_most("Q_*", oracle="enumeration of policies", residuals=gaps, tolerance=ROUNDING)
    gaps = np.abs(hard_values(tree, reward).action - best).ravel()
    yield rejects("the mean in the place of the maximum", at_most("", oracle="", residuals=gaps, tolerance=1e-3))


@claim(
    "chang.thmA.1",
    paper="chang",
    where="Theorem A.1",
    kind="theorem",
    statement="Choosing one a with maximal Q_*(s,a) at every s is optimal. Without a horizon it need not be: over "
    "{a, EOS} with reward 1 on ending, Q_*(s,a) = Q_*(s,EOS) = 1, yet 'always a' satisfies the formula and earns 0.",
    verdict="holds-with-assumption",
    assumptions="Finitely many actions, a finite horizon (or every greedy policy ends), and ties broken to one action: "
    "the printed formula gives 1 to each of the tied.",
)
def greedy(rng: np.random.Generator) -> Evidence:
    """All deterministic policies of small trees, half of them with ties; the endless world."""
    tree, reward = random_world(rng, -1.0, 1.0, SMALL)
    reward[::2] = reward[::2] > 0.0
    action = optimal_values(tree, reward).action
    allowed = np.where(np.isneginf(tree.log_steps), -np.inf, action)
    best = hard_values(_each_policy(), reward).state.max(axis=0)
    tied = allowed == allowed.max(axis=-1, keepdims=True)
    anyone = chosen(np.where(tied, rng.random(allowed.shape), -1.0).argmax(axis=-1))  # of the tied, at random
    short = best - hard_values(anyone, reward).state
    yield at_most("greedy is optimal at every s", oracle="all policies", residuals=short.ravel(), tolerance=ROUNDING)
    worst = chosen(np.where(np.isneginf(allowed), np.inf, action).argmin(axis=-1))
    short = best - hard_values(worst, reward).state
    yield rejects("argmin for argmax", at_most("", oracle="", residuals=short.ravel(), tolerance=1e-3))
    total = tied.sum(axis=-1)
    yield rejects(
        "the printed indicator as a policy under ties",
        at_most("", oracle="", residuals=np.abs(total - 1.0).ravel(), tolerance=1e-3),
    )

    ends, earned = np.array([0.0, 0.5, 1.0]), np.zeros(3)  # three policies' P(EOS), and what they earn by a horizon
    for _ in range(100):
        earned = (1 - ends) * earned + ends
    short = 1 - earned
    yield at_most("endless world: ending earns 1", oracle="worked example", residuals=short[1:], tolerance=ROUNDING)
    yield rejects("'always a' is optimal", at_most("", oracle="", residuals=short[:1], tolerance=1e-3))


def _each_policy() -> Tree:
    """All deterministic policies on a leading axis, beside that of the worlds."""
    return Tree(all_policies(SMALL).log_steps[:, None])
