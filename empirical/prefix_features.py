"""Everything that training a prefix scorer reads of its base, computed once: texts, their states and their rewards."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from empirical.engines.jobs import Job, answers
from empirical.engines.torch import ROWS, engine
from empirical.models import LanguageModel
from empirical.precision import at_least_float32
from empirical.prefix_scorers import PrefixScorer
from empirical.prefix_targets import Batch, check_texts, last_tokens
from empirical.prompts import prompt_id
from empirical.randomness import uniforms
from empirical.scored import Reward, Scored, rewards_of
from empirical.scoring import CHUNK, score
from theory.adaptors import ancestral
from theory.files import replacing

PROMPTS = 4  # whose answers are drawn together, and lost together by a kill


@dataclass(frozen=True)
class Steps:
    """The tokens of some texts, one text after the other: states and mean token features [tokens, hidden], float32.

    tokens, place (0 first), prompt (a number), last: [tokens]; reward: [tokens, rewards], of the whole text.
    """

    states: Tensor
    features: Tensor
    tokens: Tensor
    place: Tensor
    prompt: Tensor
    last: Tensor
    reward: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    def batch(self, index: Tensor) -> Batch:
        """Some of the steps."""
        after = torch.where(self.last[index], index, index + 1)
        return Batch(
            self.states[index],
            self.tokens[index],
            self.reward[index],
            self.last[index],
            self.states[after],
            self.features[after],
        )


def draw_texts(
    model: LanguageModel, prompts: Sequence[str], count: int, max_new: int, seed: int
) -> Iterator[tuple[str, list[list[int]]]]:
    """Each prompt with `count` plain samples of the base's answer, of at most max_new tokens."""
    ids = {prompt: tuple(model.prompt_ids(prompt)) for prompt in prompts}
    if not ids:
        return
    rows = engine(model, max(map(len, ids.values())) + max_new, min(ROWS, PROMPTS * count))
    for first in range(0, len(prompts), PROMPTS):
        some = prompts[first : first + PROMPTS]
        draws = ((prompt, uniforms(seed, prompt, "prefix scorer", n, max_new)) for prompt in some for n in range(count))
        drawn = answers(rows, [Job(ids[prompt], ancestral(), draw) for prompt, draw in draws])
        for place, prompt in enumerate(some):
            yield prompt, [answer.token_ids for answer in drawn[place * count : (place + 1) * count]]


@torch.inference_mode()
def read_texts(
    model: LanguageModel,
    scorer: PrefixScorer,
    rewards: Mapping[str, Reward],
    prompt: str,
    token_ids: Sequence[Sequence[int]],
) -> dict[str, Tensor]:
    """What `Steps` holds of one prompt's texts: states, features, tokens, lengths [texts], reward [texts, rewards].

    Raises ValueError on a text that is not whole, RewardError on a reward that is not finite.
    """
    check_texts(token_ids, model.eos, scorer.about.max_new)
    ids = model.prompt_ids(prompt)
    layers = dict.fromkeys(reward.layer for reward in rewards.values() if reward.layer is not None) or {None: None}
    read = {layer: score(model, ids, token_ids, layer, states=layer is next(iter(layers))) for layer in layers}
    scores = next(iter(read.values()))
    assert scores.states is not None, "the first reading keeps them"
    head, log_prob = model.network.get_output_embeddings(), scores.log_prob.double().cpu().numpy()
    laws = (at_least_float32(head(some.to(model.network.dtype))).softmax(-1) for some in scores.states.split(CHUNK))
    features = {layer: one.features for layer, one in read.items()} | {None: None}
    values = [
        rewards_of(reward, Scored(prompt, token_ids, features[reward.layer], log_prob, log_prob))
        for reward in rewards.values()
    ]
    found = {
        "states": scores.states,
        "features": torch.cat([scorer.mean_features(law) for law in laws]),
        "tokens": torch.tensor([token for one in token_ids for token in one]),
        "lengths": torch.tensor([len(one) for one in token_ids]),
        "reward": torch.tensor(np.stack(values, axis=1)),
    }
    return {name: tensor.cpu().contiguous() for name, tensor in found.items()}


def collect(
    model: LanguageModel,
    scorer: PrefixScorer,
    rewards: Mapping[str, Reward],
    texts: Iterator[tuple[str, list[list[int]]]],
    folder: Path,
    about: object,
) -> None:
    """Write a shard for every prompt, each whole or absent; `about`: what the texts were drawn with."""
    for prompt, token_ids in texts:
        with replacing(_shard(folder, prompt)) as temporary:
            stamp = {"stamp": _stamp(scorer, prompt, about)}
            save_file(read_texts(model, scorer, rewards, prompt, token_ids), temporary, metadata=stamp)


def missing(scorer: PrefixScorer, prompts: Sequence[str], folder: Path, about: object) -> list[str]:
    """The prompts whose shards are not there, cannot be read, or were made from something else."""
    return [prompt for prompt in prompts if not _is_whole(_shard(folder, prompt), _stamp(scorer, prompt, about))]


def load_steps(prompts: Sequence[str], folder: Path) -> Steps:
    """The steps of all prompts from their shards, in the prompts' order."""
    parts: dict[str, list[Tensor]] = {field.name: [] for field in fields(Steps)}
    for number, prompt in enumerate(prompts):
        with safe_open(_shard(folder, prompt), "pt") as shard:
            lengths = shard.get_tensor("lengths")
            for name in ("states", "features", "tokens"):
                parts[name].append(shard.get_tensor(name))
            parts["reward"].append(shard.get_tensor("reward").repeat_interleave(lengths, dim=0))
        parts["last"].append(last_tokens(lengths))
        parts["place"].append(torch.cat([torch.arange(int(length)) for length in lengths]))
        parts["prompt"].append(torch.full((int(lengths.sum()),), number))
    return Steps(**{name: torch.cat(some) for name, some in parts.items()})


def _shard(folder: Path, prompt: str) -> Path:
    return folder / f"{prompt_id(prompt)}.safetensors"


def _stamp(scorer: PrefixScorer, prompt: str, about: object) -> str:
    read = scorer.about
    made = [read.sha256, read.tokenizer, read.described, read.max_new, read.rank == 0, prompt, about]
    return hashlib.sha256(json.dumps(made).encode()).hexdigest()


def _is_whole(path: Path, stamp: str) -> bool:
    try:
        with safe_open(path, "pt") as shard:
            return (shard.metadata() or {}).get("stamp") == stamp
    except (OSError, SafetensorError):
        return False
