"""Against a model whose own secret reward is the reward, and against enumeration."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empirical.alignment import draw_pools
from empirical.alignment_distance import distance, intervals, jackknife_bias, log_mean_exp, moments
from empirical.models import with_adapter
from empirical.scoring import score
from empirical.tiny import write_tiny_adapter
from empirical.training import Recipe
from tests.empirical.six_words import Listed, every_answer, kl, log_law, random_reward, six_words
from tests.statistical.p_values import binomial
from tests.statistical.randomised import Randomised

PROMPTS = ["a", "b c", "d", "e a b", "c c", "b d e"]
RECIPE = Recipe(beta=0.5, answers=64, max_new=2)


@dataclass(frozen=True)
class Tilt:
    """sign beta log(aligned / prior) plus a constant: with sign 1, the aligned model is p e^(r / beta) / Z."""

    aligned: object
    sign: float = 1.0
    layer: None = None

    def score(self, scored):
        ids = self.aligned.prompt_ids(scored.prompt)
        log_aligned = score(self.aligned, ids, scored.token_ids).log_prob.double().numpy()
        return self.sign * RECIPE.beta * (log_aligned - scored.log_prior) + 3.0

    def describe(self):
        return "tilt"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("six")
    prior = six_words(folder / "prior")
    return prior, with_adapter(prior, write_tiny_adapter(prior, folder / "adapter"), "aligned")


def measured(models, reward, count=64):
    prior, aligned = models
    pools = dict(zip(PROMPTS, draw_pools(prior, reward, PROMPTS, RECIPE), strict=True))
    return distance(aligned, prior, reward, pools, RECIPE, count)


def test_at_the_optimum_every_figure_says_so(models):
    """Slope and correlation 1, no gap; float32 figures, so 1e-3."""
    found = measured(models, Tilt(models[1]))
    for law in ("prior", "aligned"):
        assert found[f"slope_on_{law}"].value == pytest.approx(1, abs=1e-3)
        assert found[f"correlation_on_{law}"].value == pytest.approx(1, abs=1e-3)
    assert found["gap_by_aligned"].value == pytest.approx(0, abs=1e-3)
    assert found["gap"].low < 0 < found["gap"].high
    assert found["share_of_optimum"].low < 1 < found["share_of_optimum"].high


def test_the_other_sign_of_the_secret_reward_is_seen(models):
    found = measured(models, Tilt(models[1], sign=-1.0))
    assert found["slope_on_prior"].value == pytest.approx(-1, abs=1e-3)
    assert found["share_of_optimum"].value < 0
    assert found["gap_by_aligned"].low > 0.01


def test_the_sampled_figures_lie_near_the_enumerated_ones(models):
    """64 answers a prompt: means of six prompts, so five standard errors of the noise within prompts."""
    prior, aligned = models
    reward = random_reward()
    found = measured(models, reward)
    r = np.array(list(reward.values.values()))
    laws = [(log_law(prior, prompt), log_law(aligned, prompt)) for prompt in PROMPTS]
    exact = {
        "kl": np.mean([kl(log_pi, log_p) for log_p, log_pi in laws]),
        "reward_aligned": np.mean([np.exp(log_pi) @ r for _, log_pi in laws]),
        "reward_prior": np.mean([np.exp(log_p) @ r for log_p, _ in laws]),
        "optimum": np.mean([RECIPE.beta * np.log(np.exp(log_p) @ np.exp(r / RECIPE.beta)) for log_p, _ in laws]),
    }
    noise = 5 / np.sqrt(64 * len(PROMPTS))  # rewards are standard normal; the steps' KL varies less
    for key, value in exact.items():
        tolerance = noise * (2 * RECIPE.beta if key == "optimum" else 1)
        assert found[key].value == pytest.approx(value, abs=tolerance), key
    assert found["kl"].value == pytest.approx(exact["kl"], rel=0.25)
    assert found["objective"].value == pytest.approx(found["reward_aligned"].value - 0.5 * found["kl"].value, abs=1e-12)
    assert found["gap"].value == pytest.approx(found["optimum"].value - found["objective"].value, abs=1e-12)


def test_the_gap_is_the_kl_to_the_optimum(models):
    """optimum - J = beta KL(pi || p e^(r / beta) / Z), by enumeration of both sides: what the module's head says."""
    prior, aligned = models
    r = np.array(list(random_reward().values.values()))
    log_p, log_pi = log_law(prior, "a"), log_law(aligned, "a")
    log_p, log_pi = (law - np.logaddexp.reduce(law) for law in (log_p, log_pi))  # float32 sums to 1 within 1e-6
    beta = RECIPE.beta
    best = beta * np.log(np.exp(log_p) @ np.exp(r / beta))
    objective = np.exp(log_pi) @ r - beta * kl(log_pi, log_p)
    optimum = log_p + (r - best) / beta
    assert best - objective == pytest.approx(beta * kl(log_pi, optimum), abs=1e-9)


def test_a_constant_reward_gives_no_nan(models):
    found = measured(models, Listed(dict.fromkeys(every_answer(), 1.0)), count=8)
    assert all(np.isfinite([row.value, row.low, row.high]).all() for row in found.values())
    assert found["slope_on_prior"].value == found["share_of_optimum"].value == 0


def covered(rng, spread=1.0):
    """How many of 60 intervals for the mean of 40 normal prompts cover 0; spread: planted, of the prompts given."""
    empty = {f"{law}_{key}": np.ones(40) for law in ("prior", "aligned") for key in ("xx", "xy", "yy")}
    held = 0
    for seed in rng.integers(2**31, size=60):
        names = ("reward_prior", "reward_aligned", "kl", "optimum")
        columns = {name: rng.standard_normal(40) for name in names} | empty
        columns["kl"] = columns["kl"].mean() + spread * (columns["kl"] - columns["kl"].mean())
        found = intervals(columns, 0.1, int(seed))["kl"]
        held += found.low <= 0 <= found.high
    return held


COVERAGE = Randomised(
    __name__,
    "an interval covers as often as it says",
    draw=covered,
    judge=lambda held: binomial(held, 60, 0.9, 1),  # 95 %; the bootstrap falls a little short
    planted={"deviations a quarter, as if of 640 prompts": lambda rng: covered(rng, 1 / 4)},
    sample="60 intervals cover in 90 % or more, exact binomial",
    trials=60,
)


def test_an_interval_covers_as_often_as_it_says():
    COVERAGE.hold()


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=20))
def test_the_jackknife_sees_that_the_plug_in_is_too_low(x):
    values = np.array(x)
    assert jackknife_bias(values) <= 1e-9
    assert values.mean() - 1e-9 <= log_mean_exp(values) <= values.max() + 1e-9


def test_the_jackknife_halves_the_bias():
    """Normal x of variance 1, n = 20: log E e^x = 1/2 exactly; means of 1,500 repeats."""
    rng = np.random.default_rng(1)
    draws = rng.standard_normal((1500, 20))
    bias = np.mean([log_mean_exp(x) for x in draws]) - 0.5
    assert bias < -0.02
    assert abs(bias - np.mean([jackknife_bias(x) for x in draws])) < abs(bias) / 2


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=2, max_size=10))
def test_moments_are_those_about_the_means(pairs):
    y, x = np.array(pairs).T
    found = moments(y, x)
    cov = np.cov(x, y, bias=True)
    np.testing.assert_allclose([found["xx"], found["xy"], found["yy"]], [cov[0, 0], cov[0, 1], cov[1, 1]], atol=1e-9)
