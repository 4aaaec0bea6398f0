"""The shipped heads: which is a reward, and which judges what.

A judge is a `empirical.rewards.PreferenceHead` like the reward, of the same block of the same frozen model: it differs
from the reward it judges in the people whose choices it was fitted to, not in what it can see.
"""

from empirical.rewards import PreferenceHead, load_head
from empirical.scored import RewardError
from empirical.shipped import shipped

NAMES = ("finegrained", "passages", "hh", "both")

JUDGE_OF = {"preference": "hh", "finegrained": "passages", "length": "both"}
"""The judge of what was trained or controlled by a reward; no question is behind both."""


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
