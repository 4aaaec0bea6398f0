"""The prediction study on the tiny triple: tables, resuming, evidence and its controls, the registered rule."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from empirical.prediction import LAWS, Corpus, recommend
from empirical.preregistration import registered
from empirical.presets import Settings
from empirical.prompts import prompt_id, study_prompts
from empirical.results import Results
from empirical.store import Shards
from empirical.studies import prediction
from empirical.studies.collecting import collect, fingerprint
from empirical.studies.prediction_tables import QUANTITIES, calibrated, tables
from empirical.studies.prediction_verdict import entry, evidence, rule, within_reach

PROMPTS = study_prompts(10)


@pytest.fixture(scope="module")
def study(triple, few_schemes, small, tmp_path_factory):
    """One run of the study: its results, the sampled rows, and the entry."""
    results = Results.open(tmp_path_factory.mktemp("prediction"), "tiny")
    shards = Shards(results.samples, "tiny", fingerprint(triple, few_schemes, small))
    rows = collect(triple, PROMPTS, few_schemes, small, shards)
    return results, rows, prediction.run(results, triple, PROMPTS, rows, few_schemes, small, real=True)


@pytest.fixture
def copied(study, tmp_path):
    """Results that a test may change, and the sampled rows."""
    results, rows, _ = study
    return Results(shutil.copytree(results.folder, tmp_path / "copied")), rows


def table(results, name):
    return pd.read_csv(results.folder / "tables" / f"{name}.csv")


def test_the_tables_hold_every_scheme_law_and_quantity(study, few_schemes):
    results, rows, _ = study
    found = table(results, "tan_prediction")
    keys = found[["law", "scheme", "quantity"]]
    assert len(keys.drop_duplicates()) == len(found) == 2 * len(few_schemes) * 2
    assert set(keys.quantity) == set(QUANTITIES)
    local = found[found.law == "local"].set_index(["scheme", "quantity"])
    for quantity, column in zip(QUANTITIES, ("log_prior", "reward"), strict=True):
        np.testing.assert_allclose(
            local.xs(quantity, level=1).sampled,
            rows.groupby("scheme")[column].mean()[local.xs(quantity, level=1).index],
        )
    plain = local.xs("ancestral").iloc[0]
    assert plain.change == pytest.approx(0, abs=1e-12)
    assert plain.predicted == pytest.approx(plain.ancestral)
    assert found[found.law == "global"].sampled[found.scheme != "ancestral"].isna().all(), "two rows a cell are too few"
    made = found[found.predicted.notna()]
    assert len(made)
    assert (made.low <= made.predicted).all()
    assert (made.predicted <= made.high).all()
    guard = registered()["prediction"]
    least = np.where(found.law == "local", guard["least_ess_corpus"], guard["least_ess_prompt"])
    assert ((found.ess >= least) == found.predicted.notna()).all()
    curve = table(results, "tan_prediction_temperature")
    at_one = curve[np.isclose(curve.temperature, 1)]
    np.testing.assert_allclose(at_one.predicted, at_one.tangent)
    np.testing.assert_allclose(at_one.set_index("quantity").predicted, local.xs("ancestral").ancestral)


def test_the_corpus_is_not_the_rows_that_are_predicted(study, triple, few_schemes):
    results, rows, _ = study
    corpus = pd.concat([pd.read_parquet(path) for path in results.samples.glob("tiny-prediction-*.parquet")])
    drawn = rows[(rows.scheme == "ancestral")]
    both = corpus.merge(drawn, on=["prompt_id", "sample_id"], suffixes=("", "_drawn"))
    assert len(both) == len(drawn)
    assert (both.log_aligned != both.log_aligned_drawn).mean() > 0.9


def test_a_second_run_reads_what_is_there_and_mends_what_is_damaged(copied, triple, few_schemes, small, monkeypatch):
    results, rows = copied
    before = table(results, "tan_prediction")
    scored = []
    score = prediction.score_schemes
    monkeypatch.setattr(prediction, "score_schemes", lambda *given: scored.append(given) or score(*given))
    prediction.run(results, triple, PROMPTS, rows, few_schemes, small, real=True)
    assert scored == []
    spoilt = results.samples / f"tiny-{prompt_id(PROMPTS[1])}-6.schemes.npz"
    data = bytearray(spoilt.read_bytes())
    data[len(data) // 2] ^= 1
    spoilt.write_bytes(bytes(data))
    (results.samples / f"tiny-{prompt_id(PROMPTS[2])}-6.schemes.npz").write_bytes(b"no zip file")
    prediction.run(results, triple, PROMPTS, rows, few_schemes, small, real=True)
    assert len(scored) == 2
    pd.testing.assert_frame_equal(table(results, "tan_prediction"), before)
    prediction.run(results, triple, PROMPTS, rows, few_schemes[:5], small, real=True)
    assert len(scored) == 2 + len(PROMPTS), "scores under other schemes are others"


def test_the_entry_stands_and_random_models_prove_nothing(study):
    results, _, (found,) = study
    assert found.id == "tan.emp.prediction"
    assert found.faults() == []
    assert len(found.checks) == 2
    assert len(found.controls) >= 2
    names = ("tan_prediction", "tan_prediction_calibration")
    read = {name: table(results, name) for name in names}
    assert entry("tiny", 10, 6, True, read, [*found.checks, *found.controls], False, 0.0).verdict == "not-testable-here"


def test_foretelling_needs_no_sampled_rows(copied, triple, few_schemes, small):
    results, _ = copied
    before = table(results, "tan_prediction")
    found = prediction.foretell(results, triple, PROMPTS, few_schemes, small)
    assert found.sampled.isna().all()
    np.testing.assert_array_equal(found.predicted, before.predicted)
    assert recommend(found)[1].startswith("Use ")


def test_long_answers_are_also_predicted_by_their_first_tokens(triple, few_schemes, tmp_path):
    settings = Settings(samples=2, max_new=12, corpora=50, resamples=50)
    results = Results.open(tmp_path, "longer")
    shards = Shards(results.samples, "tiny", fingerprint(triple, few_schemes, settings))
    rows = collect(triple, PROMPTS, few_schemes, settings, shards)
    whole, first = prediction.run(results, triple, PROMPTS, rows, few_schemes, settings, real=True)
    assert (whole.id, first.id) == ("tan.emp.prediction", "tan.emp.prediction.short")
    assert whole.faults() == first.faults() == []
    found = table(results, "tan_prediction")
    assert found.tokens.unique().tolist() == [12, 8]
    ess = found[found.law == "local"].groupby(["scheme", "tokens"]).ess.first().unstack()
    assert (ess[8] >= 0.999 * ess[12]).mean() > 0.7, "weights over fewer steps spread less"


def calibration(schemes, share, high):
    row = {"law": "local", "quantity": "both", "schemes": schemes, "share": share, "low": 0.0, "high": high}
    return pd.DataFrame([row, row | {"law": "global", "schemes": 0}])


@pytest.mark.parametrize(
    ("schemes", "high", "prompts", "verdict"),
    [
        (9, 0.97, 20, "reproduced"),
        (9, 0.94, 20, "not-reproduced"),
        (5, 0.97, 20, "inconclusive"),
        (5, 0.5, 20, "inconclusive"),
        (9, 0.97, 9, "inconclusive"),
    ],
)
def test_the_registered_rule(schemes, high, prompts, verdict):
    assert rule(calibration(schemes, 0.8, high), prompts) == verdict


def synthetic(seed, few_schemes, distance=0.4):
    """A Gaussian world in which scheme k moves log p_plus by k * distance and log prior and reward with it."""
    rng = np.random.default_rng(seed)
    prompts, n, cell = 20, 64, 4
    s, level = rng.normal(size=(prompts, n)), 3 * rng.normal(size=prompts)
    corpus = Corpus(s, np.stack([s + level[:, None], -s + level[:, None]]))
    moves = distance * np.linspace(0, 1, len(few_schemes))
    log_w = moves[:, None, None] * s - moves[:, None, None] ** 2 / 2
    rows = []
    for scheme, move in zip(few_schemes, moves, strict=True):
        for p in range(prompts):
            for number, drawn in enumerate(move + rng.normal(size=cell)):
                about = {"scheme": scheme.name, "prompt_id": f"p{p:02}", "sample_id": number, "log_kept": 0.0}
                ratio = {"log_proposal": move * drawn - move**2 / 2, "log_aligned": 0.0}
                rows.append(about | ratio | {"log_prior": drawn + level[p], "reward": -drawn + level[p]})
    return corpus, log_w, pd.DataFrame(rows)


def test_calibration_and_evidence_on_a_world_whose_truth_is_known(few_schemes, small):
    shares, verdicts = [], []
    for seed in range(12):
        corpus, log_w, rows = synthetic([3, seed], few_schemes, 1.2)
        found = tables(
            "w", 32, corpus, {"local": log_w, "global": log_w}, rows, few_schemes, replace(small, resamples=200)
        )
        both = found["tan_prediction_calibration"].query("law == 'local' and quantity == 'both'").iloc[0]
        shares.append(both.share)
        verdicts.append(rule(found["tan_prediction_calibration"], 20))
        assert both.skill > 0.5
    # Twelve worlds of 16 differences that share a corpus: 0.95 with a standard error of some 0.03.
    assert 0.85 <= np.mean(shares) <= 1
    assert verdicts.count("reproduced") >= 9
    record = np.stack([corpus.log_p, np.ones(corpus.log_p.shape)])
    items = list(evidence(record, corpus, log_w, rows, few_schemes, replace(small, resamples=200)))
    assert all(getattr(item, "passed", True) and getattr(item, "rejected", True) for item in items)
    assert len(items) == 6
    tilted = list(evidence(record, corpus, log_w + 1, rows, few_schemes, replace(small, resamples=200)))
    assert not tilted[2].passed, "weights that do not average 1 are no ratio of laws"


def test_weights_that_so_few_texts_cannot_show_are_not_held_to_average_one(few_schemes, small):
    """A scheme whose own texts lie 8 nats further away than the weights of 1,280 texts of p_plus can show."""
    corpus, log_w, rows = synthetic([3, 0], few_schemes, 1.2)
    farthest = rows.scheme == few_schemes[-1].name
    away = rows.assign(log_proposal=rows.log_proposal.where(~farthest, rows.log_proposal + 8))
    assert list(within_reach(rows, few_schemes, corpus.log_p.size)) == [True] * len(few_schemes)
    assert list(within_reach(away, few_schemes, corpus.log_p.size)) == [True] * (len(few_schemes) - 1) + [False]
    assert within_reach(rows.assign(log_proposal=np.nan), few_schemes, 2).all(), "prefixes say nothing of it"
    short = log_w.copy()
    short[-1] -= 1  # as if the texts with most of the weight had not been drawn
    record = np.stack([corpus.log_p, np.ones(corpus.log_p.shape)])
    for drawn, passed in ((away, True), (rows, False)):
        found = list(evidence(record, corpus, short, drawn, few_schemes, replace(small, resamples=200)))
        assert found[2].passed is passed


def test_bands_are_the_same_on_every_run_and_others_with_another_seed(few_schemes, small):
    """What is drawn around the predictions and their curve, twice from one seed and once from another."""
    corpus, log_w, _ = synthetic([3, 0], few_schemes)
    first, again, other = (
        tables("w", 32, corpus, dict.fromkeys(LAWS, log_w), None, few_schemes, replace(small, seed=seed))
        for seed in (1, 1, 2)
    )
    for name in ("tan_prediction", "tan_prediction_temperature"):
        pd.testing.assert_frame_equal(first[name], again[name])
        assert (first[name].low != other[name].low).any()


def test_no_difference_no_share():
    columns = ["scheme", "adaptor", "quantity", "ancestral", "sampled", "difference", "difference_low"]
    empty = pd.DataFrame(columns=[*columns, "difference_high", "normalised_error"], dtype=float)
    assert [one["compared"] for one in calibrated(empty)] == [0, 0, 0]
