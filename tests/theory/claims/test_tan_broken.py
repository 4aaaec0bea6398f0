"""Rows of Tan et al. whose rule is bent: each must then contradict its verdict."""

from importlib import import_module

import numpy as np
import pytest

import theory.claims  # noqa: F401  fills the registry
from theory.adaptors import ancestral, temperature
from theory.claims.tan.worlds import ADAPTORS, random_world
from theory.covariance import covariance
from theory.families import log_harmonic
from theory.information import entropy, kl, renyi_entropy
from theory.language_models import Adapted, adapted, aligned
from theory.ledger import REGISTRY, verify
from theory.typicality import counted, is_typical


def scores_bent(tree, adaptor):
    result = adapted(tree, adaptor)
    return Adapted(result.local, result.log_kept, 1.01 * result.log_scores)


def mass_squared(tree, adaptor):
    result = adapted(tree, adaptor)
    return Adapted(result.local, 2 * result.log_kept, result.log_scores)


BROKEN = [
    ("tan.notdirect", "acceptance", "adapted", mass_squared, "corrected"),
    ("tan.eq3", "alignment", "kl", lambda a, b: kl(b, a), "identity"),
    ("tan.eq3", "worlds", "aligned", lambda prior, r, beta: aligned(prior, r, 1.1 * beta), "identity"),
    ("tan.prop2", "entropies", "log_telescoping", log_harmonic, "lower bound"),
    ("tan.prop2", "entropies", "log_telescoping", lambda n: -0.693 * (n + 1), "1 - mass"),
    ("tan.prop4", "entropies", "renyi_entropy", lambda p, alpha: renyi_entropy(p, 1.1 * alpha), "slope"),
    ("tan.prop4", "entropies", "kl", lambda a, b: kl(b, a), "slope"),
    ("tan.temp-control", "temperature_control", "temperature", lambda T: temperature(T**1.1), "corrected"),  # noqa: N803
    ("tan.temp-control", "temperature_control", "temperature", lambda T: temperature(1 / T), "printed"),  # noqa: N803
    ("tan.fn12", "temperature_control", "adapted", lambda tree, _: adapted(tree, ancestral()), "printed"),
    ("tan.fn12", "temperature_control", "top_k", lambda k: temperature(1.0 + k), "corrected"),
    ("tan.local_nontight", "tightness", "temperature", lambda T: temperature(1.1 * T), "P("),  # noqa: N803
    ("tan.always_tight", "tightness", "temperature", lambda T: temperature(1.1 * T), "T_c"),  # noqa: N803
    ("tan.prop1-reading", "trade_off", "type_log_probs", lambda q, counts: counted(q, counts), "corrected"),
    ("tan.prop1-reading", "trade_off", "aligned", lambda prior, r: aligned(prior, -3 * r), "corrected"),
    ("tan.slope", "trade_off", "random_world", lambda *a: random_world(*a[:-1], 1.3 * a[-1]), "Δr"),
    ("tan.eq5-8", "global_normalisation", "adapted", scores_bent, "score"),
    ("tan.eq5-8", "global_normalisation", "adapted", mass_squared, "E_loc"),
    ("tan.eq39", "global_normalisation", "ADAPTORS", ADAPTORS[::-1], "p^γ"),
    ("tan.eq9-10", "definitions", "entropy", lambda p: 1.1 * entropy(p), "H(Y, +)"),
    ("tan.eq9-10", "definitions", "is_typical", lambda i, h, e: is_typical(i, h, 1.9 * e), "|T|"),
    ("tan.def1-3", "definitions", "renyi_entropy", lambda p, alpha: renyi_entropy(p, alpha) / np.log(2), "H_"),
    ("tan.def1-3", "definitions", "_survival", lambda model, n: (1 - np.exp(model.log_stop).min(-1)) ** (n - 1), "|y|"),
    ("tan.appF", "alignment", "covariance", lambda q, x, r: covariance(np.zeros_like(q) + q[..., :1], x, r), "Cov"),
]


@pytest.mark.parametrize(("id", "module", "rule", "broken", "check"), BROKEN)
def test_a_broken_rule_contradicts_its_claim(monkeypatch, id, module, rule, broken, check):
    monkeypatch.setattr(import_module(f"theory.claims.tan.{module}"), rule, broken)
    with np.errstate(all="ignore"):
        faults = verify(REGISTRY[id]).faults()
    assert any(fault.startswith("check failed") and check in fault for fault in faults), faults
