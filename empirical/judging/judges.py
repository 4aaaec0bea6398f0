"""The shipped heads: which is a reward, which judges what, and the scores of several heads from one pass.

A judge is a `empirical.rewards.PreferenceHead` like the reward, of the same block of the same frozen model: it differs
from the reward it judges in the people whose choices it was fitted to, not in what it can see.
"""

from collections.abc import Mapping, Sequence

from empirical.models import LanguageModel
from empirical.rewards import PreferenceHead, load_head
from empirical.scored import Floats, RewardError
from empirical.scoring import score
from empirical.shipped import shipped

NAMES = ("finegrained", "pandalm", "both")

JUDGE_OF = {"preference": "both", "finegrained": "pandalm", "length": "both"}
"""The judge of what was trained or controlled by a reward; no data set is behind both."""

STANDS_FOR = {
    "finegrained": "the paper's reward of summary quality (TL;DR): people's choices among answers about a passage",
    "pandalm": "PaLM 2-L as the judge of summaries: people's choices among answers to varied instructions",
    "both": "PaLM 2-L as the judge of dialogues: both kinds of choices together",
}


def shipped_head(name: str) -> PreferenceHead:
    """One of NAMES; raises RewardError on another."""
    if name not in NAMES:
        raise RewardError(f"There is no judge {name!r}; choose one of {', '.join(NAMES)}.")
    return load_head(shipped("judge") / name)


def judge_of(reward: str) -> PreferenceHead:
    """The shipped judge of a reward by name; raises RewardError where none is independent of it by construction."""
    if reward not in JUDGE_OF:
        raise RewardError(f"No judge ships for the reward {reward!r}; name one of {', '.join(NAMES)}.")
    return shipped_head(JUDGE_OF[reward])


def head_scores(
    model: LanguageModel, prompt: str, token_ids: Sequence[Sequence[int]], heads: Mapping[str, PreferenceHead]
) -> dict[str, Floats]:
    """Every head's score of each answer to a prompt, [n] each, in one pass of the heads' own model.

    Raises RewardError where a head belongs to other weights than the model's, or heads read different blocks.
    """
    layers = {head.layer for head in heads.values()}
    if len(layers) != 1 or any(head.model_sha256 != model.sha256 for head in heads.values()):
        raise RewardError(
            f"The heads {', '.join(heads)} need one block of {model.name}; pass the model they were fitted on."
        )
    features = score(model, model.prompt_ids(prompt), token_ids, layers.pop()).features
    assert features is not None, "a layer was asked for"
    return {name: head(features).numpy() for name, head in heads.items()}
