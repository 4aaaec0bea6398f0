"""What the study runs on: adapters found by their cards, prompts that nothing was trained on, settings and sizes."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from empirical.errors import InputError
from empirical.studies.controlled import parts as parts_module
from empirical.studies.controlled.cells import (
    BLOCKS,
    DPO,
    FUDGE,
    HH,
    IPO,
    LENGTH,
    ON_DPO,
    PPO,
    SUMMARY,
    TASKS,
    TOKENS,
    Q,
)
from empirical.studies.controlled.parts import found_policies, halves, source
from empirical.studies.controlled.run import third
from empirical.studies.controlled.settings import OPPONENTS, POOL, Setting, longest, middle, settings
from empirical.studies.controlled.sizes import LIVE, SIZES, STANDARD
from empirical.tiny import write_tiny_adapter

POLICIES = [(method, beta) for method in (PPO, DPO, IPO) for beta in (0.5, 0.2, 0.1)]


@pytest.fixture
def adapters(triple, tmp_path):
    """Folders with cards as `empirical.align` names them; one real adapter for all."""
    made = write_tiny_adapter(triple.prior, tmp_path / "made")
    folder, prior = tmp_path / "adapters", {"prior_sha256": triple.prior.sha256}
    for reward, method, beta in (
        ("length", "rloo", 0.1),
        ("length", "ppo", 0.2),
        ("preference", "rloo", 0.1),
        ("preference", "online-dpo", 0.1),
        ("preference", "online-dpo", 0.5),
        ("preference", "dpo", 0.3),
        ("finegrained", "online-ipo", 0.1),
        ("sentiment", "dpo", 0.5),
        ("sentiment", "dpo", 0.05),
    ):
        at = shutil.copytree(made, folder / f"{reward}-{method}-{beta:g}")
        (at / "card.json").write_text(json.dumps({**prior, "reward": reward, "method": method, "beta": beta}))
    return folder


def test_adapters_are_found_by_their_cards_and_the_nearest_method_stands(triple, adapters):
    found = found_policies(triple.prior, adapters, 4)
    assert set(found) == {
        (LENGTH, PPO, 0.2),  # not that of rloo, which stands for PPO where there is none
        (HH, PPO, 0.1),
        (HH, DPO, 0.1),
        (HH, DPO, 0.5),
        (SUMMARY, IPO, 0.1),
    }
    assert found[HH, PPO, 0.1].name == "preference-rloo-0.1"
    assert set(found_policies(triple.prior, adapters, 1)) & {(HH, DPO, 0.1), (HH, DPO, 0.5)} == {(HH, DPO, 0.5)}
    assert third(adapters, triple.prior.sha256).endswith("sentiment-dpo-0.05")
    assert third(adapters / "nowhere", triple.prior.sha256) == ""
    assert third(adapters, "of another base") == ""
    assert found_policies(replace(triple.prior, sha256="of another base"), adapters, 4) == {}
    loaded = found[HH, DPO, 0.1].load()
    assert loaded.sha256.startswith(triple.prior.sha256)
    assert loaded.sha256 != triple.prior.sha256


def test_another_model_is_loaded_from_its_folder(triple, tiny_folder):
    other = source(triple.prior, tiny_folder / "prior")
    assert other.load().sha256 == triple.prior.sha256


@pytest.mark.parametrize("task", TASKS)
def test_the_study_s_prompts_are_those_that_nothing_is_trained_on(task):
    study, training = halves(task)
    assert not set(study) & set(training)
    assert min(len(study), len(training)) >= 20


def test_every_setting_has_its_own_name_and_every_figure_its_settings():
    for size in SIZES.values():
        for task in TASKS:
            listed = list(settings(task, size, POLICIES, True))
            assert len({one.name for one in listed}) == len(listed) == len(set(listed))
            methods = {one.method for one in listed}
            assert {POOL, OPPONENTS, BLOCKS, PPO, DPO, IPO} <= methods
            assert (TOKENS in methods) == (task != SUMMARY)
            assert (ON_DPO + BLOCKS in methods) == (task == HH)
            assert longest(listed, size) > 0
    listed = list(settings(HH, STANDARD, POLICIES, True))
    blocks = [one for one in listed if one.method == BLOCKS and one.scorer == Q and one.role == "own"]
    assert {one.M for one in blocks} == set(map(float, STANDARD.M))
    assert [one.value for one in blocks].count(1.0) == 1, "one candidate is drawn once"
    assert max(one.value for one in blocks if STANDARD.block == one.M) == 32.0, "experiment 7 names it"
    assert {one.beta for one in listed if one.method.startswith(ON_DPO)} == {0.1}, "the strongest"
    on_dpo = [one for one in settings(HH, replace(STANDARD, tuned=3), POLICIES, True) if one.method == ON_DPO + BLOCKS]
    assert {one.value for one in on_dpo if one.beta == 0.2} == {float(K) for K in STANDARD.K if K > 1}
    assert {one.value for one in on_dpo if one.beta == 0.5} == {4.0, 8.0, 16.0}
    length = [one for one in settings(LENGTH, STANDARD, POLICIES, True) if one.method == BLOCKS]
    assert 6.0 in {one.value for one in length if one.scorer == Q}
    assert not [one for one in settings(HH, STANDARD, POLICIES, False) if one.role == "other"]
    assert not [one for one in settings(HH, STANDARD, [], False) if one.method.startswith(ON_DPO)]
    weights = {one.weight for one in listed if one.scorer == FUDGE and one.method == BLOCKS}
    assert weights == {0.0, *STANDARD.weights}


def test_live_is_small_and_the_middle_is_one_of_them():
    tokens = {name: sum(longest(settings(task, size, POLICIES, True), size) for task in TASKS)
              for name, size in SIZES.items()}  # fmt: skip
    # 200 tokens a second, half of what two idle cores draw: six minutes at most.
    assert tokens["live"] < 72_000
    assert tokens["standard"] < tokens["paper"]
    assert LIVE.block == STANDARD.block
    assert middle([0.5, 0.1, 0.2]) == 0.2
    assert middle([0.5]) == 0.5


def test_missing_knobs_are_nan_in_cells():
    columns = Setting(HH, PPO, knob="beta", value=0.1).columns()
    assert columns["value"] == 0.1
    assert np.isnan([columns[name] for name in ("M", "weight", "beta")]).all()


def test_a_scorer_of_other_rewards_is_refused(parts):
    strange = parts.scorers[HH, Q].combined([0.0, 1.0, 0.0])
    from dataclasses import replace

    with pytest.raises(InputError, match="not preference"):
        replace(parts, scorers={(HH, Q): strange}).place(HH, Q)


def test_each_task_has_its_reward_and_the_judge_beside_it(monkeypatch):
    """The length needs no judge; a fitted reward is judged by a head that was fitted to other pairs."""
    monkeypatch.setattr(parts_module, "load_reward", lambda name, *_: f"reward of {name}")
    monkeypatch.setattr(parts_module, "shipped_head", lambda name: f"reward of {name}")
    monkeypatch.setattr(parts_module, "judge_of", lambda name: f"judge of {name}")
    found = [(task.name, task.reward, task.judge) for task in parts_module.tasks(None, STANDARD)]
    assert found == [
        (LENGTH, "reward of length", None),
        (HH, "reward of preference", "judge of preference"),
        (SUMMARY, "reward of finegrained", "judge of finegrained"),
    ]


@pytest.mark.parametrize("counts", [{"K_answers": (4, 99)}, {"budgets": (99,)}])
def test_more_cannot_be_chosen_from_than_the_pool_holds(counts):
    with pytest.raises(ValueError, match="cannot be taken from a pool of 98"):
        replace(STANDARD, **({"K_answers": (4,), "budgets": (4,), "pool": 98} | counts))
