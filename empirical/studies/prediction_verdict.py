"""The verdict on prediction before sampling, by the rule in `preregistration.toml`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from empirical.prediction import Corpus, Floats, predict, recommend
from empirical.preregistration import predictions, registered
from empirical.presets import Settings
from empirical.schemes import Scheme
from empirical.studies.entries import Writer
from empirical.studies.prediction_tables import calibrated, compared, registered_guard, sampled
from theory.ledger import Check, Control, Entry, Verdict, at_most, rejects


def rule(calibration: pd.DataFrame, prompts: int) -> Verdict:
    """The registered rule, on the local law's differences of both quantities."""
    registration = registered()["prediction"]
    row = calibration[(calibration.law == "local") & (calibration.quantity == "both")].iloc[0]
    if row.schemes < registration["least_schemes"] or prompts < registered()["least_prompts"]:
        return "inconclusive"
    return "reproduced" if row.high >= registration["nominal"] else "not-reproduced"


def entry(
    name: str,
    prompts: int,
    tokens: int,
    whole: bool,
    found: dict[str, pd.DataFrame],
    checked: Sequence[Check | Control],
    real: bool,
    seconds: float,
) -> Entry:
    """The ledger's row: how many differences are covered, how many schemes could be predicted, and what was checked.

    tokens: the limit of an answer; whole: that it is the study's own.
    """
    calibration, table = found["tan_prediction_calibration"], found["tan_prediction"]
    both = calibration[(calibration.law == "local") & (calibration.quantity == "both")].iloc[0]
    here = (
        f"{both.covered} of {both.compared} intervals of predicted - sampled hold 0, share {both.share:.2f} "
        f"[{both.low:.2f}, {both.high:.2f}], root mean square of the normalised error {both.rms_normalised_error:.2f}; "
        f"{both.schemes} of {table.scheme.nunique() - 1} schemes are near enough to be predicted"
    )
    if table[table.law == "local"].predicted.notna().any():
        here += f". {recommend(table)[1].removesuffix('.')}"
    scale = f"{table.texts.iloc[0]:,} ancestral answers of {name} to {prompts} prompts, of at most {tokens} tokens"
    parts = ([one for one in checked if isinstance(one, kind)] for kind in (Check, Control))
    sentence = predictions()[0 if whole else 1]
    return Writer("tan", scale, real).entry(sentence, rule(calibration, prompts), here, *parts, seconds)


def evidence(
    record: Floats,
    corpus: Corpus,
    log_w: Floats,
    rows: pd.DataFrame,
    schemes: Sequence[Scheme],
    settings: Settings,
) -> Iterator[Check | Control]:
    """The weights against what must hold of them, and predictions that must not pass for calibrated ones.

    record: [2, P, n], log p_plus as another pass found it, and the answers' tokens; log_w: [K, P, n], local law.
    """
    recorded, lengths = record
    yield _read_again(corpus.log_p, recorded, lengths)
    yield rejects("answers of other rows", _read_again(np.roll(corpus.log_p, 1, axis=1), recorded, lengths))
    if len(recorded) < registered()["least_prompts"]:
        return  # what follows needs a spread over prompts
    prediction = predict(corpus, log_w, "local")
    passes = registered_guard().passes(prediction.ess, "local")
    moved = passes & (np.abs(log_w) > 1e-6).any(axis=(1, 2))  # ancestral sampling's weights are 1 but for rounding
    moved &= within_reach(rows, schemes, log_w[0].size)
    if moved.any():
        yield _weigh_one(np.exp(log_w[moved]))
        yield rejects("weights squared", _weigh_one(np.exp(2 * log_w[moved])))
    drawn = sampled(rows, schemes, registered_guard())["local"]
    slips = {"every scheme given ancestral sampling's means": 0.0, "the covariance with the opposite sign": -1.0}
    for name, factor in slips.items():
        slipped = replace(prediction, shift=factor * prediction.shift)
        table = pd.DataFrame(calibrated(compared(slipped, "local", drawn, schemes, settings))).assign(law="local")
        verdict = rule(table, len(recorded))
        if verdict != "inconclusive":
            yield Control(f"{name} is called reproduced", verdict == "not-reproduced")


def _read_again(log_p: Floats, recorded: Floats, lengths: Floats) -> Check:
    return at_most(
        "log p_plus of the pass that weighs = log p_plus of the rows, per token",
        oracle="the engine's record while it drew; of prefixes, a scoring pass",
        residuals=(np.abs(log_p - recorded) / lengths).ravel(),
        tolerance=1e-4,  # float32 sums over tens of tokens
    )


def within_reach(rows: pd.DataFrame, schemes: Sequence[Scheme], texts: int) -> NDArray[np.bool_]:
    """Which schemes' weights average 1 over so many texts of p_plus, by what was drawn from the schemes themselves.

    E_q[log q / p] plus two standard deviations is at most log(texts): with fewer, the texts that carry q's weight are
    mostly not among them, and the effective size cannot know of it (Chatterjee and Diaconis 2018, theorem 1.1). True
    for all where the rows have no log-probability of their own, as prefixes.
    """
    ratio = (rows.log_proposal - rows.log_aligned).groupby(rows.scheme)
    need = (ratio.mean() + 2 * ratio.std()).reindex([scheme.name for scheme in schemes])
    return ~(need > np.log(texts)).to_numpy()


def _weigh_one(w: Floats) -> Check:
    """E_p[q / p] = 1 for every scheme that is predicted and within reach: in standard errors over prompts."""
    means = w.mean(axis=2)
    errors = means.std(axis=1, ddof=1) / np.sqrt(means.shape[1])
    return at_most(
        "the mean weight of each predicted scheme is 1, in standard errors over prompts",
        oracle="E_p[q / p] = 1",
        residuals=np.abs(means.mean(axis=1) - 1) / errors,
        tolerance=5.0,  # Student with 19 degrees of freedom: one in 10,000 schemes by chance
    )
