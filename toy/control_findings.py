"""What Mudgal et al. (later version) find in experiments 1 to 3, and conclude: blocks, tokens, trained policies."""

import pandas as pd

from toy.comparisons import PAR, Points, at_base, better, blocks, curve, gains, on_par, plain, tokens
from toy.findings import finding, least

REWARDS = ("length", "helpful", "pairs")
LEARNED = ("CD-FUDGE", "CD-Q")


@finding("length.blocks", "1", "On the length, blockwise CD-Q is on par with best-of-K.", "gain at equal KL within 5 %")
def _(points: Points, _: pd.DataFrame) -> float:
    return on_par(points, blocks("length"), plain("length", "best-of-K"), "reward_mean")


@finding(
    "length.six_for_fifty",
    "1",
    "Blockwise CD-Q with K = 6 is where best-of-50 is, in length and in KL.",
    "gain within 5 %, KL within 25 %",
)
def _(points: Points, _: pd.DataFrame) -> float:
    six, fifty = blocks("length", K=6), plain("length", "best-of-K", K=50)
    gain = gains(points, six, "reward_mean")[0] / gains(points, fifty, "reward_mean")[0]
    spent = curve(points, six)["kl"].iloc[0] / curve(points, fifty)["kl"].iloc[0]
    return least([PAR - abs(gain - 1), 0.25 - abs(spent - 1)])


@finding("length.ppo", "1", "On the length, best-of-K beats KL-regularised PPO.", "gain at equal KL nowhere below")
def _(points: Points, _: pd.DataFrame) -> float:
    return better(points, plain("length", "best-of-K"), plain("length", "PPO"), "reward_mean")


@finding(
    "length.tokenwise",
    "1",
    "On the length, tokenwise CD-FUDGE and CD-Q beat PPO, DPO and IPO.",
    "gain at equal KL nowhere below, of either against each",
)
def _(points: Points, _: pd.DataFrame) -> float:
    pairs = [(tokens("length", s), plain("length", method)) for s in LEARNED for method in ("PPO", "DPO", "IPO")]
    return least(better(points, mine, theirs, "reward_mean") for mine, theirs in pairs)


@finding(
    "length.fudge",
    "1",
    "CD-FUDGE predicts the length more noisily than CD-Q, and blockwise it falls clearly behind.",
    "error, and CD-Q's gain at equal KL, each larger by 5 %",
)
def _(points: Points, scorers: pd.DataFrame) -> float:
    error = scorers[scorers["reward"] == "length"].set_index("scorer")["error"]
    behind = better(points, blocks("length"), blocks("length", "CD-FUDGE"), "reward_mean", PAR)
    return least([error["CD-FUDGE"] / error["CD-Q"] - 1 - PAR, behind])


@finding(
    "almost_optimal",
    "1",
    "Best-of-K is almost the optimum of the KL-regularised problem.",
    "at least 95 % of the frontier's gain at every KL up to 10 nats, all three rewards",
)
def _(points: Points, _: pd.DataFrame) -> float:
    slack = []
    for reward in REWARDS:
        rows = curve(points, plain(reward, "best-of-K"))
        rows = rows[rows["kl"] <= 10]
        start = at_base(points, plain(reward, "best-of-K"), "reward_mean")
        slack += ((rows["reward_mean"] - start) / (rows["optimum"] - start) - 1 + PAR).tolist()
    return least(slack)


@finding(
    "helpful.blocks",
    "2",
    "Blockwise CD-Q and CD-FUDGE help clearly more than tokenwise.",
    "judged gain at equal KL larger by 5 %, of each scorer",
)
def _(points: Points, _: pd.DataFrame) -> float:
    return least(better(points, blocks("helpful", s), tokens("helpful", s), "judged", PAR) for s in LEARNED)


@finding(
    "helpful.best_of",
    "2",
    "Blockwise, neither scorer matches best-of-K in helpfulness.",
    "judged gain at equal KL nowhere above best-of-K's",
)
def _(points: Points, _: pd.DataFrame) -> float:
    best = plain("helpful", "best-of-K")
    return least(better(points, best, blocks("helpful", s), "judged") for s in LEARNED)


@finding(
    "summaries",
    "3",
    "Best-of-K beats blockwise CD-Q, which beats IPO.",
    "win rate over one half at equal KL nowhere below",
)
def _(points: Points, _: pd.DataFrame) -> float:
    best, ours, ipo = plain("pairs", "best-of-K"), blocks("pairs"), plain("pairs", "IPO")
    return least(better(points, *pair, "win") for pair in ((ours, ipo), (best, ours), (best, ipo)))


@finding(
    "blocks_before_tokens",
    "conclusion",
    "Best-of-K and blockwise control have a better trade-off than tokenwise control.",
    "gain at equal KL nowhere below, exact values V*, all three rewards",
)
def _(points: Points, _: pd.DataFrame) -> float:
    return least(
        better(points, mine, tokens(reward, "V*"), "reward_mean")
        for reward in REWARDS
        for mine in (plain(reward, "best-of-K"), blocks(reward, "V*"))
    )
