"""Theorem 3.1 read as a fixed point, P_* being taken under the policy itself, and against controlled decoding."""

from functools import partial

import numpy as np

from theory.arrays import Array, logsumexp, normalised
from theory.claims.optimality import EXPONENTS, ROUNDING, simplex
from theory.claims.trees import BATCH, DEPTH, apart, chosen, given_prefix, random_grader, random_world
from theory.classifier_readings import respond
from theory.classifier_readings import self_consistent as fixed_point
from theory.guidance import classifier_guidance, controlled
from theory.information import kl
from theory.language_models import Tree, aligned, random_tree
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.values import hard_values, log_values, optimal_values


@claim(
    "chang.thm3.1-selfconsistent",
    paper="chang",
    where="Theorem 3.1 with P_* = P_(π_*)",
    kind="theorem",
    statement="On a finite tree exactly one policy satisfies π ∝ P_G P_π(r=1|s,·)^λ at every prefix, and best "
    "responses reach it from any start in as many sweeps as the tree has levels. With the paper's deterministic grader "
    "it is degenerate: P_G masked to the tokens that can still succeed and normalised locally, the same for every λ; "
    "it always succeeds, but is not P_G(y|r=1).",
    verdict="holds-with-assumption",
    assumptions="Finite tree; π = P_G by convention where no continuation succeeds. An equilibrium of one problem a "
    "prefix; over strings it is not the maximiser of λ log P_π(r=1) − KL(π‖P_G).",
)
def self_consistent(rng: np.random.Generator) -> Evidence:
    """Backward induction against best responses from random starts; masks; the posterior."""
    tree, d = random_world(rng, 0.05, 0.95)
    log_d, moved = np.log(d), []
    for lam in EXPONENTS:
        found, policy = fixed_point(tree, log_d, lam), random_tree(2, DEPTH, rng, batch=(BATCH,))
        for _ in range(DEPTH + 1):
            policy = Tree(respond(tree.log_steps, log_values(policy, log_d).action, lam))
        gaps = apart(policy, found)
        yield at_most(f"best responses meet it, λ = {lam:g}", oracle="iteration", residuals=gaps, tolerance=ROUNDING)
        moved.append(found)
    for lam, policy in zip(EXPONENTS, moved, strict=True):
        # The objectives are sums of 15 terms: a thousand times their rounding.
        more = partial(at_least, oracle="P_G e^(cD)", tolerance=1e3 * ROUNDING)
        best, plain = _best_over_strings(tree.log_prob, d, lam), normalised(tree.log_prob + lam * d)
        found, other, here = (_over_strings(pi, tree.log_prob, d, lam) for pi in (best, plain, policy.log_prob))
        yield more(f"λ log P_π(r=1) − KL is larger elsewhere, λ = {lam:g}", margins=found - here)
        yield rejects(f"larger at P_G e^(λD), λ = {lam:g}", more("", margins=other - here))
    one_sweep = Tree(respond(tree.log_steps, log_values(tree, log_d).action, 3.0))
    gaps = apart(one_sweep, moved[EXPONENTS.index(3.0)])
    yield rejects("one answer to the base model's Q", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    gaps = apart(moved[0], moved[-1])
    yield rejects("no λ in it with a random grader", at_most("", oracle="", residuals=gaps, tolerance=1e-3))

    passed = random_grader(rng)
    viable = np.isfinite(optimal_values(tree, passed).action) & np.isfinite(tree.log_steps)
    viable = np.where(viable.any(axis=-1, keepdims=True), viable, np.isfinite(tree.log_steps))
    mask = Tree(normalised(np.where(viable, tree.log_steps, -np.inf)))
    gaps = np.concatenate([apart(fixed_point(tree, passed, lam), mask) for lam in EXPONENTS])
    yield at_most("grader in {0,1}: the mask for every λ", oracle="Q_* in {0,1}", residuals=gaps, tolerance=ROUNDING)
    # Starts that never deviate from one token a prefix, most of them without any success.
    policy = chosen(np.where(np.isfinite(tree.log_steps), rng.random(tree.log_steps.shape), -1.0).argmax(axis=-1))
    for _ in range(DEPTH + 1):
        policy = Tree(respond(tree.log_steps, log_values(policy, passed).action, 3.0))
    gaps = apart(policy, mask)
    yield at_most("which deterministic starts reach too", oracle="iteration", residuals=gaps, tolerance=ROUNDING)
    failure = np.abs(log_values(mask, passed).state[:, 0])
    yield at_most("and it always succeeds", oracle="enumeration", residuals=failure, tolerance=ROUNDING)
    posterior, _ = aligned(tree, passed)
    gaps = kl(posterior.log_prob, mask.log_prob)
    yield rejects("the mask as P_G(y|r=1)", at_most("", oracle="", residuals=gaps, tolerance=1e-3))


def _over_strings(log_pi: Array, log_p: Array, d: Array, lam: float) -> Array:
    return lam * logsumexp(log_pi + np.log(d)) - kl(log_pi, log_p)


def _best_over_strings(log_p: Array, d: Array, lam: float) -> Array:
    """Its maximiser, P_G e^(cD) with c E[D] = λ under itself: c E[D] grows with c, so halve."""
    low, high = lam / d.max(axis=-1), lam / d.min(axis=-1)
    for _ in range(60):
        c = (low + high) / 2
        enough = c * (np.exp(normalised(log_p + c[:, None] * d)) * d).sum(axis=-1) > lam
        low, high = np.where(enough, low, c), np.where(enough, c, high)
    return normalised(log_p + low[:, None] * d)


@claim(
    "chang.vs_cd",
    paper="chang",
    where="Section 3.1, remark after Theorem 3.1",
    kind="statement",
    statement="Printed: rewritten with values, the rule is similar to controlled decoding. For a binary reward they "
    "are P_G V^λ and P_G e^(λV), different policies. Corrected: they agree when controlled decoding is given the log "
    "value log E[D|prefix], and then sample P_G(y|r=1) at λ = 1; its own value of the reward log D is E[log D|prefix], "
    "smaller by Jensen's inequality.",
    verdict="erratum",
)
def versus_controlled_decoding(rng: np.random.Generator) -> Evidence:
    """One step with success probabilities far apart; then trees, all strings enumerated."""
    log_p, q = simplex(rng, BATCH, 4, 0.05), rng.uniform(0.05, 0.95, size=(BATCH, 4))
    q[:, 0], q[:, 1] = 0.05, 0.95
    rules = classifier_guidance(log_p, np.log(q), 1.0), controlled(log_p, q, 1.0)
    distance = np.abs(np.exp(rules[0]) - np.exp(rules[1])).sum(axis=-1) / 2
    # Q e^(-Q) rises on [0, 1]: from 0.05 to 0.95 by a factor of 7.7, on tokens that have 1/20 of the mass each.
    yield at_least("printed: p V and p e^V (total variation)", oracle="one step", margins=distance, tolerance=0.01)
    yield rejects("p V^λ = p e^(λV)", at_most("", oracle="", residuals=distance, tolerance=1e-3))

    tree, d = random_world(rng, 0.05, 0.95)
    log_d = np.log(d)
    posterior = np.exp(normalised(tree.log_prob + log_d))
    by_log = Tree(controlled(tree.log_steps, log_values(tree, log_d).action, 1.0))
    gaps = np.abs(np.exp(by_log.log_prob) - posterior).max(axis=-1)
    yield at_most("corrected: log values give P_G(y|r=1)", oracle="enumeration", residuals=gaps, tolerance=ROUNDING)
    by_mean = Tree(controlled(tree.log_steps, hard_values(tree, log_d).action, 1.0))
    gaps = np.abs(np.exp(by_mean.log_prob) - posterior).max(axis=-1)
    yield rejects("E log D for log E D", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    law = np.exp(tree.log_prob)
    mean = hard_values(tree, log_d).state
    slack = np.log(given_prefix(law, d)) - mean
    yield at_most("corrected: E log D ≤ log E D", oracle="Jensen", residuals=-slack.ravel(), tolerance=ROUNDING)
    gaps = np.abs(given_prefix(law, log_d) - mean).ravel()
    yield at_most("corrected: CD's value is E log D", oracle="enumeration", residuals=gaps, tolerance=ROUNDING)
