"""The paper's two triples of 7B models (Tan et al., section 6.2), as their released code loads and prompts them."""

from dataclasses import dataclass

import torch

from empirical.checkpoints import ModelError
from empirical.classifier_rewards import load_classifier
from empirical.conversations import EXCHANGE, OPENING
from empirical.errors import InputError
from empirical.models import load
from empirical.presets import PRESETS
from empirical.rewards import SecretReward
from empirical.studies.tradeoff import Triple
from empirical.triples import matched, users_triple


@dataclass(frozen=True)
class Checkpoint:
    """A repository of the hub; `revision` None: unpinned, since no commit is known to be the one the paper used."""

    hub_id: str
    revision: str | None = None


@dataclass(frozen=True)
class PaperTriple:
    """What a triple's models are, and what is fed to them.

    reward: None is the secret reward beta log(p_plus / p) of equation 4. prompt_form, exchange_form: see
    `empirical.conversations`; bos: whether prompts begin with BOS; closes: whether the reward model is fed EOS.
    dtype: the paper's code ran float16; float32 holds the same weights exactly and scores targets at full precision,
    at 27 GB a model of 7B. tensor_parallel: how many GPUs share a model's proposals in vLLM; one of 80 GB holds 7B.
    """

    prior: Checkpoint
    aligned: Checkpoint
    reward: Checkpoint | None
    prompt_form: str
    exchange_form: str = EXCHANGE
    bos: bool = True
    closes: bool = False
    beta: float = 1.0
    dtype: str = "float32"
    tensor_parallel: int = 1


PAPER_TRIPLES = {
    "rlhf": PaperTriple(
        prior=Checkpoint("meta-llama/Llama-2-7b-hf"),
        aligned=Checkpoint("ethz-spylab/rlhf-7b-harmless"),
        reward=Checkpoint("ethz-spylab/reward_model"),
        prompt_form=OPENING,
    ),
    "dpo": PaperTriple(
        prior=Checkpoint("mistral-community/Mistral-7B-v0.2"),
        aligned=Checkpoint("kaist-ai/janus-dpo-7b"),
        reward=None,
        prompt_form="[INST] Human: {prompt} Assistant:[/INST]",
    ),
}


def paper_triple(name: str, device: str) -> Triple:
    """One of the paper's triples, from the hub. Raises InputError in one sentence where it cannot be had."""
    if name not in PAPER_TRIPLES:
        raise InputError(f"There is no triple {name!r} of the paper; choose {', '.join(PAPER_TRIPLES)}.")
    chosen = PAPER_TRIPLES[name]
    dtype = getattr(torch, chosen.dtype)
    try:
        prior, aligned = (
            load(one.hub_id, device, None, dtype, one.revision, chosen.prompt_form, chosen.bos)
            for one in (chosen.prior, chosen.aligned)
        )
        if chosen.reward is None:
            return matched(name, prior, aligned, SecretReward(chosen.beta))
        hub_id, revision = chosen.reward.hub_id, chosen.reward.revision
        form, closes = chosen.exchange_form, chosen.closes
        reward = load_classifier(hub_id, prior.tokenizer, device, dtype, revision, form, closes)
    except torch.OutOfMemoryError as problem:
        raise ModelError(
            f"The triple {name!r} does not fit the memory of {device}: a 7B model takes 27 GB in float32 and the "
            "engine keeps a copy of the aligned one; use a larger --device."
        ) from problem
    return matched(name, prior, aligned, reward)


def named_triple(
    name: str, prior: str, aligned: str, reward: str, device: str, max_new: int = PRESETS["default"].max_new
) -> Triple:
    """The paper's triple `name`, or, where that is empty, the user's; raises InputError on both.

    max_new: the study's limit of answer tokens, which the reward `length` is relative to.
    """
    if name and (prior or aligned or reward):
        raise InputError("Pass --triple alone, or --prior, --aligned and --reward.")
    return paper_triple(name, device) if name else users_triple(prior, aligned, reward, device, max_new)
