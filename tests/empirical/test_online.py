"""On-line DPO and IPO: slopes are the losses', the steps' mean gradient is the enumerated one, a kill loses nothing."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from empirical import training
from empirical.online import DPO, IPO, Labels, mean_pair_loss, online
from empirical.policy_gradient import Sampler, on_policy, step_figures
from empirical.scoring import answer_log_prob
from empirical.training import Recipe, with_new_adapter
from tests.empirical.moved_adapters import Killed, gradient, moved
from tests.empirical.six_words import EOS, every_answer, kl, log_law, random_reward, six_words

BETA = 0.4
LISTED = [list(text) for text in every_answer()]
EVERY = [(objective, labels) for objective in (DPO, IPO) for labels in Labels]
vectors = st.lists(st.floats(-4, 4), min_size=2, max_size=6)


def torch_loss(objective, left, right, preferred, beta):
    """One pair's loss in torch, from the formula: an oracle for slopes."""
    margin = left - right
    if objective is IPO:
        return preferred * (margin - 0.5 / beta) ** 2 + (1 - preferred) * (margin + 0.5 / beta) ** 2
    log_sigmoid = torch.nn.functional.logsigmoid
    return -preferred * log_sigmoid(beta * margin) - (1 - preferred) * log_sigmoid(-beta * margin)


def preferences(reward, labels):
    r = torch.as_tensor(reward)[:, None] - torch.as_tensor(reward)
    return torch.sigmoid(r) if labels is Labels.BRADLEY_TERRY else (1 + r.sign()) / 2


@pytest.fixture
def prior(tmp_path):
    return six_words(tmp_path / "prior")


@pytest.mark.parametrize(("objective", "labels"), EVERY)
@given(log_ratio=vectors, reward=vectors, beta=st.floats(0.05, 2))
def test_loss_and_slope_are_those_of_the_formula_over_all_pairs(objective, labels, log_ratio, reward, beta):
    n = min(len(log_ratio), len(reward))
    h = torch.tensor(log_ratio[:n], dtype=torch.float64, requires_grad=True)
    r = np.array(reward[:n])
    preferred = preferences(r, labels)
    left, right = torch.triu_indices(n, n, offset=1)
    expected = torch_loss(objective, h[left], h[right], preferred[left, right], beta).mean()
    expected.backward()
    loss, slope = mean_pair_loss(objective, h.detach().numpy(), r, beta, labels)
    # Float64; terms up to (8 + 1 / (2 beta))^2 = 324 are summed.
    assert loss == pytest.approx(float(expected.detach()), abs=1e-10)
    np.testing.assert_allclose(slope, h.grad.numpy(), atol=1e-10)
    assert abs(slope.sum()) < 1e-10


def enumerated(network, prior, reward, objective, labels, log_law_of_draws=None, per_token=False):
    """E grad of one pair's loss over all 31 x 31 pairs of the six-word model, both drawn from the network."""
    log_pi = answer_log_prob(network, prior.prompt_ids("a b"), LISTED)
    with torch.no_grad():
        log_p = answer_log_prob(prior.network, prior.prompt_ids("a b"), LISTED)
    law = (log_pi if log_law_of_draws is None else log_law_of_draws).detach().exp()
    h = log_pi - log_p
    if per_token:
        h = h / torch.tensor([len(text) for text in LISTED])
    values = np.array([reward.values[tuple(text)] for text in LISTED])
    losses = torch_loss(objective, h[:, None], h, preferences(values, labels), BETA)
    (law[:, None] * law * losses).sum().backward()
    return gradient(network).double().numpy()


@pytest.mark.parametrize(("objective", "labels"), [(DPO, Labels.BRADLEY_TERRY), (IPO, Labels.REWARD)])
def test_the_steps_mean_gradient_is_the_enumerated_one(prior, objective, labels):
    """Over 30 steps, along the line to each planted slip, within 5 standard errors and further than that from the slip.

    Planted: answers of the prior, a margin averaged over tokens (pitfall 33), the other method's loss.
    """
    reward, network = random_reward(), moved(prior)
    recipe = Recipe(beta=BETA, max_new=2, prompts_a_step=1, answers_a_step=16)
    exact = enumerated(network, prior, reward, objective, labels)
    other = IPO if objective is DPO else DPO
    with torch.no_grad():
        log_p = answer_log_prob(prior.network, prior.prompt_ids("a b"), LISTED)
    slips = [
        enumerated(network, prior, reward, objective, labels, log_law_of_draws=log_p),
        enumerated(network, prior, reward, objective, labels, per_token=True),
        enumerated(network, prior, reward, other, labels),
    ]
    step, found = online(objective, prior, reward, ["a b"], recipe, labels), []
    for number in range(30):
        step(network, number)
        found.append(gradient(network).double().numpy())
    for slip in slips:
        line = (slip - exact) / np.linalg.norm(slip - exact)
        along = np.array(found) @ line
        error = along.std(ddof=1) / np.sqrt(len(along))
        assert abs(along.mean() - exact @ line) < 5 * error
        assert abs(along.mean() - slip @ line) > 5 * error


def test_an_answer_that_is_only_its_end_counts_as_one_token(prior):
    """Pitfall 34: a margin per word would divide by its no words; ours is finite and reaches the adapter."""
    network, texts = moved(prior), [[EOS], [1, EOS]]
    tokens, _ = step_figures(network, prior.network, prior.prompt_ids("a b"), texts)
    log_pi = tokens.double().sum(1)
    assert log_pi[0] < 0
    with np.errstate(invalid="ignore"):
        per_word = np.float64(0.0) / (len(texts[0]) - 1)
    assert np.isnan(per_word)
    log_ratio = log_pi.detach().numpy() - log_law_of(prior, texts)
    for objective, labels in EVERY:
        loss, slope = mean_pair_loss(objective, log_ratio, np.array([1.0, 0.0]), BETA, labels)
        assert np.isfinite(loss)
        (torch.as_tensor(slope) @ log_pi).backward(retain_graph=True)
        pulled = gradient(network).double().numpy()
        assert np.isfinite(pulled).all()
        assert pulled.any()


def log_law_of(prior, texts):
    law = dict(zip(every_answer(), log_law(prior, "a b"), strict=True))
    return np.array([law[tuple(text)] for text in texts])


def test_the_kl_that_a_step_reports_is_the_policys_and_never_negative(prior):
    """Pitfall 35: its mean is KL(pi || p); the drawn log-ratio of the same answers has that mean but goes below 0."""
    reward, network = random_reward(), moved(prior, far=0.03)
    recipe = Recipe(beta=BETA, max_new=2, prompts_a_step=1, answers_a_step=4)
    step, draw = online(DPO, prior, reward, ["a b"], recipe), on_policy(prior, reward, ["a b"], recipe, DPO.name)
    exact_kl, log_ratio = [], []
    for number in range(25):
        exact_kl.append(step(network, number)["kl"])
        (pool,) = draw(network, number)
        with torch.no_grad():
            log_pi = answer_log_prob(network, pool.prompt, pool.answers)
        log_ratio.append(float((log_pi - pool.log_prior).mean()))
    with torch.no_grad():
        log_pi = answer_log_prob(network, prior.prompt_ids("a b"), LISTED).numpy()
    exact = kl(log_pi, log_law(prior, "a b"))
    assert min(exact_kl) >= 0
    assert min(log_ratio) < 0
    assert abs(np.mean(exact_kl) - exact) < 5 * np.std(exact_kl) / np.sqrt(25)
    assert np.std(exact_kl) < np.std(log_ratio)


def test_a_step_reports_the_means_over_its_prompts(prior):
    reward, network, prompts = random_reward(), moved(prior), ["a b", "c", "d"]
    recipe = Recipe(beta=BETA, max_new=2, prompts_a_step=3, answers_a_step=4)
    reported = online(IPO, prior, reward, prompts, recipe)(network, 0)
    rows = []
    for pool in on_policy(prior, reward, prompts, recipe, IPO.name)(network, 0):
        tokens, spent = (
            one.detach().double() for one in step_figures(network, prior.network, pool.prompt, pool.answers)
        )
        log_ratio = (tokens.sum(1) - pool.log_prior).numpy()
        loss, _ = mean_pair_loss(IPO, log_ratio, pool.reward.numpy(), BETA, Labels.REWARD)
        rows.append((loss, float(pool.reward.mean()), float(spent.sum(1).mean())))
    means = dict(zip(("loss", "reward", "kl"), np.mean(rows, axis=0), strict=True))
    assert reported == pytest.approx(means, abs=1e-6)  # float32 laws


@pytest.mark.parametrize("objective", [DPO, IPO])
def test_a_killed_run_ends_with_the_same_weights(prior, tmp_path, monkeypatch, objective):
    """Killed after every step in turn; the last bits agree."""
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    recipe = Recipe(beta=BETA, steps=4, max_new=2, learning_rate=1e-2, answers_a_step=4)
    runs = Killed(prior, recipe, lambda: online(objective, prior, random_reward(), ["a b", "c", "d"], recipe), tmp_path)
    whole, killed = runs.weights_of_both()
    assert all(torch.equal(*pair) for pair in zip(whole, killed, strict=True))
    assert any(weight.any() for weight in whole)


def test_the_answers_are_the_networks_and_not_the_priors(prior, monkeypatch):
    """The sampler follows before it draws; one that does not gives the prior's answers."""
    network = moved(prior)
    recipe = Recipe(beta=BETA, max_new=2, prompts_a_step=1, answers_a_step=32)
    fresh, plain = (
        on_policy(prior, random_reward(), ["a b"], recipe, "test")(some, 0)[0].answers
        for some in (network, with_new_adapter(prior, recipe))
    )
    assert fresh != plain
    monkeypatch.setattr(Sampler, "follow", lambda *_: None)
    assert on_policy(prior, random_reward(), ["a b"], recipe, "test")(network, 0)[0].answers == plain


@pytest.mark.parametrize(
    ("reward", "beta", "named"),
    [
        ([0.0], 1.0, "at least two"),
        ([0.0, np.nan], 1.0, "finite"),
        ([0.0, 1.0], 0.0, "beta"),
        ([0.0, 1.0], np.inf, "beta"),
    ],
)
def test_what_makes_no_pair_or_no_loss_is_refused(reward, beta, named):
    with pytest.raises(ValueError, match=named):
        mean_pair_loss(DPO, np.zeros(len(reward)), np.array(reward), beta, Labels.REWARD)
