"""The other claims of Tan et al. and the covariance laws: they stand, and fall when the code they prove is broken."""

import numpy as np
import pytest

import theory.claims  # noqa: F401  fills the registry
from theory import adaptors, automata, concentration, covariance
from theory.claims.tan import (
    adaptor_examples,
    aligned_models,
    chernoff,
    collider,
    n_grams,
    pooled_temperatures,
    pooling,
    renyi_finiteness,
    renyi_gap,
    selection,
    simpson,
    tail_estimates,
    worlds,
)
from theory.families import golden_bigram, random_automaton
from theory.ledger import REGISTRY, verify

MODULES = (
    adaptor_examples,
    aligned_models,
    chernoff,
    collider,
    n_grams,
    pooled_temperatures,
    pooling,
    renyi_finiteness,
    renyi_gap,
    selection,
    simpson,
    tail_estimates,
)
NAMES = sorted(
    name for name, claim in REGISTRY.items() if claim.evidence.__module__ in {module.__name__ for module in MODULES}
)


@pytest.mark.parametrize("seed", [3])
@pytest.mark.parametrize("name", NAMES)
def test_claim_stands(name: str, seed: int) -> None:
    entry = verify(REGISTRY[name], seed)
    assert entry.faults() == []
    assert entry.controls
    assert max(check.instances for check in entry.checks) >= 1000


def test_the_rows_of_the_audit_are_there() -> None:
    tan = "eq1-2 p_plus_eosbounded fn4 prop3 cor1 cor2 prop5 def4 lem1 thm2 tighter unbounded ex3-7 sec5.3"
    new = "no-go pooling-law temperature-no-go bands collider metric-switch prompts tail-estimates"
    assert set(NAMES) == {f"tan.{name}" for name in tan.split()} | {f"new.{name}" for name in new.split()}


def failed(name: str) -> str:
    """What of a claim's evidence fails; evidence that cannot even be computed counts as failing."""
    with np.errstate(all="ignore"):
        try:
            return "; ".join(verify(REGISTRY[name]).faults())
        except (ValueError, np.linalg.LinAlgError) as error:
            return str(error)


def test_a_power_sum_that_ignores_alpha_breaks_proposition_3(monkeypatch: pytest.MonkeyPatch) -> None:
    power = automata._power
    monkeypatch.setattr(automata, "_power", lambda log_p, alpha: power(log_p, np.ones_like(alpha)))
    assert "printed" in failed("tan.prop3")


def test_a_solve_with_the_wrong_matrix_breaks_proposition_3_and_definition_4(monkeypatch: pytest.MonkeyPatch) -> None:
    solved = automata.log_power_sum
    for module in (renyi_finiteness, renyi_gap):
        monkeypatch.setattr(module, "log_power_sum", lambda model, alpha: 1.01 * solved(model, alpha) + 1e-3)
    assert "(I - A_α)⁻¹ b_α" in failed("tan.prop3")
    assert failed("tan.def4")
    assert "K''(0)" in failed("tan.prop5")


def test_too_sure_an_end_breaks_proposition_3_and_its_corollaries(monkeypatch: pytest.MonkeyPatch) -> None:
    sufficient = renyi_finiteness.sufficient_alpha
    for module in (renyi_finiteness, n_grams):
        monkeypatch.setattr(module, "sufficient_alpha", lambda m, least, steps=1: sufficient(m, np.sqrt(least), steps))
    assert "log m" in failed("tan.prop3")
    assert "bound" in failed("tan.cor1")
    assert "bound" in failed("tan.cor2")


def test_the_printed_corollary_2_if_it_were_true_would_break_the_erratum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(n_grams, "_bigrams_that_skip_the_end", lambda rng: random_automaton(3, 1, rng, 0.1, (1000,)))
    assert "printed" in failed("tan.cor2")


def test_variances_of_steps_alone_break_proposition_5(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = automata.varentropy
    monkeypatch.setattr(renyi_gap, "varentropy", lambda model: 0.9 * exact(model))
    assert "K''(0)" in failed("tan.prop5")
    assert "V/2" in failed("tan.def4")


def test_a_law_without_heavy_tail_breaks_lemma_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renyi_gap, "log_fourth_block", lambda j, alpha: j * np.log(2) * (1 - 2 * alpha))
    assert "block" in failed("tan.lem1")


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_exponents_off_by_a_third_break_theorem_2(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    supremum = concentration._supremum
    monkeypatch.setattr(concentration, "_supremum", lambda *arguments: factor * supremum(*arguments))
    assert "Cramér" in failed("tan.thm2")
    assert failed("tan.tighter")


def test_an_estimate_without_the_lattice_breaks_the_tails(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = tail_estimates.bahadur_rao
    monkeypatch.setattr(tail_estimates, "bahadur_rao", lambda law, size, epsilon, span=0.0: exact(law, size, epsilon))
    assert "Bahadur" in failed("new.tail-estimates")


def test_a_range_as_wide_as_the_tail_breaks_unbounded(monkeypatch: pytest.MonkeyPatch) -> None:
    margin = chernoff._hoeffding_margin
    monkeypatch.setattr(chernoff, "_hoeffding_margin", lambda model, levels: margin(model, levels=100))
    assert "Hoeffding" in failed("tan.unbounded")


def test_one_token_too_many_breaks_the_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    top_k, up_to_mass = adaptors._top_k, adaptors._up_to_mass
    monkeypatch.setattr(adaptors, "_top_k", lambda log_w, k: top_k(log_w, k + 1))
    assert "top-k: k tokens" in failed("tan.ex3-7")
    monkeypatch.setattr(adaptors, "_up_to_mass", lambda *sides: up_to_mass(*sides[:-1], mass=0.1 + 0.9 * sides[-1]))
    assert "nucleus: tokens" in failed("tan.ex3-7")
    assert "typical: tokens" in failed("tan.ex3-7")


def test_a_threshold_without_its_root_breaks_the_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    eta = adaptors._eta
    monkeypatch.setattr(adaptors, "_eta", lambda log_w, epsilon: eta(log_w, epsilon**2))
    assert "η" in failed("tan.ex3-7")


def test_a_reward_of_the_wrong_sign_breaks_equations_1_and_2(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = worlds.aligned
    monkeypatch.setattr(worlds, "aligned", lambda prior, r, beta: exact(prior, -r, beta))
    assert "posterior" in failed("tan.eq1-2")
    monkeypatch.setattr(aligned_models, "aligned", lambda prior, r, beta: exact(prior, 3 * r, beta))
    assert failed("tan.p_plus_eosbounded")
    monkeypatch.setattr(aligned_models, "varentropy", lambda log_q: 0.2 * concentration.information.varentropy(log_q))
    assert "secret reward" in failed("tan.fn4")


def test_a_pooling_law_without_n_breaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "pooled", lambda between, within, size: covariance.pooled(between, within, 1))
    assert "B + W/N" in failed("new.pooling-law")
    monkeypatch.undo()
    monkeypatch.setattr(pooling, "reversal_size", lambda b, w: 2 * covariance.reversal_size(b, w))
    monkeypatch.setattr(simpson, "reversal_size", lambda b, w: 0.4 * covariance.reversal_size(b, w))
    assert "⌊N*⌋" in failed("new.pooling-law")
    assert "2 N*" in failed("new.prompts")


def test_corpora_that_anticorrelate_break_the_no_go_and_section_5_3(monkeypatch: pytest.MonkeyPatch) -> None:
    def flipped(log_q, x, r, size):
        return exact(log_q, x, -r, size)

    exact = pooling._corpora
    monkeypatch.setattr(pooling, "_corpora", flipped)
    assert "N Cov" in failed("new.no-go")
    exact = simpson._corpora
    monkeypatch.setattr(simpson, "_corpora", flipped)
    assert "printed" in failed("tan.sec5.3")
    assert "corrected" in failed("tan.sec5.3")


def test_a_tau_of_the_reward_alone_breaks_section_5_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simpson, "tau", lambda q, x, r: covariance.tau(q, x, -r))
    assert "τ" in failed("tan.sec5.3")


def test_a_condition_too_weak_breaks_the_temperature_no_go(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = covariance.covariance
    monkeypatch.setattr(
        pooled_temperatures, "covariance", lambda q, x, r: exact(q, x, r)._replace(xr=np.abs(exact(q, x, r).xr))
    )
    assert "Cov ≥" in failed("new.temperature-no-go")
    monkeypatch.setattr(pooled_temperatures, "tilted_slope", lambda q, x, r: -np.ones(x.shape[:-1]))
    assert "slope" in failed("new.temperature-no-go")


def test_a_slope_of_minus_one_breaks_the_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "tilted_slope", lambda q, x, r: -np.ones(x.shape[:-1]))
    assert "dE[R]/dE[X]" in failed("new.bands")


def test_a_typical_set_of_another_probability_breaks_the_collider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collider, "typical_shrinkage", lambda kept: covariance.typical_shrinkage(kept**2))
    assert "the covariance given" in failed("new.collider")
    monkeypatch.setattr(collider, "reversal_threshold", lambda kept: covariance.reversal_threshold(kept**2))
    assert "ρ - ρ*" in failed("new.collider")


def test_ranks_in_place_of_values_break_the_metric_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_rank_correlation", lambda q, x, r: covariance.covariance(q, x, r).correlation)
    assert "rank correlation of strings" in failed("new.metric-switch")


def test_figures_of_our_audit() -> None:
    assert renyi_finiteness._counter_example(50) == pytest.approx(3.0e6, rel=0.02)
    assert renyi_finiteness._counter_example(200) == pytest.approx(4.2e25, rel=0.02)
    assert float(automata.critical_alpha(golden_bigram())) == pytest.approx(0.6942, abs=5e-5)
    unigram = renyi_finiteness.geometric(2, 0.1)
    assert float(automata.critical_alpha(unigram)) == pytest.approx(0.868, abs=5e-4)
    assert float(np.exp(automata.log_power_sum(unigram, 0.869))) == pytest.approx(178.9, rel=0.05)
