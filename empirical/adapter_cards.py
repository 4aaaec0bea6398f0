"""The table of the shipped adapters, from the card of each: `python -m empirical.adapter_cards` writes their README."""

import json
from collections.abc import Mapping
from math import nan
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from empirical.alignment_methods import TILT
from empirical.shipped import shipped

HEAD = """# Aligned models: adapters for SmolLM2-135M-Instruct

This file is written by `python -m empirical.adapter_cards` from the `card.json` of each folder, which also holds the
command that makes the adapter again, the hash of the reward it was trained with, every figure and the curve of the run.

Each is a LoRA of rank 8 on the query and value projections (bfloat16, 0.9 MB), trained on answers of at most `tokens`
tokens to embedded prompts that no study uses, and measured on others of those. `rloo`: on-line policy gradient with a
leave-one-out baseline and an exact KL penalty (`empirical/policy_gradient.py`). `ppo`: the same with several clipped
steps on each batch of answers (`empirical/ppo.py`). `dpo`: preference optimisation on the prior's own answers with
Bradley-Terry probabilities as labels (`empirical/alignment.py`). `online-dpo`, `online-ipo`: on pairs of the adapter's
own answers as it learns (`empirical/online.py`). None needs data besides prompts and reward. Answers that reach the
limit are cut, and prior, aligned model, reward and KL all speak of the texts so cut. Rewards: `preference`, the shipped
head; `sentiment`, the shipped classifier; `length`, log(tokens / limit); `finegrained`, the reward of summaries, whose
prompts are the passages of FineGrainedRLHF's feedback. Brackets are 95 % intervals that resample prompts.

KL(aligned || prior) is in nats an answer, by the exact KL of every step along the aligned model's answers. The optimum
of E r - beta KL is beta log E_p e^(r / beta), reached by p e^(r / beta) / Z: `share` is how much of what can be gained
over the prior the adapter gains, and `slope` and `correlation` are those of beta log(aligned / prior) on the reward
within a prompt, over the prior's answers; all three are 1 at that law. The optimum is estimated from 32 answers of the
prior a prompt and is too low in the mean, by about `bias` (jackknife), so that `share` errs upwards where the bias is
large and the effective number of answers (`of 32`) small. Where a method aims at another law than that one (`aims_at`
in its card) the three are left out.

"""
COLUMNS: dict[str, tuple[str, int]] = {
    "KL": ("kl", 3),
    "reward, prior": ("reward_prior", 3),
    "reward, aligned": ("reward_aligned", 3),
    "gain": ("gain", 3),
    "share": ("share_of_optimum", 2),
    "slope": ("slope_on_prior", 2),
    "correlation": ("correlation_on_prior", 2),
    "bias": ("optimum_bias", 3),
    "of 32": ("optimum_effective_samples", 1),
}
TILTED = ("share_of_optimum", "slope_on_prior", "correlation_on_prior")  # 1 at p e^(r / beta) / Z and only there
PLAIN = ("reward_prior", "reward_aligned", "optimum_bias", "optimum_effective_samples")  # shown without an interval


def main(folder: Annotated[Path | None, typer.Option(help="Holds a folder for each adapter.")] = None) -> None:
    """Write README.md into the folder."""
    folder = folder or shipped("adapters")
    (folder / "README.md").write_text(HEAD + table(cards_in(folder)), encoding="utf-8")


def cards_in(folder: Path, prior_sha256: str = "") -> dict[str, dict[str, Any]]:
    """The card of each adapter in a folder, by its name; only of those on that prior, if it is given."""
    cards = {path.parent.name: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*/card.json"))}
    return {name: card for name, card in cards.items() if prior_sha256 in ("", card["prior_sha256"])}


def frame(cards: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """tan_adapters: one row an (adapter, quantity), value with its 95 % interval over prompts; KL in nats an answer.

    What speaks of p e^(r / beta) / Z is NaN for a method that aims elsewhere.
    """
    columns = ["adapter", "reward", "method", "beta", "quantity", "value", "low", "high"]
    rows = [
        [
            name,
            card["reward"],
            card["method"],
            card["beta"],
            key,
            *(_shown(card, key, k) for k in ("value", "low", "high")),
        ]
        for name, card in cards.items()
        for key in card["measured"]
    ]
    return pd.DataFrame(rows, columns=columns)


def table(cards: Mapping[str, Mapping[str, Any]]) -> str:
    """A Markdown table, one row a card, ordered by reward, method and beta."""
    order = sorted(cards, key=lambda name: (cards[name]["reward"], cards[name]["method"], -cards[name]["beta"]))
    rows = [["adapter", "tokens", "steps", *COLUMNS, "minutes"], ["---"] * (len(COLUMNS) + 4)]
    for name in order:
        card = cards[name]
        cells = [_cell(card, key, digits) for key, digits in COLUMNS.values()]
        rows.append([f"`{name}`", str(card["max_new"]), str(card["steps"]), *cells, f"{card['minutes_training']:g}"])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def _shown(card: Mapping[str, Any], key: str, end: str) -> float:
    elsewhere = key in TILTED and card.get("aims_at", TILT) != TILT
    return nan if elsewhere else float(card["measured"][key][end])


def _cell(card: Mapping[str, Any], key: str, digits: int) -> str:
    value, low, high = (f"{_shown(card, key, end):.{digits}f}" for end in ("value", "low", "high"))
    return "-" if value == "nan" else value if key in PLAIN else f"{value} [{low}, {high}]"


if __name__ == "__main__":
    typer.run(main)
