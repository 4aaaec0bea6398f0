"""The claims of Tan et al.: they stand at other seeds too, and they fall when the code they prove is broken."""

from fractions import Fraction

import numpy as np
import pytest

import theory.claims  # noqa: F401  fills the registry
from theory import language_models, metropolis, typicality
from theory.adaptors import temperature, top_k
from theory.claims.tan import (
    acceptance,
    alignment,
    local_reversal,
    metropolis_hastings,
    pushed_to_prior,
    temperature_control,
    tightness,
    trade_off,
    typical_corpora,
)
from theory.claims.tan.worlds import ADAPTORS, Geometric, random_world
from theory.information import varentropy
from theory.language_models import adapted
from theory.ledger import REGISTRY, Check, verify

TAN = sorted(name for name, claim in REGISTRY.items() if name.startswith("tan.") and "toy" not in name)
TAN = [name for name in TAN if REGISTRY[name].evidence.__module__.startswith("theory.")]


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("name", TAN)
def test_claim_stands(name: str, seed: int) -> None:
    entry = verify(REGISTRY[name], seed)
    assert entry.faults() == []


def test_the_required_claims_are_there() -> None:
    assert {"tan.eq11", "tan.prop1", "tan.ex1", "tan.eq13-41", "tan.alg1"} <= set(TAN)


def failed(name: str) -> list[str]:
    """What of a claim's evidence fails; a check that cannot even be computed counts as failing."""
    try:
        return verify(REGISTRY[name]).faults()
    except ValueError as error:
        return [str(error)]


def test_an_acceptance_that_is_always_true_breaks_algorithm_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metropolis, "log_acceptance", lambda state, proposal: np.zeros_like(state + proposal))
    found = failed("tan.alg1")
    for check in ("detailed balance", "p_glob K = p_glob", "share of a grid"):
        assert any(check in fault for fault in found)


def test_an_inverted_ratio_breaks_algorithm_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metropolis, "log_acceptance", lambda state, proposal: np.minimum(0, state - proposal))
    assert any("detailed balance" in fault for fault in failed("tan.alg1"))


def test_kept_mass_of_the_untempered_step_breaks_algorithm_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_temperature(tree, adaptor):
        result = adapted(tree, adaptor)
        return language_models.Adapted(result.local, np.zeros_like(result.log_kept), result.log_scores)

    monkeypatch.setattr(metropolis_hastings, "adapted", without_temperature)
    assert any("log Z_t" in fault for fault in failed("tan.alg1"))


def test_one_prompt_too_many_is_weighed_by_its_normaliser() -> None:
    result = adapted(language_models.random_tree(2, 2, np.random.default_rng(0), batch=(3,)), top_k(2))
    marginal = metropolis_hastings._prompt_marginal(result)[0]
    np.testing.assert_allclose(marginal, np.exp(result.log_z) / np.exp(result.log_z).sum(), atol=1e-13)
    assert np.abs(marginal - 1 / 3).max() > 0.01


def test_half_the_variance_breaks_equation_11_and_a_wrong_constant_proposition_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(typical_corpora, "varentropy", lambda log_q: 0.5 * varentropy(log_q))
    assert failed("tan.eq11")
    monkeypatch.undo()
    monkeypatch.setattr(typical_corpora, "trade_off_constant", lambda log_z, entropy: log_z + entropy)
    assert failed("tan.prop1")
    monkeypatch.undo()
    monkeypatch.setattr(typicality, "gammaln", np.log)
    assert any("sums to 1" in fault for fault in failed("tan.eq11"))


def test_global_normalisation_taken_for_local_breaks_example_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def never_normalised(tree, adaptor):
        result = adapted(tree, adaptor)
        law, _ = language_models.from_scores(result.log_scores, tree.n_symbols)
        return language_models.Adapted(law, result.log_kept, result.log_scores)

    monkeypatch.setattr(local_reversal, "adapted", never_normalised)
    assert failed("tan.ex1")


def test_example_1_has_the_figures_of_our_audit() -> None:
    for string, score, local in ((0, Fraction(2205, 10_000), 0.3101), (1, Fraction(2250, 10_000), 0.2551)):
        assert local_reversal._exact((string,), normalise=False) == score
        assert float(local_reversal._exact((string,), normalise=True)) == pytest.approx(local, abs=5e-5)


def test_the_counter_example_to_equation_13_has_the_figures_of_our_audit() -> None:
    world = pushed_to_prior._world([0.5, 0.3, 0.2], [0.1, 0.2, 0.9])
    for adaptor, true, printed in (
        (temperature(0.5), (0.065, 0.094, 0.842), (0.317, 0.228, 0.456)),
        (top_k(2), (0, 0.25, 0.75), (0.455, 0.545, 0)),
    ):
        # half a unit of the third digit
        np.testing.assert_allclose(np.exp(adapted(world.aligned, adaptor).log_global), true, atol=6e-4)
        np.testing.assert_allclose(np.exp(pushed_to_prior._printed(world, adaptor)), printed, atol=6e-4)


def test_the_printed_form_if_it_were_true_would_break_the_erratum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushed_to_prior, "_printed", lambda world, adaptor: adapted(world.aligned, adaptor).log_global)
    found = failed("tan.eq13-41")
    assert any("printed" in fault for fault in found)
    assert any("control not rejected" in fault for fault in found)


def test_geometric_law_agrees_with_its_strings() -> None:
    model = Geometric(2, 0.3)
    n = np.arange(2000)
    mass = 0.3 * 0.7**n
    information = -np.log(0.3) - n * model.log_symbol
    assert model.entropy == pytest.approx(mass @ information, rel=1e-12)
    assert model.varentropy == pytest.approx(mass @ (information - model.entropy) ** 2, rel=1e-10)
    outside = mass @ (np.abs(information - model.entropy) >= 1.0)
    exact = model.outside(1, model.entropy, 1.0, -model.log_symbol, -np.log(0.3))
    assert exact == pytest.approx(outside, abs=1e-12)


def test_worlds_are_those_of_equation_1() -> None:
    world = random_world(np.random.default_rng(0), 2, 2, (5,), 0.7)
    log_w = world.prior.log_prob + world.reward / 0.7
    np.testing.assert_allclose(world.log_z, np.logaddexp.reduce(log_w, axis=-1), atol=1e-13)
    np.testing.assert_allclose(world.aligned.log_prob, log_w - world.log_z[:, None], atol=1e-12)
    assert len({adaptor.name for adaptor in ADAPTORS}) == len(ADAPTORS)


def test_checks_count_many_instances() -> None:
    for name in ("tan.eq11", "tan.prop1", "tan.alg1", "tan.eq13-41"):
        checks: tuple[Check, ...] = verify(REGISTRY[name]).checks
        assert max(check.instances for check in checks) >= 1000


def test_endless_mass_of_local_temperature_has_the_figure_of_our_audit() -> None:
    assert tightness._survival(0.5)[-1] == pytest.approx(0.27203, abs=1e-5)
    assert tightness._growth(2, 0.1, 1.152) == pytest.approx(1, abs=1e-3)  # T_c to four digits


def test_footnote_12_has_the_figures_of_our_audit() -> None:
    tree = temperature_control._branching(3)
    full = float(np.exp(tree.log_prob) @ np.where(tree.log_prob > -np.inf, tree.log_prob, 0))
    assert full == pytest.approx(-2.640, abs=5e-4)
    assert full + float(temperature_control._rise(tree, top_k(2))) == pytest.approx(-3.058, abs=1e-3)


def test_a_reward_that_follows_log_p_correlates_positively_at_both_levels() -> None:
    world = trade_off._likelihood_reward(np.random.default_rng(0), 20)
    np.testing.assert_allclose(trade_off._string_correlation(world, world.aligned.log_prob), 1, atol=1e-9)
    np.testing.assert_allclose(trade_off._corpus_correlation(world, 10), 1, atol=1e-9)


def test_a_secret_reward_of_the_wrong_sign_breaks_equation_4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "aligned", lambda prior, r, beta: language_models.aligned(prior, -r, beta))
    assert failed("tan.eq4")


def test_an_acceptance_without_its_diagonal_breaks_the_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_diagonal(log_target, log_q):
        law = np.exp(log_target - np.logaddexp.reduce(log_target, axis=-1)[..., None])
        return metropolis.stationary_acceptance(log_target, log_q) - (law * np.exp(log_q)).sum(-1)

    monkeypatch.setattr(acceptance, "stationary_acceptance", without_diagonal)
    assert failed("tan.accept1")
