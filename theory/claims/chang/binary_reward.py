"""Section 4: what a final reward in {0, 1} makes of the values, and of the pointwise mutual information."""

import numpy as np

from theory.claims.optimality import ROUNDING
from theory.claims.trees import (
    DEPTH,
    SYMBOLS,
    all_policies,
    enumerated,
    given_prefix,
    random_grader,
    random_world,
    solved,
)
from theory.language_models import Floats, Tree, strings
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.values import Values, hard_values, log_values, optimal_values


@claim(
    "chang.lem4.1a",
    paper="chang",
    where="Lemma 4.1, state and action values",
    kind="lemma",
    statement="With r_T in {0,1} and no other reward, V_π(s) = P_π(r_T=1|s) and Q_π(s,a) = P_π(r_T=1|s,a) "
    "(printed without its a).",
    verdict="holds",
    assumptions="Where π may run on for ever, read P(it ends and r_T=1).",
)
def probabilities(rng: np.random.Generator) -> Evidence:
    """Graders in {0, 1}: backward induction in log space, all strings, and a linear solve."""
    policy, _ = random_world(rng, 0.0, 1.0)
    log_d = random_grader(rng)
    success = np.exp(log_d)
    found, exact = log_values(policy, log_d), enumerated(np.exp(policy.log_prob), success)
    gaps = np.abs(np.exp(found.state) - exact.state).ravel()
    yield at_most("V_π = P(r=1|s)", oracle="enumeration", residuals=gaps, tolerance=ROUNDING)
    inside = np.isfinite(policy.log_steps)
    gaps = np.abs(np.exp(found.action) - exact.action)[inside]
    yield at_most("Q_π = P(r=1|s,a)", oracle="enumeration", residuals=gaps, tolerance=ROUNDING)
    for name, state in {
        "expected return": hard_values(policy, success).state,
        "(I−A)⁻¹": solved(policy, success),
    }.items():
        gaps = np.abs(np.exp(found.state) - state).ravel()
        yield at_most(f"V_π by {name}", oracle=name, residuals=gaps, tolerance=ROUNDING)
    gaps = np.abs(hard_values(policy, 2 * success - 1).state - exact.state).ravel()
    yield rejects("rewards −1 and 1", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    other, _ = random_world(rng, 0.0, 1.0)
    gaps = np.abs(np.exp(log_values(other, log_d).state) - exact.state).ravel()
    yield rejects("the values of another policy", at_most("", oracle="", residuals=gaps, tolerance=1e-3))


@claim(
    "chang.lem4.1b",
    paper="chang",
    where="Lemma 4.1, optimal policy",
    kind="lemma",
    statement="An optimal deterministic policy takes any a that maximises log(P_*(r=1|s,a)/P_*(r=1|s)). That maximum "
    "is always 0, as V_* = max Q_*: the best token is not strongly associated with success. With a deterministic "
    "grader Q_* is 0 or 1, so all viable tokens tie.",
    verdict="holds-with-assumption",
    assumptions="V_*(s) > 0 (else 0/0, and every action is optimal); log 0 = −∞; the argmax is a set.",
)
def association(rng: np.random.Generator) -> Evidence:
    """Half of the graders deterministic, with hopeless prefixes; all 27 deterministic policies as oracle."""
    tree, d = random_world(rng, 0.05, 0.95, depth=2)
    log_d = np.where(np.arange(len(d))[:, None] % 2, np.log(d), random_grader(rng, depth=2, share=0.2))
    log_q = optimal_values(tree, log_d)
    hope = np.isfinite(log_q.state)
    pmi = _pmi(log_q, tree)
    yield at_most("max pmi = 0", oracle="V_* > 0", residuals=np.abs(pmi.max(axis=-1)[hope]), tolerance=0.0)
    yield rejects(
        "the best token's pmi is positive", at_least("", oracle="", margins=pmi.max(axis=-1)[hope], tolerance=1e-3)
    )
    each = hard_values(Tree(all_policies(2).log_steps[:, None]), np.exp(log_d))
    best = Values(each.state.max(axis=0), each.action.max(axis=0))
    regret = _regret(best, pmi)[hope].ravel()
    yield at_most("every argmax of the pmi is optimal", oracle="all policies", residuals=regret, tolerance=ROUNDING)
    regret = _regret(best, _pmi(log_values(tree, log_d), tree))[hope].ravel()
    yield rejects("the pmi under the base model", at_most("", oracle="", residuals=regret, tolerance=1e-3))
    optimal = np.isfinite(tree.log_steps) & (best.action >= best.state[..., None] - ROUNDING)
    missed = np.where(optimal, np.abs(pmi), 0.0)[hope].ravel()
    yield at_most("and every optimal token is one", oracle="all policies", residuals=missed, tolerance=ROUNDING)
    yield at_most("hopeless: every Q_* = 0", oracle="all policies", residuals=best.state[~hope], tolerance=0.0)
    ties = np.minimum(best.action[::2], 1 - best.action[::2]).ravel()
    yield at_most("a deterministic grader: Q_* is 0 or 1", oracle="all policies", residuals=ties, tolerance=0.0)


@claim(
    "chang.sec4.text",
    paper="chang",
    where="Section 4, first paragraph",
    kind="statement",
    statement="Printed: a binary reward makes the action value a pointwise mutual information. Corrected: Q_π(s,a) is "
    "a probability; pmi(r=1, a|s) is log Q_π(s,a)/V_π(s), and only with V_π = Σ_a π Q_π of the same policy.",
    verdict="erratum",
)
def wording(rng: np.random.Generator) -> Evidence:
    """The pmi at the root from the joint law of first token and success, by enumeration."""
    policy, d = random_world(rng, 0.05, 0.95)
    law = np.exp(policy.log_prob)
    firsts = np.array([y[0] if y else SYMBOLS for y in strings(SYMBOLS, DEPTH)])
    joint = np.stack([(law * d)[:, firsts == a].sum(axis=-1) for a in range(SYMBOLS + 1)], axis=-1)
    token = np.stack([law[:, firsts == a].sum(axis=-1) for a in range(SYMBOLS + 1)], axis=-1)
    pmi = np.log(joint / (token * given_prefix(law, d)[:, :1]))
    found = log_values(policy, np.log(d))
    # The mean of Q − pmi is V_π + KL(π‖π(·|r=1)), so some token is off by V_π, here 1/20 or more.
    apart = np.abs(np.exp(found.action[:, 0]) - pmi).max(axis=-1)
    yield at_least("printed: Q is not the pmi", oracle="enumeration", margins=apart, tolerance=0.05)
    gaps = np.abs(found.action[:, 0] - found.state[:, :1] - pmi)
    yield at_most("corrected: log Q/V is", oracle="enumeration", residuals=gaps.ravel(), tolerance=ROUNDING)
    other, _ = random_world(rng, 0.0, 1.0)
    gaps = np.abs(found.action[:, 0] - log_values(other, np.log(d)).state[:, :1] - pmi)
    yield rejects("V of another policy", at_most("", oracle="", residuals=gaps.ravel(), tolerance=1e-3))
    gaps = np.abs(found.action[:, 0] - pmi)
    yield rejects("log Q, without V", at_most("", oracle="", residuals=gaps.ravel(), tolerance=1e-3))


def _pmi(log_q: Values, tree: Tree) -> Floats:
    """log Q(s,a)/V(s) of the allowed tokens, -inf for the others and where V(s) = 0."""
    some = np.isfinite(log_q.state)[..., None]
    log_v = np.where(some, log_q.state[..., None], 0.0)
    return np.where(some & np.isfinite(tree.log_steps), log_q.action - log_v, -np.inf)


def _regret(best: Values, pmi: Floats) -> Floats:
    """What each token of largest pmi loses, the best being taken afterwards; 0 for other tokens: [B, M, n + 1]."""
    taken = pmi == pmi.max(axis=-1, keepdims=True)
    return np.where(taken, best.state[..., None] - best.action, 0.0)
