"""What Mudgal et al. (later version) find in experiments 4 to 8: one scorer put to other uses."""

from itertools import pairwise

import numpy as np
import pandas as pd

from toy.comparisons import PAR, Chosen, Points, at_base, better, blocks, curve, gains, on_par, plain, relative
from toy.findings import finding, least

ADDED: Chosen = {"reward": "helpful", "base": "bigram", "method": "blockwise less length"}


@finding("length.side_effect", "4", "Control for helpfulness alone makes answers longer.", "by 5 % at every K")
def _(points: Points, _: pd.DataFrame) -> float:
    longer = gains(points, {**ADDED, "strength": 0.0}, "tokens") / at_base(points, ADDED, "tokens")
    return least(longer - PAR)


@finding(
    "length.kept",
    "4",
    "A weight on the length's scorer, added at inference, keeps the length and costs win rate.",
    "at the weight that keeps it best, at every K: tokens within 5 %, win rate lower than alone and above one half",
)
def _(points: Points, _: pd.DataFrame) -> float:
    usual, slack = at_base(points, ADDED, "tokens"), []
    for K in sorted(set(curve(points, ADDED)["K"])):  # noqa: N806
        rows = curve(points, {**ADDED, "K": K})
        kept = rows.iloc[int(np.argmin(np.abs(rows["tokens"].to_numpy() - usual)))]
        alone = float(rows.loc[rows["strength"] == 0, "win"].iloc[0])
        slack += [PAR - abs(kept["tokens"] / usual - 1), alone - kept["win"], kept["win"] - 0.5]
    return least(slack)


@finding(
    "swapped",
    "5",
    "On another base the scorer makes blockwise CD-Q as good as that base's own best-of-K.",
    "gain at equal KL within 5 %, length and helpfulness",
)
def _(points: Points, _: pd.DataFrame) -> float:
    return least(
        on_par(points, blocks(reward, base="trigram"), plain(reward, "best-of-K", "trigram"), metric)
        for reward, metric in (("length", "reward_mean"), ("helpful", "judged"))
    )


@finding(
    "block_size",
    "6",
    "The smaller the blocks, the worse the trade-off.",
    "judged gain at equal KL nowhere above that of the next larger size",
)
def _(points: Points, _: pd.DataFrame) -> float:
    sizes = sorted(set(curve(points, plain("helpful", "blockwise"))["M"].astype(int)))
    pairs = [(blocks("helpful", M=large), blocks("helpful", M=small)) for small, large in pairwise(sizes)]
    return least(better(points, mine, theirs, "judged") for mine, theirs in pairs)


def _tuned(points: Points) -> Chosen:
    """Blocks on the DPO policy that has every K."""
    rows = curve(points, plain("helpful", "DPO + blockwise"))
    strengths, times = np.unique(rows["strength"], return_counts=True)
    return plain("helpful", "DPO + blockwise", strength=float(strengths[np.argmax(times)]))


@finding(
    "dpo.best",
    "7",
    "On a DPO policy, blockwise CD-Q wins narrowly over itself on the base at the larger KLs.",
    "judged gain nowhere below in the upper half of the common KLs",
)
def _(points: Points, _: pd.DataFrame) -> float:
    ratio = relative(points, _tuned(points), blocks("helpful"), "judged")
    return least(ratio[len(ratio) // 2 :] - 1)


@finding("dpo.fewer", "7", "Eight candidates on DPO do what thirty-two do on the base.", "judged gain at most 5 % less")
def _(points: Points, _: pd.DataFrame) -> float:
    both = gains(points, {**_tuned(points), "K": 8}, "judged")[0]
    return float(both / gains(points, blocks("helpful", K=32), "judged")[0] - 1 + PAR)


@finding("dpo.sum", "7", "The KL of DPO and blocks together is the sum of the KLs of each.", "within 10 % at every K")
def _(points: Points, _: pd.DataFrame) -> float:
    rows = curve(points, _tuned(points))
    return least(0.1 - np.abs((rows["kl_policy"] + rows["kl_blocks"]) / rows["kl"] - 1))


def _equal_budget(points: Points, K: int) -> float:  # noqa: N803
    """The least ratio of the gain of blocks, of any size, to that of best-of-K of DPO policies, of any strength."""
    ours = {**plain("length", "blockwise"), "scorer": "CD-Q", "K": K}
    return float(np.min(relative(points, ours, plain("length", "DPO + best-of-K", K=K), "reward_mean")))


@finding(
    "budget",
    "8",
    "At equal budget K = 4, 8, 16 blockwise CD-Q beats best-of-K on DPO.",
    "gain at equal KL nowhere below",
)
def _(points: Points, _: pd.DataFrame) -> float:
    return least(_equal_budget(points, K) - 1 for K in (4, 8, 16))


@finding("budget.gap", "8", "That gap widens with K.", "the least ratio of the gains grows over K = 4, 8, 16")
def _(points: Points, _: pd.DataFrame) -> float:
    return least(np.diff([_equal_budget(points, K) for K in (4, 8, 16)]))


@finding(
    "budget.dpo",
    "8",
    "On DPO, blockwise CD-Q and best-of-K are on par at K = 4.",
    "judged gain at equal KL within 5 %",
)
def _(points: Points, _: pd.DataFrame) -> float:
    ours, theirs = (plain("helpful", f"DPO + {rule}", K=4) for rule in ("blockwise", "best-of-K"))
    return on_par(points, ours, theirs, "judged")
