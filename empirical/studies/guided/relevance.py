"""Does KL(P_G || P_G^-) know which steps need the evidence: fixed answers whose steps are labelled by construction."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from empirical.evidence_task.item import Item, with_evidence, without_evidence
from empirical.evidence_task.steps import fixed_answer, steps
from empirical.models import LanguageModel
from empirical.progress import counted
from empirical.scored import Floats
from empirical.scoring import score
from theory.information import kl


@torch.inference_mode()
def relevance(model: LanguageModel, items: Sequence[Item]) -> pd.DataFrame:
    """The table chang_relevance: item, kind, step, token (its text), part, information (nats).

    part: see `empirical.evidence_task.steps`. The answers are fixed, so each step's KL(P_G || P_G^-) needs no sample.
    """
    frames = []
    head = model.network.get_output_embeddings()
    for item in counted(items, "steps of fixed answers"):
        told = steps(model.tokenizer, fixed_answer(item))
        ids = list(told.token_ids)
        laws = []
        for prompt in (with_evidence(item), without_evidence(item)):
            states = score(model, model.prompt_ids(prompt), [ids], states=True).states
            assert states is not None
            laws.append(head(states.to(head.weight.dtype)).double().log_softmax(-1))
        about = {"item": item.id, "kind": item.kind, "step": range(len(ids)), "part": told.parts}
        texts = [model.tokenizer.decode([token]) for token in ids]
        frames.append(pd.DataFrame({**about, "token": texts, "information": kl(*laws).cpu().numpy()}))
    return pd.concat(frames, ignore_index=True)


def auc(positive: Floats, negative: Floats, weights: tuple[Floats, Floats] | None = None) -> float:
    """P(positive > negative) + P(equal) / 2 of a weighted step of either kind: Mann and Whitney. NaN without one.

    >>> auc(np.array([3.0, 1.0]), np.array([1.0, 0.0]))
    0.875
    """
    up, down = weights or (np.ones(len(positive)), np.ones(len(negative)))
    if up.sum() == 0 or down.sum() == 0:
        return float("nan")
    places, inverse = np.unique(np.concatenate([positive, negative]), return_inverse=True)
    below = np.bincount(inverse[len(positive) :], down, len(places))
    under = np.concatenate([[0.0], below.cumsum()[:-1]]) + below / 2
    return float(up @ under[inverse[: len(positive)]] / (up.sum() * down.sum()))
