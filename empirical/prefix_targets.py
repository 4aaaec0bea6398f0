"""What a prefix scorer is taught: CD-FUDGE's Monte-Carlo targets, CD-Q's one-step targets, and the loss of both.

A step is one token z = y_{t+1} of a text behind its prefix s_t = [x, y^t]. Q(s_t, z) is drawn

    CD-FUDGE: to r(x, y), of the base's own answer y;
    CD-Q:     to r(x, y) if z ends the text (EOS, or the T_max-th token), else to sum_z' p(z' | s_{t+1}) Q(s_{t+1}, z'),

half a squared distance each. CD-FUDGE's mean over the base's answers is E_p[r | s_t, z] = V*([x, y^t, z]), over other
answers that of their own law; CD-Q's fixed point is V* whatever law drew the texts, if they cover it. CD-Q's target is
held still: its gradient is not that of a loss. Source: Mudgal et al., equations 4 and 5; Yang and Klein 2021 (FUDGE).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from empirical.prefix_scorers import PrefixScorer


class Method(StrEnum):
    """How a prefix scorer is trained."""

    FUDGE = "fudge"
    Q = "q"


@dataclass(frozen=True)
class Batch:
    """Some steps: the state that each was drawn from [n, hidden], its token [n], and the text's reward [n, rewards].

    last: [n], whether the token ends its text; next_states [n, hidden] and next_features [n, hidden or V]: the state
    behind the token, and the base's mean token features there (`PrefixScorer.mean_features`), not read where last.
    """

    states: Tensor
    tokens: Tensor
    reward: Tensor
    last: Tensor
    next_states: Tensor
    next_features: Tensor


def check_texts(token_ids: Sequence[Sequence[int]], eos: int, max_new: int) -> None:
    """Raise ValueError unless every text is whole: it ends with its only EOS, or was cut at exactly max_new tokens.

    Only a whole text has a reward, and nothing is valued after EOS.
    """
    for ids in token_ids:
        if not 1 <= len(ids) <= max_new or eos in list(ids)[:-1]:
            raise ValueError(f"A text has between 1 and {max_new} tokens and none after its EOS.")
        if ids[-1] != eos and len(ids) < max_new:
            raise ValueError(f"A text of {len(ids)} tokens neither ends with EOS nor was cut at {max_new}.")


def last_tokens(lengths: Tensor) -> Tensor:
    """Which of the texts' tokens, one text after the other, end theirs: [texts] -> [tokens].

    >>> last_tokens(torch.tensor([2, 1])).tolist()
    [False, True, True]
    """
    last = torch.zeros(int(lengths.sum()), dtype=torch.bool)
    last[lengths.cumsum(0) - 1] = True
    return last


def bellman_target(reward: Tensor, last: Tensor, following: Tensor) -> Tensor:
    """CD-Q's target, [n, rewards], without gradient: `reward` where the text ends, else `following`.

    following: sum_z p(z | s_{t+1}) Q(s_{t+1}, z), [n, rewards].
    """
    return torch.where(last[:, None], reward, following).detach()


def targets(method: Method, batch: Batch, held: PrefixScorer) -> Tensor:
    """The batch's targets [n, rewards]; held: the scorer whose values CD-Q aims at, the trained one or a copy."""
    if method is Method.FUDGE:
        return batch.reward
    with torch.no_grad():
        following = held.mean_value(batch.next_states, batch.next_features)
    return bellman_target(batch.reward.to(following), batch.last, following)


def prefix_loss(values: Tensor, target: Tensor, scale: Tensor | float = 1.0, weights: Tensor | None = None) -> Tensor:
    """Mean over the steps of (1/2) sum_k ((Q_k - target_k) / scale_k)^2; a scalar.

    values, target: [n, rewards]; scale: [rewards]; weights: [n], which sum to 1 and take the place of 1 / n.
    Raises ValueError on a target with a gradient: the loss would pull it towards the values too.
    """
    if target.requires_grad:
        raise ValueError("The target has a gradient; detach it.")
    losses = ((values - target.to(values)) / scale).square().sum(-1) / 2
    return losses.mean() if weights is None else weights @ losses
