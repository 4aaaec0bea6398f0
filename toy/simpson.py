"""The toy experiment of Tan et al. (Figure 1), replayed and then taken apart: what turns the correlation's sign?

Five correlations of log prior and reward stand side by side: strings, each counted once; strings weighted by the
aligned law; corpora as drawn; the typical corpora; the typical corpora re-banded. The sign turns when the weights do,
and the size grows with the selection, for a reward that knows nothing of the prior as well.
"""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pandas as pd

from theory.information import entropy, varentropy
from toy.corpora import Counts, banded, corpus_means, is_typical, multinomial_counts, replayed_counts
from toy.correlations import pearson, spearman
from toy.dirichlet import LEGACY_SEED, Triple, dirichlet_triple, replayed_triple, unrelated

CORPORA, SIZE, EPSILON = 1_000, 100_000, 0.001
EPSILONS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016)
REPLICATIONS = 50
PRINTED = {
    "string_pearson_uniform": 0.49,
    "string_spearman_uniform": 0.43,
    "corpus_pearson_typical_banded": -0.92,
    "corpus_spearman_typical_banded": -0.92,
    "median_log_prob_typical_banded": -500_524.0,
    "median_log_prob_atypical_banded": -500_719.0,
}
"""The digits that the paper prints: targets to compare with, never inputs."""

Selections = dict[str, pd.DataFrame]


@cache
def replay() -> tuple[Triple, Counts]:
    """The published world and the counts [corpora, V] of its corpora, seeds 0 to 999: ten seconds, once a process."""
    triple = replayed_triple()
    return triple, replayed_counts(triple.log_aligned, range(CORPORA), SIZE)


def selections(corpora: pd.DataFrame, random_state: int | np.random.Generator) -> Selections:
    """Corpora as drawn, inside and outside the typical set, and each of the three re-banded.

    corpora: rows of `corpus_means` with a boolean column `typical`. An integer `random_state` seeds the legacy stream
    for each re-banding afresh, as the released code does.
    """
    chosen = {"all": corpora, "typical": corpora[corpora["typical"]], "atypical": corpora[~corpora["typical"]]}
    return chosen | {f"{name}_banded": banded(rows, random_state) for name, rows in chosen.items()}


def string_measures(triple: Triple) -> dict[str, float]:
    """Entropies, varentropy, tau and the string-level correlations: exact functions of the world.

    tau = Var S / (Var X + Var R) under p_+, with X = log p, R = r and S = log p_+ = X + R; tau < 1 iff the
    correlation under p_+ is negative.
    """
    x, r, aligned = triple.log_prior, triple.reward, np.exp(triple.log_aligned)
    variances = [aligned @ (v - aligned @ v) ** 2 for v in (x, r)]
    varentropy_aligned = float(varentropy(triple.log_aligned))
    return {
        "entropy_aligned": float(entropy(triple.log_aligned)),
        "entropy_prior": float(entropy(x)),
        "varentropy_aligned": varentropy_aligned,
        "tau_aligned": varentropy_aligned / float(sum(variances)),
        "string_pearson_uniform": pearson(x, r),
        "string_spearman_uniform": spearman(x, r),
        "string_pearson_weighted": pearson(x, r, aligned),
        "string_spearman_weighted": spearman(x, r, aligned),
    }


def corpus_measures(chosen: Selections) -> dict[str, float]:
    """Number of typical corpora; of each selection both correlations and the median log-probability (nats).

    The gap is the median typical corpus against the median atypical one, both re-banded.
    """
    measures = {"n_typical": float(len(chosen["typical"]))}
    for name, rows in chosen.items():
        x, r = rows["mean_log_prior"].to_numpy(), rows["mean_reward"].to_numpy()
        measures[f"corpus_pearson_{name}"] = pearson(x, r)
        measures[f"corpus_spearman_{name}"] = spearman(x, r)
        measures[f"median_log_prob_{name}"] = float(rows["log_prob"].median())
    gap = measures["median_log_prob_typical_banded"] - measures["median_log_prob_atypical_banded"]
    return measures | {"median_log_prob_gap_banded": gap}


def experiment(
    triple: Triple, counts: Counts, random_state: int | np.random.Generator
) -> tuple[Selections, dict[str, float]]:
    """The recipe on one world and one set of corpora: the selections, and all the measures."""
    corpora = corpus_means(triple, counts)
    corpora["typical"] = is_typical(corpora, triple.log_aligned, EPSILON)
    chosen = selections(corpora, random_state)
    return chosen, string_measures(triple) | corpus_measures(chosen)


def run(seed: int = 0, small: bool = False) -> dict[str, pd.DataFrame]:
    """The experiment's tables, by name; everything but the replay (legacy seeds) is drawn from `seed`.

    small: 5 replications a variant instead of 50; the replay itself is what the paper printed, and stays whole.

    - tan_fig1 (quantity, value, low, high, reported): the replay's values, nats; low and high are the 2.5 % and 97.5 %
      quantiles over 50 sets of 1,000 fresh corpora of the same world, selected and re-banded anew; empty where the
      quantity is an exact function of the world. `reported`: the paper's digits.
    - tan_fig1_variants (variant, quantity, value, low, high): median and the same quantiles over 50 replications of the
      same world, of fresh worlds, and of worlds whose reward is unrelated to the prior (the control).
    - tan_fig1_epsilon (variant, epsilon, quantity, value, low, high): share of typical corpora and their Pearson
      correlation as the typical set widens, not re-banded.
    - tan_fig1_strings, tan_fig1_corpora: the points of the figure.
    """
    triple, counts = replay()
    chosen, measures = experiment(triple, counts, LEGACY_SEED)
    variants, widths = _replications(triple, seed, 5 if small else REPLICATIONS)
    same = variants[variants["variant"] == "same world"].set_index("quantity")[["low", "high"]]
    table = pd.DataFrame({"quantity": list(measures), "value": list(measures.values())}).join(same, on="quantity")
    exact = table["quantity"].isin(list(string_measures(triple)))
    table.loc[exact, ["low", "high"]] = np.nan
    table["reported"] = table["quantity"].map(PRINTED)
    points = pd.concat(chosen, names=["selection", "corpus"]).reset_index()
    strings = pd.DataFrame(
        {"log_prior": triple.log_prior, "reward": triple.reward, "aligned": np.exp(triple.log_aligned)}
    )
    return {
        "tan_fig1": table,
        "tan_fig1_variants": variants,
        "tan_fig1_epsilon": widths,
        "tan_fig1_strings": strings.rename_axis("object").reset_index(),
        "tan_fig1_corpora": points,
    }


def _replications(triple: Triple, seed: int, count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    measured, typical = [], []
    for variant, (world, rng) in _worlds(triple, seed, count):
        counts = multinomial_counts(world.log_aligned, CORPORA, SIZE, rng)
        chosen, found = experiment(world, counts, rng)
        measured += [(variant, quantity, value) for quantity, value in found.items()]
        for epsilon in EPSILONS:
            inside = chosen["all"][is_typical(chosen["all"], world.log_aligned, epsilon)]
            typical.append((variant, epsilon, "share", len(inside) / CORPORA))
            typical.append((variant, epsilon, "pearson", _corpus_pearson(inside)))
    widths = pd.DataFrame(typical, columns=["variant", "epsilon", "quantity", "value"])
    variants = pd.DataFrame(measured, columns=["variant", "quantity", "value"])
    return _quantiles(variants, ["variant", "quantity"]), _quantiles(widths, ["variant", "epsilon", "quantity"])


def _worlds(triple: Triple, seed: int, count: int) -> Iterator[tuple[str, tuple[Triple, np.random.Generator]]]:
    makers: dict[str, Callable[[np.random.Generator], Triple]] = {
        "same world": lambda rng: triple,
        "fresh worlds": dirichlet_triple,
        "unrelated reward": lambda rng: unrelated(triple, rng),
    }
    for number, (variant, make) in enumerate(makers.items()):
        for replication in range(count):
            key = np.random.SeedSequence([seed, number, replication])
            rng = np.random.Generator(np.random.Philox(key))
            yield variant, (make(rng), rng)


def _corpus_pearson(corpora: pd.DataFrame) -> float:
    if len(corpora) < 3:
        return float("nan")
    return pearson(corpora["mean_log_prior"].to_numpy(), corpora["mean_reward"].to_numpy())


def _quantiles(values: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    grouped = values.groupby(by, sort=False)["value"]
    columns = {"value": grouped.median(), "low": grouped.quantile(0.025), "high": grouped.quantile(0.975)}
    return pd.DataFrame(columns).reset_index()
