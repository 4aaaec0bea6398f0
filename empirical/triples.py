"""The (prior, aligned, reward) triples that a command names, and the device they run on."""

from pathlib import Path

import torch

from empirical.errors import InputError
from empirical.models import LanguageModel, default_prior, load, with_adapter
from empirical.presets import PRESETS, Preset
from empirical.rewards import Reward, load_head, load_reward
from empirical.shipped import shipped
from empirical.studies.tradeoff import Triple
from empirical.tiny import tiny_triple


def default_triple(preset: Preset, scratch: Path, device: str) -> Triple:
    """The preset's triple: SmolLM2 with the shipped adapter and head, or a tiny random one written to `scratch`."""
    if not preset.real:
        return Triple("tiny", *tiny_triple(scratch, device))
    prior = default_prior(device)
    return Triple("smollm2", prior, with_adapter(prior, shipped("adapter"), "aligned"), load_head(shipped("reward")))


def users_triple(
    prior: str, aligned: str, reward: str, device: str, max_new: int = PRESETS["default"].max_new
) -> Triple:
    """A user's models: directories or hub ids; `aligned` may be a PEFT adapter's folder or a shipped adapter's name.

    What is empty is the default: SmolLM2, the shipped adapter on it, the secret reward. reward, max_new: see
    `load_reward`. Raises InputError where a prior of the user's has no aligned model.
    """
    if prior and not aligned:
        raise InputError(
            f"Pass --aligned, a model aligned from {prior}; `python -m empirical.align --prior {prior}` makes one."
        )
    base = load(prior, device) if prior else default_prior(device)
    folder = _adapter(aligned)
    other = with_adapter(base, folder, aligned or "aligned") if folder else load(aligned, device)
    return matched("custom", base, other, load_reward(reward or "secret", base, max_new))


def _adapter(where: str) -> Path | None:
    """The folder of a PEFT adapter: the user's own, a shipped one by its name, the default one if unnamed."""
    folders = (Path(where), shipped("adapters") / where) if where else (shipped("adapter"),)
    return next((folder for folder in folders if (folder / "adapter_config.json").is_file()), None)


def matched(name: str, prior: LanguageModel, aligned: LanguageModel, reward: Reward) -> Triple:
    """The triple, if ids mean the same to both models; the larger vocabulary is cut to the smaller in place.

    Rows that only one model has are padding of the matrix, or a pad token that training added: neither is text, and the
    other model could not score it. Cutting conditions the model on not drawing them. Raises InputError otherwise.
    """
    size = min(prior.network.config.vocab_size, aligned.network.config.vocab_size)
    known = [
        {token: number for token, number in model.tokenizer.get_vocab().items() if number < size}
        for model in (prior, aligned)
    ]
    if known[0] != known[1] or prior.eos != aligned.eos:
        raise InputError(
            f"The tokenizers of {prior.name} and {aligned.name} differ, so token ids cannot pass between them; "
            "use a prior and an aligned model of one family."
        )
    for model in (prior, aligned):
        if model.network.config.vocab_size > size:
            model.network.resize_token_embeddings(size)
    if _one_law(prior, aligned):
        raise InputError(
            f"{aligned.name} gives the very probabilities of {prior.name}, so nothing was aligned; pass another "
            "--aligned."
        )
    return Triple(name, prior, aligned, reward)


@torch.no_grad()
def _one_law(one: LanguageModel, other: LanguageModel) -> bool:
    """Whether two models agree to the last bit on a prompt: equal weights, or an adapter that was never trained."""
    logits = [
        model.network(torch.tensor([model.prompt_ids("a")], device=model.device)).logits for model in (one, other)
    ]
    return torch.equal(*logits)


def check_device(name: str) -> str:
    """The device's name if torch can use it; raises InputError otherwise."""
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as problem:
        raise InputError(f"The device {name!r} cannot be used here; choose another --device, such as cpu.") from problem
    return name
