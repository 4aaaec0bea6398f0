"""Values of the prefixes of a finite tree by backward induction, and the two optima that they lead to.

V(s) is what a backup makes of Q(s, .), the values of the tokens after s: Q(s, a) = V(s a) for a symbol and
Q(s, EOS) = r(s). The mean gives controlled decoding's V*, log E e^(.) the soft value, the maximum the optimal one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from theory.arrays import expectation, logsumexp
from theory.guidance import controlled
from theory.information import kl
from theory.language_models import Floats, Tree, aligned

Backup: TypeAlias = Callable[[Floats, Floats], Floats]
"""(log p(. | s), Q(s, .)), [..., V] each -> V(s), [...]."""


@dataclass(frozen=True, eq=False)
class Values:
    """What each prefix, and each token after it, is worth.

    state: [..., M], V(s). action: [..., M, n + 1], Q(s, a), EOS last; 0 for symbols that the greatest length forbids.
    """

    state: Floats
    action: Floats


def backward(tree: Tree, reward: Floats, backup: Backup) -> Values:
    """Q(s, EOS) = r(s), Q(s, a) = V(s a), V(s) = backup(p(. | s), Q(s, .)), longest prefixes first.

    reward: [..., M], one a string, -inf allowed; its batch and the tree's are broadcast.
    Raises ValueError on NaN or +inf, or where reward has another number of strings.
    """
    n, sizes = tree.n_symbols, tree.level_sizes
    if np.any(np.isnan(reward) | (reward == np.inf)):
        raise ValueError("reward contains NaN or +inf; check the model that produced it.")
    if reward.shape[-1:] != (sum(sizes),):
        raise ValueError(f"reward must hold one number for each of the {sum(sizes)} strings, not {reward.shape[-1:]}.")
    batch = np.broadcast_shapes(tree.log_steps.shape[:-2], reward.shape[:-1])
    ends = np.cumsum(sizes)[:-1]
    levels = zip(np.split(tree.log_steps, ends, axis=-2), np.split(reward, ends, axis=-1), strict=True)
    state, action = [], []
    below = np.zeros((*batch, sizes[-1] * n))
    for log_p, at_end in reversed(list(levels)):
        finished = np.broadcast_to(at_end, (*batch, at_end.shape[-1]))[..., None]
        action.append(np.concatenate([below.reshape(*batch, -1, n), finished], axis=-1))
        below = backup(log_p, action[-1])
        state.append(below)
    return Values(np.concatenate(state[::-1], axis=-1), np.concatenate(action[::-1], axis=-2))


def soft_backup(lam: float) -> Backup:
    """The backup V(s) = (1 / lambda) log sum_a p_a e^(lambda Q_a); raises ValueError unless 0 < lambda < inf."""
    strength = _strength(lam)
    return lambda log_p, q: np.asarray(logsumexp(log_p + strength * q) / strength)


def best_backup(log_p: Floats, q: Floats) -> Floats:
    """V(s) = max_a Q_a over the tokens that p allows."""
    return np.asarray(np.max(np.where(log_p == -np.inf, -np.inf, q), axis=-1))


def hard_values(tree: Tree, reward: Floats) -> Values:
    """V*(s) = E_p[r | s], the expected reward of the tree's own continuations.

    reward: [..., M]. Raises ValueError as `backward`. Source: Mudgal et al., equation 1.

    >>> from theory.language_models import from_scores
    >>> tree, _ = from_scores(np.log([0.5, 0.25, 0.25]), 2)
    >>> hard_values(tree, np.array([0.0, 3.0, 1.0])).state.tolist()
    [1.0, 3.0, 1.0]
    """
    return backward(tree, reward, expectation)


def soft_values(tree: Tree, reward: Floats, lam: float) -> Values:
    """V(s) = (1 / lambda) log E_p[e^(lambda r) | s], under which tokenwise control is the sequence-level optimum.

    reward: [..., M], -inf allowed. Raises ValueError unless 0 < lambda < inf, and as `backward`.
    """
    return backward(tree, reward, soft_backup(lam))


def log_values(tree: Tree, log_success: Floats) -> Values:
    """V(s) = log P(r = 1 | s) where a string y succeeds with probability D(y): the soft value of log D at lambda = 1.

    log_success: [..., M], log D(y) in [-inf, 0]. Raises ValueError as `backward`. Source: Chang et al., Lemma 4.1.
    """
    return soft_values(tree, log_success, 1.0)


def optimal_values(tree: Tree, reward: Floats) -> Values:
    """V(s) = max_a Q(s, a) over the tokens that the tree allows. Source: Chang et al., Definition A.6.

    reward: [..., M]. Raises ValueError as `backward`.
    """
    return backward(tree, reward, best_backup)


def tokenwise(tree: Tree, values: Values, lam: float) -> Tree:
    """Controlled decoding at every prefix: pi(a | s) ~ p(a | s) e^(lambda Q(s, a)).

    Raises ValueError where every allowed token is worth -inf. Source: Mudgal et al., Theorem 2.1.
    """
    return Tree(controlled(tree.log_steps, values.action, lam))


def sequence_optimum(tree: Tree, reward: Floats, lam: float) -> Tree:
    """The maximiser of lambda E_pi r - KL(pi || p) over laws of strings, p e^(lambda r) / Z, as a tree.

    reward: [..., M]. Raises ValueError unless 0 < lambda < inf, on NaN or +inf, and where Z = 0.

    >>> from theory.language_models import from_scores
    >>> tree, _ = from_scores(np.log([0.5, 0.25, 0.25]), 2)
    >>> np.exp(sequence_optimum(tree, np.log([1.0, 2.0, 4.0]), 1.0).log_prob).round(6).tolist()
    [0.25, 0.25, 0.5]
    """
    return aligned(tree, reward, 1 / _strength(lam))[0]


def sequence_objective(policy: Tree, prior: Tree, reward: Floats, lam: float) -> Floats:
    """lambda E_pi r - KL(pi || p) over complete strings, in nats: [...]."""
    return np.asarray(lam * expectation(policy.log_prob, reward) - kl(policy.log_prob, prior.log_prob))


def _strength(lam: float) -> float:
    if not 0 < lam < np.inf:
        raise ValueError(f"lambda must be a positive number, not {lam}.")
    return lam
