"""What a prefix scorer was made for, and which models it may be used with."""

import hashlib
import json
from dataclasses import dataclass

from torch import Tensor

from empirical.errors import InputError
from empirical.models import LanguageModel


class ScorerError(InputError):
    """A prefix scorer cannot be used; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class About:
    """What a scorer is for and its shape: `config.json`.

    rewards, described: a name and `Reward.describe()` each; inner: width of the hidden layer, 0 for none; rank: 0 for
    the vocabulary-wide head; max_new: T_max, where texts are cut. Its base is named by `sha256`, its vocabulary by
    `tokenizer`, see `fingerprint`.
    """

    base: str
    sha256: str
    tokenizer: str
    hidden: int
    vocabulary: int
    rewards: tuple[str, ...]
    described: tuple[str, ...]
    max_new: int
    rank: int = 32
    inner: int = 0


def embedding(model: LanguageModel) -> Tensor:
    """The base's frozen token embeddings, [V, hidden]."""
    return model.network.get_input_embeddings().weight.detach()


def fingerprint(model: LanguageModel) -> str:
    """A hash of which token has which id, and of the id that ends a text."""
    named = json.dumps([sorted(model.tokenizer.get_vocab().items()), model.eos])
    return hashlib.sha256(named.encode()).hexdigest()


def refuse_stranger(about: About, model: LanguageModel) -> None:
    """Raise ScorerError where the scorer is for another tokenizer, another width or another base than `model`."""
    table = embedding(model)
    if about.tokenizer != fingerprint(model) or about.vocabulary != len(table):
        raise ScorerError(
            f"The scorer values the tokens of {about.base}, which are not those of {model.name}; use one that was "
            "trained with this tokenizer."
        )
    if about.hidden != table.shape[1]:
        raise ScorerError(
            f"The scorer reads states of width {about.hidden} but {model.name} has {table.shape[1]}; load it with its "
            f"own base, {about.base}."
        )
    if model.sha256.split("+")[0] != about.sha256.split("+")[0]:
        raise ScorerError(
            f"The scorer reads the states of {about.base}, whose weights are not those of {model.name}; load it with "
            "its own base, whose values then control any model of the same tokenizer."
        )
