"""What came out for each finding of `toy.findings` in the exact world, and a table on which it would not have.

The notes say why, or where a finding stops; the figures are in the tables and in the ledger.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pandas as pd

from theory.ledger import Verdict
from toy.comparisons import Chosen, Points, at_base, blocks, curve, plain, tokens

METRICS = ("reward_mean", "win", "judged", "tokens")
Plant: TypeAlias = Callable[[Points], Points]


@dataclass(frozen=True)
class Outcome:
    """What came out, why, and a table on which it would not."""

    verdict: Verdict
    note: str
    plant: Plant


def scaled(points: Points, *chosen: Chosen, by: float) -> Points:
    """The table with the gains of the chosen rules over the base multiplied."""
    planted = points.copy()
    for one in chosen:
        rows = curve(points, one).index
        for metric in METRICS:
            start = at_base(points, one, metric)
            planted.loc[rows, metric] = start + by * (points.loc[rows, metric] - start)
    return planted


def copied(points: Points, *pairs: tuple[Chosen, Chosen]) -> Points:
    """The table in which the first rule of each pair is what the second is."""
    kept, added = points, []
    for mine, theirs in pairs:
        kept = kept.drop(curve(points, mine).index)
        rows = curve(points, theirs).copy()
        for column, value in mine.items():
            rows[column] = value
        added.append(rows)
    return pd.concat([kept, *added], ignore_index=True)


LESS: Chosen = {"reward": "helpful", "base": "bigram", "method": "blockwise less length"}


def without_tuned_weights(points: Points) -> Points:
    """The table without the weights that keep the length."""
    added = points["method"] == "blockwise less length"
    return points[~added | (points["strength"] == 0)]


REWARDS = ("length", "helpful", "pairs")
BEST = [plain(reward, "best-of-K") for reward in REWARDS]
EXACT = [tokens(reward, "V*") for reward in REWARDS]
LEARNED = [tokens("length", scorer) for scorer in ("CD-Q", "CD-FUDGE")]
HELPING = [blocks("helpful", scorer) for scorer in ("CD-Q", "CD-FUDGE")]
ON_DPO = plain("helpful", "DPO + blockwise")
SIXTEEN = {**plain("length", "blockwise"), "K": 16}

OUTCOMES: dict[str, Outcome] = {
    "length.blocks": Outcome(
        "not-reproduced",
        "Blocks earn less at equal KL, with the exact scorer as with the learned one: each commits before the end.",
        lambda p: copied(p, (blocks("length"), plain("length", "best-of-K"))),
    ),
    "length.six_for_fifty": Outcome("reproduced", "Blocks of a quarter of the greatest length.",
                                    lambda p: scaled(p, blocks("length"), by=0.8)),
    "length.ppo": Outcome(
        "reproduced",
        "PPO trained on as many answers as the scorers saw; its optimum is the frontier itself, which no best-of-K "
        "passes, so that longer training would reverse the order.",
        lambda p: scaled(p, plain("length", "PPO"), by=1.1),
    ),
    "length.tokenwise": Outcome(
        "not-reproduced",
        "Both beat DPO and IPO everywhere; PPO, which comes close to the frontier, beats both at larger KL.",
        lambda p: scaled(p, *LEARNED, by=1.2),
    ),
    "length.fudge": Outcome(
        "not-reproduced",
        "CD-FUDGE is several times noisier, yet it ranks blocks as well: states differ by far more than its noise.",
        lambda p: scaled(p, blocks("length", "CD-FUDGE"), by=0.8),
    ),
    "almost_optimal": Outcome(
        "not-reproduced",
        "On the length it is; on the two others it gives up a fifth of the frontier's gain, or more, at small KL.",
        lambda p: scaled(p, *BEST, by=1.4),
    ),
    "helpful.blocks": Outcome(
        "not-reproduced",
        "With a noisy scorer (CD-FUDGE) blocks win from small KL on; with a good one (CD-Q) tokens do below some nats.",
        lambda p: scaled(p, *HELPING, by=1.5),
    ),
    "helpful.best_of": Outcome(
        "not-reproduced",
        "Best-of-K is ahead by a few per cent from some KL on, and behind below it.",
        lambda p: scaled(p, BEST[1], by=1.2),
    ),
    "summaries": Outcome(
        "not-reproduced",
        "IPO is behind both at small KL and ahead of both at the largest.",
        lambda p: scaled(p, plain("pairs", "IPO"), by=0.9),
    ),
    "length.side_effect": Outcome("reproduced", "", lambda p: scaled(p, LESS, by=0.01)),
    "length.kept": Outcome("reproduced", "The weight is tuned for each K.", without_tuned_weights),
    "swapped": Outcome(
        "not-reproduced",
        "The learned scorer does on the other base what that base's own exact one does, but on the length "
        "blocks stay behind best-of-K as on the first base.",
        lambda p: copied(p, *((blocks(r, base="trigram"), plain(r, "best-of-K", "trigram")) for r in REWARDS)),
    ),
    "block_size": Outcome(
        "not-reproduced",
        "It holds throughout for short blocks; of long ones the smaller are better at small KL.",
        lambda p: copied(p, *((blocks("helpful", M=M), blocks("helpful", M=4)) for M in (8, 16, 32))),
    ),
    "dpo.best": Outcome("reproduced", "", lambda p: scaled(p, ON_DPO, by=0.8)),
    "dpo.fewer": Outcome("reproduced", "The KL they spend is not the same.", lambda p: scaled(p, ON_DPO, by=0.5)),
    "dpo.sum": Outcome(
        "not-reproduced",
        "KL(π‖p) = KL(π‖d) + E_π log d/p, and control goes where DPO's log d/p is large: together they spend more.",
        lambda p: p.assign(kl_policy=p["kl"] - p["kl_blocks"]),
    ),
    "budget": Outcome(
        "not-reproduced",
        "It holds at K = 16; best-of-K on DPO is ahead by some per cent at K = 4, and by one at small KL at K = 8.",
        lambda p: scaled(p, plain("length", "DPO + best-of-K"), by=0.9),
    ),
    "budget.gap": Outcome("reproduced", "", lambda p: scaled(p, SIXTEEN, by=0.9)),
    "budget.dpo": Outcome("reproduced", "", lambda p: scaled(p, ON_DPO, by=1.2)),
    "blocks_before_tokens": Outcome(
        "not-reproduced",
        "With exact values tokenwise control is ahead of blocks throughout, and of best-of-K at small KL.",
        lambda p: scaled(p, *EXACT, by=0.7),
    ),
}  # fmt: skip
