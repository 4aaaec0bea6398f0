"""TRL's own on-line DPO and IPO and its clipped objective as oracles: gradients of an adapter on given answers."""

import datasets
import numpy as np
import pytest
import torch
import trl

from empirical.online import DPO, IPO, Labels, mean_pair_loss
from empirical.policy_gradient import step_figures
from empirical.ppo import clipped_surrogate
from empirical.scoring import answer_log_prob
from tests.empirical.moved_adapters import gradient, moved
from tests.empirical.six_words import random_reward, six_words

pytestmark = pytest.mark.filterwarnings("ignore")

ANSWERS = [
    [1, 0],
    [2, 3, 4],
    [0],
    [4, 4],
]  # two that end, two that are cut; the first pair and the last of unlike length
BETA, CLIP = 0.4, 0.2
# Checkpointed gradients would take the cache from our own pass, which reads the prompt once.
QUIET = {"report_to": "none", "use_cpu": True, "bf16": False, "max_steps": 1, "gradient_checkpointing": False}


@pytest.fixture
def prior(tmp_path):
    return six_words(tmp_path / "prior")


@pytest.fixture
def network(prior):
    return moved(prior)


def padded(rows, left=False):
    longest = max(map(len, rows))
    fill = [[0] * (longest - len(row)) for row in rows]
    ids = [f + row if left else row + f for row, f in zip(rows, fill, strict=True)]
    kept = [
        [0] * len(f) + [1] * len(row) if left else [1] * len(row) + [0] * len(f)
        for row, f in zip(rows, fill, strict=True)
    ]
    return torch.tensor(ids), torch.tensor(kept)


def ours(prior, network, objective, reward, pair):
    """The gradient of our loss of one pair, by the weights that a step gives its answers."""
    tokens = step_figures(network, prior.network, prior.prompt_ids("a b"), pair)[0]
    log_pi = tokens.double().sum(1)
    with torch.no_grad():
        log_p = answer_log_prob(prior.network, prior.prompt_ids("a b"), pair)
    log_ratio = (log_pi.detach() - log_p).numpy()
    values = np.array([reward.values.get(tuple(text), 0.5) for text in pair])
    loss, slope = mean_pair_loss(objective, log_ratio, values, BETA, Labels.REWARD)
    (torch.as_tensor(slope) @ log_pi).backward()
    return loss, gradient(network), float(log_ratio.mean())


@pytest.mark.parametrize(("objective", "kind"), [(DPO, "sigmoid"), (IPO, "ipo")])
@pytest.mark.parametrize("pair", [ANSWERS[:2], ANSWERS[2:], ANSWERS[1::-1]])
def test_a_pair_costs_and_pulls_as_in_trls_online_trainer(prior, network, tmp_path, objective, kind, pair):
    """Float32. The KL that TRL logs is that of the drawn tokens and of padding: shown, not compared."""
    from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer  # warns on import

    reward = random_reward()

    class Replayed(OnlineDPOTrainer):
        def _generate(self, model, prompts, images=None):
            ids, kept = padded(pair)
            prompt = torch.tensor([prior.prompt_ids("a b")] * 2)
            return prompt, torch.ones_like(prompt), ids, kept, None

    def rewards(completion_ids, **_):
        ended = [tuple(text) for text in pair]
        assert [tuple(ids[: len(text)]) for ids, text in zip(completion_ids, ended, strict=True)] == ended
        return [reward.values.get(text, 0.5) for text in ended]

    trainer = Replayed(
        network,
        ref_model=prior.network,
        reward_funcs=rewards,
        args=OnlineDPOConfig(
            output_dir=str(tmp_path), beta=BETA, loss_type=kind, per_device_train_batch_size=1, **QUIET
        ),
        train_dataset=datasets.Dataset.from_list([{"prompt": "a b"}]),
        processing_class=prior.tokenizer,
    )
    network.zero_grad()
    theirs = float(trainer.training_step(trainer.model, {"prompt": ["a b"]}))
    pulled = gradient(network)
    loss, own, drawn_kl = ours(prior, network, objective, reward, pair)
    assert loss == pytest.approx(theirs, rel=1e-4)
    torch.testing.assert_close(own, pulled, atol=1e-4, rtol=1e-3)
    assert pulled.abs().max() > 1e-2
    assert abs(trainer.stats["objective/kl"][0] - drawn_kl) > 1e-2  # both pairs are padded


def test_trls_offline_ipo_averages_over_tokens_and_the_papers_formula_does_not(prior, network, tmp_path):
    """Pitfall 33: the same pair under TRL's DPOTrainer gives the loss of the means, equation 17 that of the sums."""
    pair, reward = ANSWERS[:2], random_reward()
    reward.values[tuple(pair[0])], reward.values[tuple(pair[1])] = 1.0, 0.0
    texts = datasets.Dataset.from_list([{"prompt": "a b", "chosen": " c", "rejected": " d"}])
    arguments = trl.DPOConfig(
        output_dir=str(tmp_path), beta=BETA, loss_type="ipo", per_device_train_batch_size=4, **QUIET
    )
    trainer = trl.DPOTrainer(network, args=arguments, train_dataset=texts, processing_class=prior.tokenizer)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "lora_B.ref" in name:  # its reference: the prior
                weight.zero_()
    row = {"prompt_ids": prior.prompt_ids("a b"), "chosen_ids": pair[0], "rejected_ids": pair[1]}
    theirs = float(trainer.compute_loss(trainer.model, trainer.data_collator([row])).detach())
    with torch.no_grad():
        log_ratio = answer_log_prob(network, row["prompt_ids"], pair)
        log_ratio -= answer_log_prob(prior.network, row["prompt_ids"], pair)
    loss = mean_pair_loss(IPO, log_ratio.numpy(), np.array([1.0, 0.0]), BETA, Labels.REWARD)[0]
    means = log_ratio / torch.tensor([2.0, 3.0])
    assert float((log_ratio[0] - log_ratio[1] - 0.5 / BETA) ** 2) == pytest.approx(loss, rel=1e-6)
    assert float((means[0] - means[1] - 0.5 / BETA) ** 2) == pytest.approx(theirs, rel=1e-4)
    assert abs(loss - theirs) > 0.1


def test_the_clip_is_trls(prior, network, tmp_path):
    """Its GRPO loss without a KL, summed over tokens; pi_old is another adapter, so some tokens have left the range."""
    answers = [text for text in ANSWERS if len(text) < 3]
    advantage = torch.tensor([[0.7, -0.4], [-1.1, 0.0], [0.3, 0.9]])
    prompt = prior.prompt_ids("a b")
    log_old = step_figures(moved(prior, seed=2), prior.network, prompt, answers)[0].detach()
    arguments = trl.GRPOConfig(
        output_dir=str(tmp_path),
        beta=0.0,
        epsilon=CLIP,
        loss_type="dr_grpo",
        max_completion_length=1,  # what the sum over tokens is divided by
        num_generations=3,
        per_device_train_batch_size=3,
        **QUIET,
    )
    prompts = datasets.Dataset.from_list([{"prompt": "a b"}] * 3)
    trainer = trl.GRPOTrainer(
        network, lambda **_: [0.0] * 3, args=arguments, train_dataset=prompts, processing_class=prior.tokenizer
    )
    trainer.model.eval()
    ids, kept = padded(answers)
    prompt_ids = torch.tensor([prompt] * 3)
    batch = {
        "prompt_ids": prompt_ids,
        "prompt_mask": torch.ones_like(prompt_ids),
        "completion_ids": ids,
        "completion_mask": kept,
        "advantages": advantage,
        "old_per_token_logps": log_old,
    }
    network.zero_grad()
    trainer._compute_loss(trainer.model, batch).backward()
    theirs = gradient(network)
    log_pi, step_kl = step_figures(network, prior.network, prompt, answers)
    outside = ((log_pi - log_old).exp() - 1).abs() > CLIP
    assert outside.any()
    clipped_surrogate(log_pi, log_old, step_kl, advantage, 0.0, CLIP).backward(retain_graph=True)
    own = gradient(network)
    torch.testing.assert_close(own, theirs, atol=1e-4, rtol=1e-3)
    clipped_surrogate(log_pi, log_old, step_kl, advantage, 0.0, 0.99).backward()
    assert (gradient(network) - own).abs().max() > 1e-2  # the clip mattered
