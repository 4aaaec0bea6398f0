"""The claims on Chang et al.'s definitions, lemmas and remarks fall when a rule or a measure is replaced."""

from importlib import import_module

import numpy as np
import pytest

import theory.claims  # noqa: F401 (fills the registry)
from theory.claims.chang import self_consistent
from theory.claims.chang.pointwise_information import off_the_hull
from theory.claims.trees import all_policies, random_grader, random_world, transitions
from theory.guidance import classifier_guidance, gibbs, kl_guided_temperature
from theory.information import entropy, kl
from theory.language_models import Tree
from theory.ledger import REGISTRY, verify
from theory.values import Values, hard_values, log_values, optimal_values, soft_values


def in_bits(measure):
    return lambda *args: measure(*args) / np.log(2)


def halved(values):
    return Values(values.state / 2, values.action)


BROKEN = [
    ("chang.sec2.mdp", "decision_process", "transitions", lambda tree: transitions(tree) / 2),
    ("chang.defA.1-A.6", "decision_process", "hard_values", lambda tree, r: soft_values(tree, r, 1.0)),
    ("chang.defA.1-A.6", "decision_process", "optimal_values", lambda tree, r: soft_values(tree, r, 9.0)),
    ("chang.thmA.1", "decision_process", "optimal_values", hard_values),
    ("chang.thmA.1", "decision_process", "optimal_values", lambda tree, r: optimal_values(tree, -r)),
    ("chang.lem4.1a", "binary_reward", "log_values", lambda tree, d: soft_values(tree, d, 0.5)),
    ("chang.lem4.1a", "binary_reward", "hard_values", lambda tree, r: hard_values(tree, 0.9 * r)),
    ("chang.lem4.1b", "binary_reward", "optimal_values", log_values),
    ("chang.lem4.1b", "binary_reward", "_pmi", lambda q, tree: -q.action),
    ("chang.sec4.text", "binary_reward", "log_values", lambda tree, d: halved(log_values(tree, d))),
    ("chang.thm3.1-selfconsistent", "self_consistent", "log_values", lambda tree, d: hard_values(tree, np.exp(d))),
    ("chang.thm3.1-selfconsistent", "self_consistent", "respond", lambda p, q, lam: gibbs(p, np.exp(q))),
    ("chang.vs_cd", "self_consistent", "log_values", lambda tree, d: hard_values(tree, np.exp(d))),
    ("chang.vs_cd", "self_consistent", "controlled", lambda p, v, lam: gibbs(p, 1.1 * lam * v)),
    ("chang.defA.7", "pointwise_information", "simplex", lambda rng, *sizes: np.log(rng.random(sizes[:2]))),
    ("chang.pmi_e", "pointwise_information", "logsumexp", lambda x: x.mean(axis=-1)),
    ("chang.Ihat_gen", "pointwise_information", "kl", in_bits(kl)),
    ("chang.Ihat_gen", "pointwise_information", "entropy", in_bits(entropy)),
    ("chang.3.3.discriminative", "pointwise_information", "kl", lambda a, b: kl(b, a)),
    ("chang.3.3.h", "dynamic_temperature", "kl_guided_temperature", lambda p, q, s: kl_guided_temperature(p, q, 2 * s)),
    ("chang.3.3.h", "dynamic_temperature", "kl_guided_temperature", lambda p, q, s: kl_guided_temperature(q, p, s)),
    ("chang.cascade", "dynamic_temperature", "policy", lambda p, t: p),
    ("chang.3.4.interp", "dynamic_temperature", "printed", lambda pi, p, t: -kl(pi, p) - (1 / t - 1) * entropy(pi)),
    ("chang.3.4.interp", "dynamic_temperature", "entropy", in_bits(entropy)),
    ("chang.sec5-terms", "interpretation", "cross_entropy", kl),
    ("chang.sec5-terms", "interpretation", "kl", lambda pi, p: -kl(pi, p)),
    ("chang.sec5-terms", "interpretation", "greedy", lambda p: p),
    ("chang.summary-mech3", "interpretation", "varentropy", entropy),
    ("chang.summary-mech3", "interpretation", "kl_guided_temperature", lambda p, q, s: p),
]


@pytest.mark.parametrize(("id", "module", "rule", "broken"), BROKEN)
def test_a_broken_rule_contradicts_its_claim(monkeypatch, id, module, rule, broken):
    monkeypatch.setattr(import_module(f"theory.claims.chang.{module}"), rule, broken)
    assert any(fault.startswith("check failed") for fault in verify(REGISTRY[id]).faults())


def test_every_erratum_has_both_sides():
    for id in ("chang.sec4.text", "chang.vs_cd", "chang.3.3.discriminative", "chang.summary-mech3"):
        entry = verify(REGISTRY[id])
        assert entry.verdict == "erratum"
        assert all(any(check.name.startswith(side) for check in entry.checks) for side in ("printed", "corrected"))


def test_a_random_grader_makes_the_fixed_point_depend_on_lambda_and_a_deterministic_one_does_not():
    rng = np.random.default_rng(0)
    tree, d = random_world(rng, 0.05, 0.95, batch=20)
    passed = random_grader(rng, batch=20)
    success = []
    for lam in (0.5, 1.0, 3.0):
        success.append(np.exp(log_values(self_consistent.fixed_point(tree, np.log(d), lam), np.log(d)).state[:, 0]))
        sure = log_values(self_consistent.fixed_point(tree, passed, lam), passed).state[:, 0]
        np.testing.assert_allclose(sure, 0.0, atol=1e-12)
    assert np.all(np.diff(success, axis=0) > 1e-3)


def test_the_fixed_point_is_one():
    rng = np.random.default_rng(1)
    tree, d = random_world(rng, 0.05, 0.95, batch=20)
    policy = self_consistent.fixed_point(tree, np.log(d), 2.0)
    answer = classifier_guidance(tree.log_steps, log_values(policy, np.log(d)).action, 2.0)
    np.testing.assert_allclose(np.exp(answer), np.exp(policy.log_steps), atol=1e-13)


def test_all_policies_are_all_and_different():
    every = all_policies(2)
    assert every.log_steps.shape == (27, 7, 3)
    assert len({row.tobytes() for row in every.log_steps}) == 27
    assert isinstance(every, Tree)


def test_the_hull_of_the_audits_two_prompts():
    prompts = np.broadcast_to([[0.9, 0.1], [0.8, 0.2]], (2, 2, 2))
    without = np.array([[0.5, 0.5], [0.85, 0.15]])
    np.testing.assert_allclose(off_the_hull(prompts, without), [0.3, 0.0], atol=1e-6)
