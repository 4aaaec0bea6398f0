"""From the rows of one triple to all tables of section 7 and appendix F: the study's reward, then the secret one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from empirical.alone import log_prior_alone, start_token
from empirical.chains import Chains, chains
from empirical.corpora import Pool, draw_corpora, pool
from empirical.intervals import cluster_intervals, resampled
from empirical.presets import Settings
from empirical.rewards import SecretReward
from empirical.schemes import Scheme
from empirical.studies.measures import alone_rows, chain_rows, chain_table, measures
from empirical.studies.tables import REPORTED_DPO, tables
from empirical.studies.tradeoff import Triple
from empirical.typical_texts import coverage, tau_table

SIGNS = ("string_pearson", "string_spearman", "corpus_pearson", "corpus_spearman")


@dataclass(frozen=True)
class Findings:
    """Tables by name, and what the ledger's checks need: ancestral and secret rows, the study's pool, its chains.

    reward, secret: the tables of `studies.tables` under either reward; both share the rows' log-probabilities.
    """

    tables: dict[str, pd.DataFrame]
    reward: dict[str, pd.DataFrame]
    secret: dict[str, pd.DataFrame]
    texts: pd.DataFrame
    secret_rows: pd.DataFrame
    strings: Pool
    chains: Chains

    def measures(self, triple: str) -> pd.DataFrame:
        """The measured quantities under "reward" or "secret"."""
        table = self.tables["tan_emp_measures"]
        return table[table.triple == triple]


def findings(
    triple: Triple, rows: pd.DataFrame, texts: pd.DataFrame, schemes: Sequence[Scheme], settings: Settings
) -> Findings:
    """Every table of the study. The rows' reward is the triple's own; the secret one is made of the same answers.

    texts: every ancestral answer, of the rows and of the corpus that predicts, see `typical_texts.every_ancestral`.
    """
    secret_rows, secret_texts = (every.assign(reward=every.log_aligned - every.log_prior) for every in (rows, texts))
    reward = tables(triple.name, rows, schemes, settings, texts=texts)
    secret = tables(triple.name, secret_rows, schemes, settings, reported=REPORTED_DPO, texts=secret_texts)
    strings = pool(rows)
    ran = chains(strings, strings.log_kept, np.random.default_rng([settings.seed, 5]))
    prompts = resampled(np.random.default_rng([settings.seed, 1]), len(strings.prompts), settings.resamples)
    alone = log_prior_alone(triple.prior, rows, settings.strict)
    additive = isinstance(triple.reward, SecretReward)
    own = measures("reward", rows, texts, schemes, settings, reward["tan_tradeoff"], additive)
    other = measures("secret", secret_rows, secret_texts, schemes, settings, secret["tan_tradeoff"], True)
    found = {
        "tan_emp_measures": pd.concat(
            [own, chain_rows(ran, strings, prompts, "reward"), alone_rows(alone, settings, "reward"), other],
            ignore_index=True,
        ),
        "tan_emp_chain": chain_table(ran, strings),
        "tan_emp_tau": tau_table(texts),
        "tan_emp_typical": coverage(texts, settings.seed),
        "tan_emp_alone": alone[["prompt_id", "scheme", "log_prior", "log_prior_alone", "reward"]].assign(
            start=start_token(triple.prior)[1]
        ),
        "tan_emp_sign": sign_table(secret_rows, secret["tan_tradeoff"], settings),
        **{name.replace("tan_", "tan_emp_secret_"): table for name, table in secret.items()},
    }
    return Findings({**reward, **found}, reward, secret, texts, secret_rows, strings, ran)


def sign_table(secret: pd.DataFrame, tradeoff: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """The correlations of log prior with equation 4's reward, and with the released code's log p - log p_plus."""
    strings = pool(secret.assign(reward=-secret.reward))
    weights = strings.weights("global")
    rng = np.random.default_rng([settings.seed, 6])
    means = draw_corpora(strings, weights, settings.corpus_size, settings.corpora, rng)
    slipped = cluster_intervals(strings, weights, means, settings)
    named = tradeoff[tradeoff.law == "global"].set_index("quantity")
    rows = []
    for name in SIGNS:
        right, wrong = named.loc[name], slipped[name]
        rows.append(("log p_plus - log p (equation 4)", name, right.value, right.low, right.high))
        rows.append(("log p - log p_plus (released code)", name, wrong.value, wrong.low, wrong.high))
    return pd.DataFrame(rows, columns=["reward", "quantity", "value", "low", "high"])
