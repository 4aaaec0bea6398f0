"""The study on the tiny model from its models to the ledger: rows, cells, tables, verdicts, resuming and shipping."""

import json
from dataclasses import asdict, replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from empirical.control import token_jobs, tokenwise
from empirical.errors import InputError
from empirical.preregistration import CONTROLLED, sentences, summaries
from empirical.presets import PRESETS
from empirical.results import Results
from empirical.shipped import shipped
from empirical.studies.controlled import collecting, run, shipped_tables
from empirical.studies.controlled.cells import (
    BASE,
    BEST,
    BLOCKS,
    COLUMNS,
    DPO,
    HH,
    IPO,
    LENGTH,
    ON_DPO,
    PPO,
    SUMMARY,
    TASKS,
    TOKENS,
    Q,
    chosen,
)
from empirical.studies.controlled.settings import POOL, Setting
from empirical.studies.controlled.sizes import PAPER, SMOKE, STANDARD
from empirical.studies.controlled.summing import cells_from
from empirical.studies.controlled.tiny_parts import PROMPTS


def test_every_sentence_and_experiment_has_an_entry_without_fault(study):
    _, entries = study
    assert [entry.id for entry in entries] == [one.id for one in (*sentences(CONTROLLED), *summaries(CONTROLLED))]
    assert {entry.verdict for entry in entries} == {"not-testable-here"}
    assert [fault for entry in entries for fault in entry.faults() if "check failed" in fault] == []
    assert all(entry.paper == "cd" for entry in entries)


def test_cells_hold_every_method_and_no_prompt_is_lost(study):
    results, _ = study
    cells = shipped_tables.read(results.folder / "controlled")[0]["cells"]
    assert tuple(cells.columns) == COLUMNS
    settings = cells.groupby(list(COLUMNS[:10]), dropna=False).prompt_id.agg(["size", "nunique"])
    assert (settings == len(PROMPTS)).all(axis=None)
    own = chosen(cells)
    methods = {BASE, BEST, BLOCKS, TOKENS, PPO, DPO, IPO, ON_DPO + BEST}
    assert {task: set(own.method[own.task == task]) for task in (LENGTH, HH, SUMMARY)} == {
        LENGTH: methods,
        HH: methods | {ON_DPO + BLOCKS},
        SUMMARY: {BASE, BEST, BLOCKS, PPO, DPO, IPO},
    }
    assert set(cells.task[cells.role == "other"]) == {LENGTH, HH}
    numbers = cells[["kl_bound", "reward", "tokens"]]
    assert np.isfinite(numbers).all(axis=None)
    assert cells.win[cells.task != LENGTH].between(0, 1).all()
    assert cells.win[cells.task == LENGTH].isna().all()
    plain = cells[(cells.method == BLOCKS) & (cells.value == 1)]
    assert (plain.kl_bound == 0).all()
    assert (plain.kl_estimate == 0).all()


def test_one_candidate_is_plain_sampling_and_pools_give_the_base(study, parts):
    """Blocks of one candidate draw the very answers of the base without control, as their uniforms are the same."""
    results, _ = study
    rows, spread = collecting.collect(parts, SMOKE, results.samples)
    once = rows[Setting(HH, BLOCKS, scorer=Q, knob="K", value=1.0, M=2.0, weight=0.0)]
    jobs = [job for prompt in PROMPTS for job in token_jobs(parts.base, prompt, SMOKE.single, SMOKE.max_new)]
    plain = tokenwise(parts.base, None, jobs)
    assert once.token_ids.map(list).tolist() == [answer.token_ids for answer in plain]
    pool = rows[Setting(HH, POOL)]
    cells = cells_from(rows, parts, SMOKE, spread)
    base = chosen(cells, task=HH, method=BASE)
    assert base.reward.mean() == pytest.approx(pool.reward.mean())
    largest = chosen(cells, task=HH, method=BEST, value=16.0)
    assert sorted(largest.reward) == pytest.approx(sorted(pool.groupby("prompt").reward.max()))


def test_a_second_run_draws_nothing(study, parts, monkeypatch):
    results, entries = study
    before = {path.name: path.read_bytes() for path in (results.folder / "tables").iterdir()}
    monkeypatch.setattr(collecting, "answer", None)
    again = run.whole(results, parts, SMOKE, 0, real=False)
    assert {path.name: path.read_bytes() for path in (results.folder / "tables").iterdir()} == before
    assert [entry.statement for entry in again] == [entry.statement for entry in entries]
    with pytest.raises(TypeError):
        run.whole(results, parts, replace(SMOKE, seed=1), 0, real=False)


def test_the_shipped_rows_give_the_same_tables(study, tmp_path):
    """Six decimals are kept: every figure of the tables is the same to five."""
    results, _ = study
    kept, about = shipped_tables.read(results.folder / "controlled")
    second = Results.open(tmp_path, "again")
    run.conclude(second, kept, about, 0, real=False)
    for path in (results.folder / "tables").iterdir():
        first, again = (pd.read_csv(folder / "tables" / path.name) for folder in (results.folder, second.folder))
        # Ratios of small differences magnify what rounding takes.
        pd.testing.assert_frame_equal(first, again, atol=1e-5, rtol=1e-2 if "fig" not in path.name else 1e-4)


def test_every_figure_has_its_rows(study):
    results, _ = study
    have = {path.stem for path in (results.folder / "tables").glob("cd_*.csv")}
    assert {f"cd_fig{number}" for number in range(3, 14)} < have
    assert "cd_table1" not in have, "no human pairs were given"
    for number in (3, 8, 10):
        drawing = import_module(f"figures.cd_fig{number}")
        drawing.draw(*(pd.read_csv(results.folder / "tables" / f"{name}.csv") for name in drawing.TABLES))


def test_a_pool_too_small_is_refused():
    with pytest.raises(ValueError, match="cannot be taken from a pool"):
        replace(SMOKE, pool=4)


def test_the_default_run_concludes_from_what_ships_and_draws_a_little_beside_it(study, parts, tmp_path, monkeypatch):
    results, entries = study
    monkeypatch.setattr(shipped_tables, "shipped", lambda _: results.folder / "controlled")
    bare = replace(parts, scorers={}, policies={}, other=None)
    monkeypatch.setattr(run, "default_parts", lambda size: bare)
    monkeypatch.setattr(run, "LIVE", SMOKE)
    again = run.default(Results.open(tmp_path, "default"), 0)
    assert [entry.id for entry in again] == [entry.id for entry in entries]
    assert {entry.verdict for entry in again} == {"inconclusive"}, "three prompts decide nothing"
    live = pd.read_csv(tmp_path / "default" / "tables" / "cd_live.csv")
    assert set(live.task) == set(TASKS)
    assert "tiny-prior" in again[0].assumptions


@pytest.mark.parametrize(("arguments", "said"), [(["--size", "huge"], "no size 'huge'")])
def test_the_command_line_refuses_in_one_sentence(arguments, said, tmp_path):
    app = typer.Typer()
    app.command()(run.main)
    ended = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path)])
    assert ended.exit_code == 2
    assert said in ended.output
    assert ended.output.count("\n") == 1


def test_each_preset_has_its_way(monkeypatch, tmp_path):
    """Random models at smoke; what ships at default; everything anew, at no more prompts than asked, at paper."""
    results, asked = Results.open(tmp_path, "any"), []
    monkeypatch.setattr(run, "default_parts", lambda size: size)
    monkeypatch.setattr(run, "default", lambda *arguments: asked.append(arguments))
    monkeypatch.setattr(run, "whole", lambda *arguments, real: asked.append((*arguments, real)))
    run.study(results, PRESETS["default"], 3)
    assert asked.pop() == (results, 3)
    run.study(results, replace(PRESETS["paper"], prompts=7), 3)
    size = replace(PAPER, prompts=7, seed=3)
    assert asked.pop() == (results, size, size, 3, True)
    run.study(results, PRESETS["smoke"], 3)
    _, parts, size, _, real = asked.pop()
    assert (parts.base.name, size, real) == ("tiny-prior", SMOKE, False)


def test_nothing_is_concluded_from_nothing(tmp_path):
    with pytest.raises(InputError, match="no rows of controlled decoding"):
        shipped_tables.read(tmp_path)


def test_the_rows_that_ship_are_whole_and_of_the_scorers_that_ship():
    kept, about = shipped_tables.read()
    assert all(table is not None for table in kept.values())
    config = json.loads((shipped("scorers") / "hh-q" / "config.json").read_text(encoding="utf-8"))
    assert about["base"]["sha256"] == config["sha256"]
    assert about["size"] == json.loads(json.dumps(asdict(STANDARD)))
    assert kept["cells"].groupby("task").prompt_id.nunique().to_dict() == dict.fromkeys(TASKS, STANDARD.prompts)
