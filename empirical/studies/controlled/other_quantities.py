"""What else the sentences speak of: sizes of blocks, KLs that do not add up, lengths kept, scorers as judges."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from empirical.intervals import resampled
from empirical.preregistration import registered
from empirical.studies.controlled import frontiers
from empirical.studies.controlled.cells import BASE, BLOCKS, FUDGE, HH, LAWS, Floats, Q, by_prompt, chosen, prompts_of
from empirical.studies.controlled.curve_quantities import BLOCKS_Q, DPO_BLOCKS, sizes
from empirical.studies.controlled.quantities import SCORERS, Data, Resampled, quantity

SMALLEST = 4  # tokens a block; see the registered reason
REWARD = "reward head"


@quantity("hh_gain_per_doubling_of_block")
def _(data: Data, law: str) -> Iterator[Resampled]:
    found = [M for M in sizes(data, HH) if M >= SMALLEST]
    if len(found) < 2:
        yield "", _unknown(data)
        return
    curves = [data.curve(HH, law, BLOCKS_Q, M=data.block if data.planted else M) for M in found]
    yield "", frontiers.trend(curves, np.log2(found).tolist(), data.counts[HH])


@quantity("hh_dpo_sum_over_kl", "bound")
def _(data: Data, law: str) -> Iterator[Resampled]:
    rows = chosen(data.cells, task=HH, **data.rows(DPO_BLOCKS, HH))
    rows = rows[rows.value > 1]
    added, spent = (by_prompt(rows, column, prompts_of(data.cells, HH)) for column in ("kl_sum", LAWS[law]))
    if len(added) == 0:
        yield "", _unknown(data)
    for K, top, bottom in zip(sorted(set(rows.value)), added, spent, strict=True):  # noqa: N806
        share = data.shares(HH)
        yield f"K = {K:g}", (share @ top) / (share @ bottom) / (2 if data.planted else 1)


@quantity("hh_length_alone_over_base", "none")
def _(data: Data, _law: str) -> Iterator[Resampled]:
    alone, base = _lengths(data, 0.0), _base(data)
    if data.planted:
        alone = base
    share = data.shares(HH)
    yield "", (share @ alone) / (share @ base)


@quantity("hh_length_kept_over_base", "none")
def _(data: Data, _law: str) -> Iterator[Resampled]:
    share, kept, base = _rest(data), _lengths(data, kept_weight(data)), _base(data)
    yield "", (share @ kept) / (share @ base) / (2 if data.planted else 1)


@quantity("hh_win_alone_less_kept", "none")
def _(data: Data, _law: str) -> Iterator[Resampled]:
    alone, kept = (_mean_over_k(data, weight, "win") for weight in (0.0, kept_weight(data)))
    yield "", _rest(data) @ (kept - kept if data.planted else alone - kept)


@quantity("hh_win_kept_less_half", "none")
def _(data: Data, _law: str) -> Iterator[Resampled]:
    kept = _mean_over_k(data, kept_weight(data), "win")
    yield "", _rest(data) @ (0 * kept if data.planted else kept - 0.5)


def kept_weight(data: Data) -> float:
    """The weight of the sweep, 0 aside, that keeps the length best on every other prompt; NaN if there is no sweep."""
    rows = chosen(data.cells, task=HH, method=BLOCKS, scorer=FUDGE, M=data.block)
    weights = sorted(set(rows.weight) - {0.0})
    here = np.arange(len(prompts_of(data.cells, HH))) % 2 == 0
    if not weights or not here.any():
        return float("nan")
    apart = [abs(_lengths(data, weight)[here].mean() / _base(data)[here].mean() - 1) for weight in weights]
    return float(weights[int(np.argmin(apart))])


def _mean_over_k(data: Data, weight: float, column: str) -> Floats:
    """The mean over all K > 1 of a column of blockwise CD-FUDGE with that weight on the length: [P]."""
    rows = chosen(data.cells, task=HH, method=BLOCKS, scorer=FUDGE, M=data.block, weight=weight)
    values = by_prompt(rows[rows.value > 1], column, prompts_of(data.cells, HH))
    return values.mean(axis=0) if len(values) else np.full(values.shape[1], np.nan)


def _lengths(data: Data, weight: float) -> Floats:
    return _mean_over_k(data, weight, "tokens")


def _base(data: Data) -> Floats:
    """Tokens of the base's answers, [P]."""
    [tokens] = by_prompt(chosen(data.cells, task=HH, method=BASE), "tokens", prompts_of(data.cells, HH))
    return np.asarray(tokens)


def _rest(data: Data) -> Floats:
    """Shares of the prompts that did not choose the weight, resampled; too few for an interval have no resamples."""
    rest = np.arange(data.shares(HH).shape[1]) % 2 == 1
    share = data.shares(HH) * rest
    share /= share.sum(axis=1, keepdims=True)
    if rest.sum() < registered()["least_prompts"]:  # verdicts count the study's prompts, which are twice as many
        share[1:] = np.nan
    return np.asarray(share)


def _unknown(data: Data) -> Floats:
    return np.full(data.times + 1, np.nan)


@quantity("length_error_fudge_over_q", "none")
def _(data: Data, _law: str) -> Iterator[Resampled]:
    if data.predictions is None:
        yield "", _unknown(data)
        return
    noise = {scorer: _noise(data, data.predictions[data.predictions.scorer == scorer]) for scorer in SCORERS}
    yield "", noise[Q if data.planted else FUDGE] / noise[Q]


def _noise(data: Data, rows: pd.DataFrame) -> Floats:
    """The standard deviation over answers of predicted less actual reward, prompts resampled: [B + 1]."""
    error = rows.predicted - rows.actual
    sums = pd.DataFrame({"n": 1.0, "e": error, "ee": error**2}).groupby(rows.prompt_id).sum().sort_index().to_numpy()
    n, e, ee = (_clusters(data, len(sums), 7) @ sums).T
    return np.sqrt(np.maximum(ee / n - (e / n) ** 2, 0))


@quantity("accuracy_reward_less_scorers", "none")
def _(data: Data, _law: str) -> Iterator[Resampled]:
    for scorer in SCORERS:
        yield scorer, ranked_rightly(data, scorer if data.planted else REWARD) - ranked_rightly(data, scorer)


@quantity("accuracy_scorers", "none")
def _(data: Data, _law: str) -> Iterator[Resampled]:
    for scorer in SCORERS:
        yield scorer, ranked_rightly(data, scorer) * (0.5 if data.planted else 1)


def ranked_rightly(data: Data, method: str, split: str = "test") -> Floats:
    """The share of a split's pairs that a method ranks as people did, conversations resampled: [B + 1]."""
    rows = None if data.pairs is None else data.pairs[(data.pairs.split == split) & (data.pairs.method == method)]
    if rows is None or rows.empty:
        return _unknown(data)
    sums = rows.assign(n=1.0).groupby("conversation")[["right", "n"]].sum().sort_index().to_numpy(float)
    right, n = (_clusters(data, len(sums), 8) @ sums).T
    return np.asarray(right / n)


def _clusters(data: Data, count: int, key: int) -> Floats:
    """All clusters once, then resampled: [B + 1, count]; the same for all that is compared."""
    rng = np.random.default_rng([data.seed, key])
    return np.vstack([np.ones(count), resampled(rng, count, data.times)])
