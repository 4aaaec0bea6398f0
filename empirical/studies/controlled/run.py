"""The controlled-decoding study from its models to the ledger's entries: rows, cells, tables, verdicts.

`python -m empirical.studies.controlled.run --size standard --adapters DIR --hh DIR --out DIR` makes what ships.
"""

from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import pandas as pd
import typer

from empirical.adapter_cards import cards_in
from empirical.errors import InputError, one_sentence
from empirical.models import default_prior
from empirical.precision import use_fast_float32
from empirical.presets import Preset
from empirical.progress import stage
from empirical.results import Results
from empirical.rewards import PreferenceHead
from empirical.shipped import shipped
from empirical.studies.controlled import shipped_tables
from empirical.studies.controlled.collecting import collect
from empirical.studies.controlled.parts import Parts, found_policies, shipped_scorers, source, tasks
from empirical.studies.controlled.scorer_checks import predictions, ranked_pairs
from empirical.studies.controlled.sizes import LIVE, PAPER, SIZES, SMOKE, Size
from empirical.studies.controlled.summing import cells_from
from empirical.studies.controlled.tables import measured_from, tables
from empirical.studies.controlled.tiny_parts import tiny_parts
from empirical.studies.controlled.verdict import entries
from empirical.tiny import tiny_triple
from theory.ledger import Entry


def study(results: Results, preset: Preset, seed: int) -> list[Entry]:
    """What a preset asks for: tiny random models, what ships with a little drawn beside it, or everything anew."""
    if not preset.real:
        with TemporaryDirectory() as folder:
            base = tiny_triple(Path(folder))[0]
            return whole(results, tiny_parts(base, Path(folder), SMOKE.max_new), SMOKE, seed, real=False)
    use_fast_float32()
    if preset.anew:
        size = replace(PAPER, prompts=min(PAPER.prompts, preset.prompts), seed=seed)
        return whole(results, default_parts(size), size, seed, real=True)
    return default(results, seed)


def default(results: Results, seed: int, live: bool = True) -> list[Entry]:
    """Every table and verdict from the rows that ship, and a small live run beside them, as cd_live."""
    kept, about = shipped_tables.read()
    made = conclude(results, kept, about, seed, real=True)
    if live:
        small = collected(default_parts(LIVE), LIVE, results.samples)[0]
        results.write_tables({"cd_live": small["cells"]})
    return made


def whole(results: Results, parts: Parts, size: Size, seed: int, real: bool, hh: Path | None = None) -> list[Entry]:
    """The study itself: what is missing is drawn, then tables and verdicts. hh: the pairs of Table 1; None: without."""
    kept, about = collected(parts, size, results.samples, hh)
    shipped_tables.save(results.folder / "controlled", kept, about)
    return conclude(results, kept, about, seed, real)


def collected(
    parts: Parts, size: Size, folder: Path, hh: Path | None = None
) -> tuple[dict[str, pd.DataFrame | None], dict[str, Any]]:
    """The tables that ship, and what they were made with."""
    rows, spread = collect(parts, size, folder)
    cells, heads = cells_from(rows, parts, size, spread), {task.name: task.reward for task in parts.tasks}
    pairs = None
    if hh is not None and isinstance(head := heads["hh"], PreferenceHead):
        pairs = ranked_pairs(parts, head, hh)
    about = {
        "size": asdict(size),
        "base": {"name": parts.base.name, "sha256": parts.base.sha256},
        "other": {"name": parts.other.name, "sha256": parts.other.sha256} if parts.other else None,
        "policies": {" ".join(map(str, key)): one.name for key, one in parts.policies.items()},
        "scorers": {" ".join(key): list(one.about.described) for key, one in parts.scorers.items()},
        "rewards": {task.name: task.reward.describe() for task in parts.tasks},
        "judges": {task.name: task.judge.describe() if task.judge else None for task in parts.tasks},
        "spread": spread.of,
        "finished": {one.name: round(float(some.finished.mean()), 3) for one, some in rows.items()},
    }
    return {"cells": cells, "predictions": predictions(parts, rows), "pairs": pairs}, about


def conclude(
    results: Results, kept: dict[str, pd.DataFrame | None], about: dict[str, Any], seed: int, real: bool
) -> list[Entry]:
    """Write every table into `results`, note what they were made with, and give the verdicts."""
    cells, size = kept["cells"], about["size"]
    assert cells is not None
    with stage("quantities and intervals"):
        data = measured_from(cells, size["block"], kept["predictions"], kept["pairs"], size["resamples"], seed)
        found = tables(data)
    results.write_tables(found)
    results.note(controlled=about)
    scale = (
        f"{about['base']['name']} in place of PaLM 2-XXS; at most {size['prompts']} prompts a task, {size['answers']} "
        f"answers to each where candidates are chosen from, {size['single']} elsewhere, cut at {size['max_new']} "
        f"tokens; blocks of {size['block']} tokens unless said; two curves that share no KL cannot be compared"
    )
    with stage("checks and controls"):
        return entries(data, found["cd_measures"], scale, real)


def default_parts(size: Size, adapters: Path | None = None, other: str = "") -> Parts:
    """What ships: the default base, heads, scorers and adapters.

    other: another base, else the adapter that was trained furthest towards a third reward.
    """
    with stage("loading models"):
        base = default_prior()
    folder = adapters or shipped("adapters")
    where = other or third(folder, base.sha256)
    return Parts(
        base,
        tasks(base, size),
        shipped_scorers(base),
        found_policies(base, folder, size.betas),
        source(base, where) if where else None,
    )


def third(folder: Path, prior_sha256: str) -> str:
    """The adapter of the sentiment reward with the smallest beta, the default other base; empty if there is none."""
    cards = cards_in(folder, prior_sha256)
    found = [(card["beta"], str(folder / name)) for name, card in cards.items() if card["reward"] == "sentiment"]
    return min(found)[1] if found else ""


def main(
    size: Annotated[str, typer.Option(help="live, standard or paper.")] = "standard",
    out: Annotated[Path, typer.Option(help="Results go to OUT/controlled-SIZE/.")] = Path("results"),
    adapters: Annotated[Path | None, typer.Option(help="A folder of adapters; else those that ship.")] = None,
    other: Annotated[str, typer.Option(help="The other base: an adapter's folder, a directory or a hub id.")] = "",
    hh: Annotated[Path | None, typer.Option(help="Folder of Anthropic/hh-rlhf *.jsonl.gz files, for Table 1.")] = None,
    seed: int = 0,
) -> None:
    """Run the study and write its rows, tables and verdicts; what ships is OUT/controlled-SIZE/controlled."""
    with one_sentence():
        if size not in SIZES:
            raise InputError(f"There is no size {size!r}; choose {', '.join(SIZES)}.")
        use_fast_float32()
        results = Results.open(out, f"controlled-{size}")
        made = whole(results, default_parts(SIZES[size], adapters, other), SIZES[size], seed, True, hh)
        results.write_ledger(made)
        for entry in made:
            typer.echo(f"{entry.id:28} {entry.verdict:16} {entry.statement}")


if __name__ == "__main__":
    typer.run(main)
