"""Theorem 3.1 on a finite tree, read in three ways: whose success probability is P(r = 1 | s, a)?

`base_guided`: that of the base model's own continuations. `self_consistent`: that of the policy itself, the formula
being solved as a fixed point. `literal_optimum`: that of the policy itself, the objective being maximised as printed.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

from theory.arrays import logsumexp
from theory.guidance import classifier_guidance
from theory.language_models import Floats, Tree
from theory.literal_guidance import literal_guidance
from theory.values import backward, log_values

Rule: TypeAlias = Callable[[Floats, Floats, float], Floats]


def base_guided(tree: Tree, log_success: Floats, lam: float) -> Tree:
    """pi(a | s) ~ p(a | s) P_p(r = 1 | s a)^lambda; at lambda = 1 the posterior p(y) D(y) / P(r = 1).

    log_success: [..., M], log D(y). Raises ValueError as `respond`.
    """
    return Tree(respond(tree.log_steps, log_values(tree, log_success).action, lam))


def self_consistent(tree: Tree, log_success: Floats, lam: float) -> Tree:
    """The one policy with pi(a | s) ~ p(a | s) P_pi(r = 1 | s a)^lambda at every prefix, longest prefixes first.

    log_success: [..., M], log D(y). Raises ValueError as `respond`.
    """
    return _induced(tree, log_success, partial(respond, lam=lam))


def literal_optimum(tree: Tree, log_success: Floats, lam: float) -> Tree:
    """At every prefix the maximiser of lambda E_pi log(P_pi(r=1|s,.) / P_pi(r=1|s)) - KL(pi || p), longest first.

    log_success: [..., M], log D(y). Raises ValueError as `literal_guidance`.
    """
    return _induced(tree, log_success, partial(respond, lam=lam, rule=literal_guidance))


def respond(log_p: Floats, log_q: Floats, lam: float, rule: Rule = classifier_guidance) -> Floats:
    """The rule with the success probabilities Q at hand; p itself where no token can succeed: [..., V].

    Raises ValueError as `classifier_guidance`, the rule unless another is given.
    """
    hopeless = np.isneginf(logsumexp(log_p + log_q, keepdims=True))
    return np.asarray(rule(log_p, np.where(hopeless, 0.0, log_q), lam))


def _induced(tree: Tree, log_success: Floats, answer: Callable[[Floats, Floats], Floats]) -> Tree:
    values = backward(tree, log_success, lambda p, q: np.asarray(logsumexp(answer(p, q) + q)))
    return Tree(answer(tree.log_steps, values.action))
