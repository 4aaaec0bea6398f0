"""The study on the tiny model from its models to the ledger: entries, tables, figures, resuming, what is registered."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest

from empirical.evidence_task.item import with_evidence, without_evidence
from empirical.guidance import guided, guided_jobs
from empirical.preregistration import GUIDED, sentences, summaries
from empirical.results import Results
from empirical.scoring import score
from empirical.studies.guided import collecting, run
from empirical.studies.guided.quantities import QUANTITIES
from empirical.studies.guided.sizes import FREE, PLAIN, SMOKE
from empirical.studies.guided.verdict import evidence


def rows_of(results):
    return pd.concat([pd.read_parquet(path) for path in results.samples.glob("guided-*.parquet")], ignore_index=True)


def test_every_sentence_has_an_entry_without_fault(study):
    _, entries = study
    assert [entry.id for entry in entries] == [one.id for one in (*sentences(GUIDED), *summaries(GUIDED))]
    assert {entry.verdict for entry in entries} == {"not-testable-here"}
    assert [fault for entry in entries for fault in entry.faults() if "check failed" in fault] == []
    assert all(entry.paper == "chang" for entry in entries)
    assert all(check.oracle for entry in entries for check in entry.checks), "what each was compared with"


def test_intervals_are_of_as_many_resamples_as_asked_for(study):
    """Three items make few different means; of one resample there would be one."""
    measured = pd.read_csv(study[0].folder / "tables" / "chang_measures.csv")
    assert (measured.low < measured.high).any()


def test_every_condition_names_a_quantity_and_every_quantity_is_asked_for():
    asked = {condition.quantity for sentence in sentences(GUIDED) for condition in sentence.conditions}
    assert asked == set(QUANTITIES)


def test_every_rule_answers_every_item(study, parts):
    rows = rows_of(study[0])
    rules = [*((rule.name, "intact") for rule in SMOKE.rules(True)), (PLAIN.name, "weak"), (FREE.name, "weak")]
    sizes = rows.groupby(["rule", "prior"]).agg(items=("item", "nunique"), rows=("item", "size"))
    assert set(sizes.index) == set(rules)
    assert (sizes["items"] == len(parts.items)).all()
    assert (sizes["rows"] == len(parts.items) * SMOKE.answers).all()


def test_rows_say_what_was_drawn(study, parts):
    """Against the engine asked again, and passes over whole texts; the weaker prior's answers under the intact one."""
    rows, item = rows_of(study[0]), parts.items[0]
    prompts = with_evidence(item), without_evidence(item)
    for prior, model in (("intact", parts.prior), ("weak", parts.weak)):
        some = rows[(rows.rule == FREE.name) & (rows.prior == prior) & (rows.item == item.id)].sort_values("sample")
        again = guided(model, guided_jobs(model, *prompts, SMOKE.answers, SMOKE.max_new, FREE))
        assert [list(ids) for ids in some.token_ids] == [one.token_ids for one in again]
        log_p = score(parts.prior, parts.prior.prompt_ids(prompts[0]), [list(ids) for ids in some.token_ids]).log_prob
        np.testing.assert_allclose(some.nll, -log_p.numpy() / some.tokens, atol=1e-4)  # float32 with and without cache
        np.testing.assert_allclose(some.kl, [one.total("kl") for one in again], atol=1e-9)


def test_a_second_run_draws_nothing(study, parts, monkeypatch, tmp_path):
    results, entries = study
    before = {path.name: path.read_bytes() for path in (results.folder / "tables").iterdir()}
    monkeypatch.setattr(collecting, "guided", None)
    assert [one.statement for one in run.run(results, parts, SMOKE, real=False)] == [one.statement for one in entries]
    assert {path.name: path.read_bytes() for path in (results.folder / "tables").iterdir()} == before
    with pytest.raises(TypeError):
        run.run(results, parts, replace(SMOKE, seed=1), real=False)


@pytest.mark.parametrize("change", [{"answers": ("another",)}, {"common": ("known",)}, {"kind": "common"}])
def test_rows_measured_by_another_key_are_not_read_again(parts, change):
    """`found` is kept beside each answer: it is that of the item as it was then."""
    first, *others = parts.items
    changed = replace(parts, items=[replace(first, **change), *others])
    assert changed.items != parts.items
    assert collecting.fingerprint(changed, SMOKE) != collecting.fingerprint(parts, SMOKE)


def test_evidence_notices_other_answers(study, parts):
    rows = rows_of(study[0])
    checks, controls = evidence(rows, parts.prior, parts.items)
    assert all(check.passed for check in checks)
    assert all(control.rejected for control in controls)
    checks, _ = evidence(rows.assign(log_model=rows.log_model + 0.01), parts.prior, parts.items)
    assert not checks[0].passed


def test_the_figures_are_drawn(study):
    results, _ = study
    for name in ("chang_tradeoffs", "chang_relevance"):
        drawing = import_module(f"figures.{name}")
        drawing.draw(*(pd.read_csv(results.folder / "tables" / f"{table}.csv") for table in drawing.TABLES))


def test_without_a_discriminator_its_rules_are_left_out(parts, tmp_path):
    bare = replace(parts, log_success=None, items=parts.items[:1])
    results = Results.open(tmp_path, "bare")
    entries = run.run(results, bare, SMOKE, real=True)
    assert not rows_of(results).rule.str.startswith("classifier").any()
    assert {entry.verdict for entry in entries} == {"inconclusive"}, "one item decides nothing"
