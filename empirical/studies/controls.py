"""What must hold of the rows and tables before a verdict rests on them, and the planted slips that must not pass."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from empirical.chains import Chains, chains, without_proposal_ratio
from empirical.corpora import Pool, arranged
from empirical.preregistration import Sentence
from empirical.presets import Settings
from empirical.schemes import Scheme
from empirical.scored import Floats
from empirical.scoring import score
from empirical.studies.measures import local_less_global, measures, outliers
from empirical.studies.tables import tables
from empirical.studies.tradeoff import Triple
from empirical.typical_texts import tau_rows
from theory.ledger import Check, Control, at_most, rejects

CHECKED_ROWS = 24
DEALT, CALLED = 10, 4  # null data sets, and how many a sound rule may call reproduced: P(5 or more at 5 %) = 6e-5
DEALT_RESAMPLES = 100


def rescored(triple: Triple, prompts: dict[str, str], rows: pd.DataFrame, shift: int = 0) -> Check:
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


def identities(found: dict[str, pd.DataFrame]) -> list[Check]:
    """The tables of one triple against their own identities."""
    split, tradeoff = found["tan_covariance"], found["tan_tradeoff"]
    parts = split[["within_prompt", "between_prompts", "between_schemes"]].sum(axis=1)
    means = tradeoff[tradeoff.law == "global"].set_index("quantity").value
    return [
        at_most(
            "within-prompt + between-prompt + between-scheme covariance = total",
            oracle="law of total covariance",
            residuals=(parts - split.total).abs() / split.total.abs().clip(lower=1),
            tolerance=1e-9,  # float64 sums over a few thousand rows
        ),
        at_most(
            "drawn corpora agree with the pooling law B + W / N",
            oracle="closed form of the finite pool",
            residuals=[abs(means["corpus_pearson"] - means["corpus_pearson_pooling_law"])],
            tolerance=0.05,  # 31 x 2,000 draws: about 10 standard errors of a correlation
        ),
    ]


def chain_evidence(found: Chains, strings: Pool, rows: pd.DataFrame, seed: int) -> tuple[list[Check], list[Control]]:
    """The chain ends in the pool's law at the exact rate; one without the proposal ratio, or that takes all, does not.

    A chain over n texts visits them with a total variation of about sqrt((n - 1) / ESS) / 2 from its law; the bound
    grants that ESS is a sixteenth of the steps.
    """
    rng = np.random.default_rng([seed, 3])
    slipped = chains(strings, without_proposal_ratio(arranged(rows, rows.log_proposal), strings.log_kept), rng)

    def visits(distance: np.ndarray) -> Check:
        return at_most(
            "texts visited by the chain = its prompt's law prod_t Z_t, mean total variation over chains",
            oracle="exact law of the finite pool",
            residuals=[distance.mean()],
            tolerance=2 * float(np.sqrt(strings.x.shape[2] / found.steps)),
        )

    def rates(accepted: np.ndarray) -> Check:
        return at_most(
            "acceptance observed = its stationary value, mean over chains",
            oracle="sum over pairs of texts",
            residuals=[np.abs(accepted - found.acceptance).mean()],
            # A rate over m independent moves errs by 0.5 / sqrt(m); the bound grants that sixteen moves are worth one.
            tolerance=2 / float(np.sqrt(found.steps)),
        )

    return [visits(found.distance), rates(found.accepted)], [
        rejects("a chain without the proposal ratio", visits(slipped.distance)),
        rejects("a chain that accepts every proposal, as in the released code", rates(np.ones_like(found.accepted))),
    ]


def secret_evidence(secret: pd.DataFrame) -> tuple[list[Check], list[Control]]:
    """The secret reward has equation 4's sign; the order of the released code does not pass for it."""

    def sign(reward: pd.Series) -> Check:
        return at_most(
            "reward + log p - log p_plus = 0",
            oracle="equation 4",
            residuals=np.abs(reward + secret.log_prior - secret.log_aligned),
            tolerance=1e-9,  # one float64 subtraction of sums of hundreds of nats
        )

    return [sign(secret.reward)], [rejects("the released code's sign, log p - log p_plus", sign(-secret.reward))]


def dealt(rows: pd.DataFrame, texts: pd.DataFrame, schemes: Sequence[Scheme], settings: Settings) -> list[pd.DataFrame]:
    """Measures of null data: log prior and reward dealt out at random, each on its own, in the rows and the texts.

    A prompt's values stay together, as what repeats within a prompt is what makes narrow intervals err.
    """
    rng = np.random.default_rng([settings.seed, 4])
    few = replace(settings, resamples=min(settings.resamples, DEALT_RESAMPLES), corpora=min(settings.corpora, 200))
    found = []
    for _ in range(DEALT):
        null, alone = (
            some.assign(**{name: elsewhere(some, name, rng) for name in ("log_prior", "reward")})
            for some in (rows, texts)
        )
        tradeoff = tables("null", null, [], few, per_scheme=False)["tan_tradeoff"]
        found.append(measures("null", null, alone, schemes, few, tradeoff, additive=False))
    return found


def elsewhere(rows: pd.DataFrame, name: str, rng: np.random.Generator) -> Floats:
    """A column with each prompt's values at a random prompt, there in random order; as many values to a prompt."""
    values, prompts = rows[name].to_numpy(), list(rows.reset_index(drop=True).groupby("prompt_id").indices.values())
    found = np.empty_like(values)
    for here, there in zip(prompts, rng.permutation(len(prompts)), strict=True):
        found[here] = rng.permutation(values[prompts[there]])
    return found


def null_control(
    sentence: Sentence, nulls: Sequence[pd.DataFrame], prompts: int, what: str = "log prior and reward"
) -> Control:
    """The sentence's rule must not call null data reproduced more often than its intervals err."""
    called = sum(sentence.verdict(null, prompts) == "reproduced" for null in nulls)
    name = f"{what} dealt out at random, {len(nulls)} times, are mostly called reproduced"
    return Control(name, rejected=called <= CALLED)


def planted_control(sentence: Sentence, strings: Pool, rows: pd.DataFrame, prompts: int) -> Control:
    """For the rules that null data cannot try: data made so that the sentence is false must not be reproduced."""
    said, found = PLANTED[sentence.id](strings, rows)
    return Control(said, rejected=sentence.verdict(pd.DataFrame(found), prompts) != "reproduced")


def _turned_locally(strings: Pool, rows: pd.DataFrame) -> tuple[str, list[dict[str, Any]]]:
    sides = replace(strings, r=-strings.x), replace(strings, r=strings.x)
    found = local_less_global(*sides, *(np.ones((1, len(names))) for names in (strings.prompts, strings.schemes)), 1)
    return "reward -log p under the local law and log p under the global one are about the same", [found]


def _a_fifth_far_off(strings: Pool, rows: pd.DataFrame) -> tuple[str, list[dict[str, Any]]]:
    x = np.linspace(-1, 1, 500).reshape(50, 10)
    r = x + 0.01 * np.sin(1e4 * x) + (np.arange(50) % 5 == 0)[:, None]
    return "a line with every fifth scheme far off it has few outliers", [outliers(x, r, np.ones((1, 50)))]


def _aligned_by_sharpening(strings: Pool, rows: pd.DataFrame) -> tuple[str, list[dict[str, Any]]]:
    sharper = rows.assign(log_aligned=1.5 * rows.log_prior)  # R = X / 2: they move together
    return "p_plus ~ p^1.5 trades off log prior and reward", tau_rows(sharper, np.ones((1, len(strings.prompts))))


PLANTED = {
    "tan.emp.local": _turned_locally,
    "tan.emp.outliers": _a_fifth_far_off,
    "tan.emp.dpo.tau": _aligned_by_sharpening,
}
