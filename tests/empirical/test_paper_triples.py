"""The paper's triples: their table, and the very code that loads them, on tiny checkpoints of their architectures."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

from empirical import paper_triples
from empirical.classifier_rewards import LlamaScore
from empirical.engines.jobs import Job
from empirical.engines.torch import sample
from empirical.errors import InputError
from empirical.paper_triples import PAPER_TRIPLES, Checkpoint, named_triple, paper_triple
from empirical.randomness import uniforms
from empirical.rewards import SecretReward
from empirical.schemes import study_schemes
from empirical.studies.tradeoff import rows_of
from empirical.tiny import write_tiny_checkpoint

BOS = "Ā"
PROMPT = "Name {a} fruit."


def write_family(folder, architecture):
    """A prior and an aligned model with BOS; the aligned one has a pad token, with a row, of its own."""
    for seed, name in enumerate(("prior", "aligned")):
        where = write_tiny_checkpoint(folder / name, seed, architecture)
        tokenizer = AutoTokenizer.from_pretrained(where)
        tokenizer.add_special_tokens({"bos_token": BOS})
        if name == "aligned":
            tokenizer.add_special_tokens({"pad_token": "<pad>"})
            network = AutoModelForCausalLM.from_pretrained(where)
            network.resize_token_embeddings(258, mean_resizing=False)
            network.save_pretrained(where)
        tokenizer.chat_template = None if name == "prior" else "{{ 'this must not be used' }}"
        tokenizer.save_pretrained(where)
    return folder


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The table with tiny local folders in the place of the hub's repositories."""
    for name, architecture in (("rlhf", "llama"), ("dpo", "mistral")):
        folder = write_family(tmp_path / name, architecture)
        stand_ins = {"prior": Checkpoint(str(folder / "prior")), "aligned": Checkpoint(str(folder / "aligned"))}
        if name == "rlhf":
            sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
            LlamaScore(LlamaConfig(vocab_size=257, **sizes, eos_token_id=0)).save_pretrained(folder / "reward")
            AutoTokenizer.from_pretrained(folder / "prior").save_pretrained(folder / "reward")
            stand_ins["reward"] = Checkpoint(str(folder / "reward"))
        monkeypatch.setitem(PAPER_TRIPLES, name, replace(PAPER_TRIPLES[name], **stand_ins))


def answers_of(triple, count=3):
    ids = tuple(triple.aligned.prompt_ids(PROMPT))
    scheme = study_schemes()[0]
    return [scheme], sample(
        triple.aligned, [Job(ids, scheme.adaptor, uniforms(0, PROMPT, "x", n, 12)) for n in range(count)]
    )


@pytest.mark.parametrize("name", ["rlhf", "dpo"])
def test_a_triple_goes_through_the_study(hub, name):
    triple, spec = paper_triple(name, "cpu"), PAPER_TRIPLES[name]
    for model in (triple.prior, triple.aligned):
        ids = model.prompt_ids(PROMPT)
        assert model.tokenizer.decode(ids[1:]) == spec.prompt_form.replace("{prompt}", PROMPT)
        assert ids[0] == model.tokenizer.bos_token_id
        assert ids.count(ids[0]) == 1
        assert model.network.dtype == torch.float32
    schemes, answers = answers_of(triple)
    rows = rows_of(triple, PROMPT, schemes, answers)
    assert np.isfinite(rows[["log_proposal", "log_prior", "log_aligned", "reward"]]).all(axis=None)
    if name == "dpo":
        assert isinstance(triple.reward, SecretReward)
        np.testing.assert_allclose(rows.reward, rows.log_aligned - rows.log_prior)
    else:
        fed = triple.reward.tokenizer.decode(triple.reward.fed(PROMPT, answers[0].token_ids))
        assert fed.startswith(f"Human: {PROMPT} Assistant: ")
        assert not fed.endswith(triple.prior.tokenizer.eos_token), "the released code feeds no EOS"


def test_a_pad_token_that_training_added_is_conditioned_away(hub):
    """log p of the cut model = log p of the whole one - log(1 - p(pad)), step by step."""
    triple = paper_triple("rlhf", "cpu")
    assert triple.aligned.network.config.vocab_size == triple.prior.network.config.vocab_size == 257
    _, [answer] = answers_of(triple, 1)
    whole = AutoModelForCausalLM.from_pretrained(PAPER_TRIPLES["rlhf"].aligned.hub_id)
    ids = triple.aligned.prompt_ids(PROMPT)
    with torch.inference_mode():
        logits = whole(torch.tensor([[*ids, *answer.token_ids]])).logits[0, len(ids) - 1 : -1].double()
    log_p = logits.log_softmax(-1)
    steps = log_p.gather(1, torch.tensor(answer.token_ids)[:, None])[:, 0] - torch.log1p(-log_p[:, 257].exp())
    assert answer.log_model == pytest.approx(float(steps.sum()), abs=1e-4)  # float32 sums of twelve tokens
    assert float(log_p[:, 257].exp().max()) > 1e-3, "else the test could not fail"


def test_the_table():
    """What the released code loads. No revision is known to be the paper's."""
    rlhf, dpo = PAPER_TRIPLES["rlhf"], PAPER_TRIPLES["dpo"]
    assert (rlhf.prior.hub_id, rlhf.aligned.hub_id) == ("meta-llama/Llama-2-7b-hf", "ethz-spylab/rlhf-7b-harmless")
    assert (dpo.prior.hub_id, dpo.aligned.hub_id) == ("mistral-community/Mistral-7B-v0.2", "kaist-ai/janus-dpo-7b")
    assert (rlhf.reward, dpo.reward) == (Checkpoint("ethz-spylab/reward_model"), None)
    for spec in (rlhf, dpo):
        assert "{prompt}" in spec.prompt_form
        assert getattr(torch, spec.dtype).is_floating_point


def test_a_hub_that_cannot_be_reached_is_one_sentence():
    for name, spec in PAPER_TRIPLES.items():
        with pytest.raises(InputError, match="or a hub id that this machine can reach") as told:
            paper_triple(name, "cpu")
        assert spec.prior.hub_id in str(told.value)
        assert "\n" not in str(told.value)


def test_names_and_own_models_do_not_mix(tiny_folder):
    with pytest.raises(InputError, match="choose rlhf, dpo"):
        named_triple("ppo", "", "", "", "cpu")
    prior = str(tiny_folder / "prior")
    with pytest.raises(InputError, match="--triple alone"):
        named_triple("rlhf", prior, "", "", "cpu")
    assert named_triple("", prior, str(tiny_folder / "adapter"), "secret", "cpu").name == "custom"


def test_too_large_for_the_device_is_one_sentence(hub, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(paper_triples, "load", full)
    with pytest.raises(InputError, match="27 GB in float32"):
        paper_triple("rlhf", "cuda")
