"""The verdict on the trade-off of a real triple, by a rule fixed before any row was drawn."""

import time

import numpy as np
import pandas as pd

from empirical.corpora import pool
from empirical.intervals import Interval
from empirical.presets import Settings
from empirical.scoring import score
from empirical.studies.tables import tables
from empirical.studies.tradeoff import Triple
from theory.ledger import Check, Control, Entry, Verdict, at_most, rejects

RULE = (
    "reproduced iff the 95 % interval (two-way bootstrap over prompts and schemes) of the string-level Pearson "
    "correlation lies above 0 and that of the corpus-level one below 0; not-reproduced iff either lies wholly on the "
    "other side; inconclusive otherwise"
)
CHECKED_ROWS = 24


def rule(string: Interval, corpus: Interval) -> Verdict:
    """The rule above."""
    if string.low > 0 and corpus.high < 0:
        return "reproduced"
    if string.high < 0 or corpus.low > 0:
        return "not-reproduced"
    return "inconclusive"


def interval(tradeoff: pd.DataFrame, quantity: str, law: str = "global") -> Interval:
    """One row of tan_tradeoff as an interval."""
    row = tradeoff[(tradeoff.quantity == quantity) & (tradeoff.law == law)].iloc[0]
    return Interval(row.value, row.low, row.high)


def entry(
    triple: Triple,
    prompts: dict[str, str],
    rows: pd.DataFrame,
    found: dict[str, pd.DataFrame],
    settings: Settings,
    real: bool,
) -> Entry:
    """The ledger's row: the effect with its interval, what was checked of the rows, and the controls."""
    start = time.perf_counter()
    string, corpus = (interval(found["tan_tradeoff"], f"{level}_pearson") for level in ("string", "corpus"))
    verdict: Verdict = rule(string, corpus) if real else "not-testable-here"
    why = RULE if real else "the models of this preset are random: it runs the code and shows nothing about language"
    return Entry(
        id="tan.fig2",
        paper="tan",
        where="section 6.2, figure 2",
        kind="experiment",
        statement=(
            "Prior log-probability and reward are positively correlated over strings and negatively over corpora drawn "
            f"by 31 sampling schemes. Here: string Pearson {_shown(string)}, corpus Pearson {_shown(corpus)}, on "
            f"{triple.prior.name} with {len(rows)} answers to {len(prompts)} prompts."
        ),
        verdict=verdict,
        assumptions=f"{why}. The paper's 7B models are replaced by ones that run here; answers are cut at "
        f"{settings.max_new} tokens, and a cut answer is scored as the prefix it is.",
        checks=tuple(checks(triple, prompts, rows, found)),
        controls=tuple(controls(triple, prompts, rows, settings)),
        seconds=time.perf_counter() - start,
    )


def checks(triple: Triple, prompts: dict[str, str], rows: pd.DataFrame, found: dict[str, pd.DataFrame]) -> list[Check]:
    """The rows against a separate pass of the model; the tables against their own identities."""
    split = found["tan_covariance"]
    parts = split[["within_prompt", "between_prompts", "between_schemes"]].sum(axis=1)
    drawn, law = (interval(found["tan_tradeoff"], f"corpus_pearson{tail}").value for tail in ("", "_pooling_law"))
    return [
        _rescored(triple, prompts, rows, shift=0),
        at_most(
            "within-prompt + between-prompt + between-scheme covariance = total",
            oracle="law of total covariance",
            residuals=(parts - split.total).abs() / split.total.abs().clip(lower=1),
            tolerance=1e-9,  # float64 sums over a few thousand rows
        ),
        at_most(
            "drawn corpora agree with the pooling law B + W / N",
            oracle="closed form of the finite pool",
            residuals=[abs(drawn - law)],
            tolerance=0.05,  # 31 x 2,000 draws: about 10 standard errors of a correlation
        ),
    ]


def _rescored(triple: Triple, prompts: dict[str, str], rows: pd.DataFrame, shift: int) -> Check:
    """The aligned model's log-probability, recorded while sampling with a cache, against one full pass.

    Float32 sums over tens of tokens: 1e-4 nats a token is the bound; `shift` plants answers moved by some rows.
    """
    some = rows[rows.prompt_id == rows.prompt_id.iloc[0]].iloc[:CHECKED_ROWS]
    answers = [list(map(int, ids)) for ids in np.roll(some.token_ids.to_numpy(), shift)]
    prompt = triple.aligned.prompt_ids(prompts[some.prompt_id.iloc[0]])
    again = score(triple.aligned, prompt, answers).log_prob.cpu().numpy()
    lengths = np.array([len(answer) for answer in answers])
    return at_most(
        "log p_plus recorded while sampling = log p_plus of a separate full pass, per token",
        oracle="forward pass without the sampler's cache",
        residuals=np.abs(again - some.log_aligned.to_numpy()) / lengths,
        tolerance=1e-4,
    )


def controls(triple: Triple, prompts: dict[str, str], rows: pd.DataFrame, settings: Settings) -> list[Control]:
    """Answers that belong to other rows, and rewards dealt out at random, must not pass."""
    rng = np.random.default_rng(settings.seed)
    dealt = rows.assign(reward=rng.permutation(rows.reward.to_numpy()))
    strings = pool(dealt)
    found = tables(triple.name, dealt, [], settings, per_scheme=False)["tan_tradeoff"]
    verdict = rule(interval(found, "string_pearson"), interval(found, "corpus_pearson"))
    return [
        rejects("answers of other rows", _rescored(triple, prompts, rows, shift=1)),
        Control(f"rewards permuted over all {strings.x.size} rows are called reproduced", verdict != "reproduced"),
    ]


def _shown(found: Interval) -> str:
    return f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"
