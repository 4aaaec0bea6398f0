"""Every quantity that a registered rule reads, and the tables behind the figures, from the rows of one triple."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from empirical.chains import MIXED, Chains, most_association
from empirical.contrasts import contrast_rows
from empirical.corpora import (
    Pool,
    arranged,
    cell_moments,
    correlation,
    draw_corpora,
    moments,
    pool,
    split,
    weighted_spearman,
)
from empirical.intervals import Interval, resampled
from empirical.lengths import length_rows
from empirical.measured import from_interval, row
from empirical.presets import Settings
from empirical.schemes import Scheme
from empirical.typical_texts import ancestral_corpora, secret_and_reward, tau_rows

Floats = NDArray[np.float64]
LAWS = ("global", "local")
CLOUD = 50  # corpora a scheme that stand for it when outliers are counted
FAR = 3.0  # robust standard deviations


def measures(
    name: str,
    rows: pd.DataFrame,
    texts: pd.DataFrame,
    schemes: Sequence[Scheme],
    settings: Settings,
    tradeoff: pd.DataFrame,
    additive: bool,
) -> pd.DataFrame:
    """The table `tan_emp_measures` of one triple; its correlations are those of `tradeoff`, see `studies.tables`.

    texts: every ancestral answer, see `typical_texts.every_ancestral`; additive: whether the reward is a sum over
    tokens. Columns: triple, quantity, law, item, value, low, high (95 %), wide_low, wide_high (1 - 0.05 / items);
    log prior in nats, reward in its own unit.
    """
    strings = pool(rows)
    known = {scheme.name: scheme for scheme in schemes}
    ordered = [known[scheme] for scheme in strings.schemes]
    rng = np.random.default_rng([settings.seed, 1])
    prompts, counts = (resampled(rng, len(names), settings.resamples) for names in (strings.prompts, strings.schemes))
    found = [
        from_interval(one.quantity, one.law, Interval(one.value, one.low, one.high))
        for one in tradeoff[tradeoff.law.isin(LAWS)].itertuples()
    ]
    lengths = arranged(rows, rows.token_ids.map(len))
    for law in LAWS:
        weights = strings.weights(law)
        for variable, values in (("log_prior", strings.x), ("reward", strings.r)):
            found += contrast_rows((weights * values).sum(axis=2), ordered, prompts, variable, law)
        found += length_rows(strings, lengths, weights, (prompts, counts), additive, law)
    found += [local_less_global(strings, strings, prompts, counts, settings.corpus_size)]
    found += [string_ranks(strings, prompts)]
    found += [ancestral_corpora(texts, prompts), secret_and_reward(texts, prompts), *tau_rows(texts, prompts)]
    means = draw_corpora(strings, strings.weights("global"), settings.corpus_size, CLOUD, rng)
    found += [outliers(*means, counts)]
    return pd.DataFrame(found).assign(triple=name)


def local_less_global(local: Pool, global_: Pool, prompts: Floats, schemes: Floats, size: int) -> dict[str, Any]:
    """How far the corpus-level Pearson correlation moves where the schemes are normalised locally, paired resamples.

    local, global_: the same strings, of which one law each is read.
    """
    values, drawn = [], []
    for strings, law in ((local, "local"), (global_, "global")):
        cells = cell_moments(strings, strings.weights(law))
        values.append(split(cells, np.ones(cells.shape[1]), np.ones(cells.shape[0])).corpus(size).correlation)
        drawn.append(split(cells, prompts, schemes).corpus(size).correlation)
    return row("corpus_pearson_local_less_global", "both", float(values[0] - values[1]), drawn[0] - drawn[1])


def string_ranks(strings: Pool, prompts: Floats) -> dict[str, Any]:
    """Spearman's correlation over the strings of all schemes where these schemes are all there are.

    The registered interval takes the schemes for a sample as well: its part that 31 schemes leave does not shrink,
    however many the prompts. This one is over prompts alone.
    """
    flat, weights = (strings.x.ravel(), strings.r.ravel()), strings.weights("local")
    value = weighted_spearman(*flat, weights.ravel())
    drawn = np.array([weighted_spearman(*flat, (weights * count[:, None]).ravel()) for count in prompts])
    return row("string_spearman_these_schemes", "local", value, drawn)


def outliers(x: Floats, r: Floats, schemes: Floats) -> dict[str, Any]:
    """The share of corpora, x and r [K, C], further from the least-squares line than FAR times 1.4826 MAD.

    Bootstrap over schemes: counts [B, K].
    """
    drawn = np.array([far_from_line(x, r, count) for count in schemes])
    return row("outliers", "global", far_from_line(x, r, np.ones(len(x))), drawn)


def far_from_line(x: Floats, r: Floats, counts: Floats) -> float:
    """That share for schemes that count as stated: x, r [K, C], counts [K] whole numbers; NaN where x is constant."""
    repeats = np.repeat(np.arange(len(x)), counts.astype(int))
    x, r = x[repeats].ravel(), r[repeats].ravel()
    spread = x - x.mean()
    if not np.any(spread):
        return float("nan")
    residual = r - r.mean() - spread * (spread @ r) / (spread @ spread)
    deviation = np.abs(residual - np.median(residual))
    return float(np.mean(deviation > FAR * 1.4826 * np.median(deviation)))


def chain_rows(found: Chains, strings: Pool, prompts: Floats, name: str) -> pd.DataFrame:
    """Acceptance and Cramer's V of each scheme, bootstrap over prompts; all weights of ancestral sampling are 1.

    V has no interval where a prompt's texts are so few that no weights could lift it to the threshold: a rule that
    cannot fail decides nothing.
    """
    others = [k for k, scheme in enumerate(strings.schemes) if scheme != "ancestral"]
    told = {"acceptance": 1.0, "cramers_v": 1.0 if most_association(strings.x.shape[2]) >= MIXED else np.nan}
    rows = [
        row(
            quantity,
            "global",
            float(cells[k].mean()),
            prompts @ cells[k] / cells.shape[1] * told[quantity],
            strings.schemes[k],
            len(others),
        )
        for quantity, cells in (("acceptance", found.acceptance), ("cramers_v", found.cramers_v))
        for k in others
    ]
    return pd.DataFrame(rows).assign(triple=name)


def chain_table(found: Chains, strings: Pool) -> pd.DataFrame:
    """One row a scheme, means over its prompts' chains: see `Chains`; ess is that of the scheme's chains together."""
    columns = {name: getattr(found, name).mean(axis=1) for name in ("acceptance", "accepted", "cramers_v", "distance")}
    return pd.DataFrame({"scheme": strings.schemes, **columns, "ess": found.ess.sum(axis=1)}).assign(steps=found.steps)


def alone_rows(first: pd.DataFrame, settings: Settings, name: str) -> pd.DataFrame:
    """The correlations of reward with log p(y | x) and with log p(y), of the same answers, and their difference."""
    rng = np.random.default_rng([settings.seed, 2])
    variables = [arranged(first, first[column]) for column in ("log_prior", "reward", "log_prior_alone")]
    shape = variables[0].shape
    cells = moments(np.stack(variables, axis=-1), np.ones(shape) / shape[2])
    prompts, schemes = (resampled(rng, size, settings.resamples) for size in (shape[1], shape[0]))
    point, drawn = split(cells, np.ones(shape[1]), np.ones(shape[0])), split(cells, prompts, schemes)
    found = []
    for level, part in (("string", "total"), ("between_schemes", "between_schemes")):
        pair = [
            (correlation(getattr(side, part), 0, 1), correlation(getattr(side, part), 2, 1)) for side in (point, drawn)
        ]
        found.append(row(f"{level}_pearson_conditioned", "local", float(pair[0][0]), pair[1][0]))
        found.append(row(f"{level}_pearson_alone", "local", float(pair[0][1]), pair[1][1]))
        apart = [alone - conditioned for conditioned, alone in pair]
        found.append(row(f"{level}_pearson_alone_less_conditioned", "local", float(apart[0]), apart[1]))
    return pd.DataFrame(found).assign(triple=name)
