"""Prefix scorers on a frozen base: the value V([x, y^t, z]) of every next token z, from one state and in one product.

    Q_k(h, z) = m_k + s_k (b_k . g(h) + <A_k g(h), C e_z>),      k = 1 ... rewards,

h: the base's final normalised state behind the prefix [x, y^t], the very one that its output head turns into logits;
e_z: its frozen embedding of z; g: the identity, or one hidden layer; all maps affine, C shared by the rewards, so that
a weighted sum of rewards costs one product. Rank 0 is the vocabulary-wide head: A_k g(h) has an entry for every z, and
no e_z. EOS is a token like the others: Q(h, EOS) is the reward of the text that ends here.

One row takes 2 V rewards (rank + 1) operations where the output head takes 2 V hidden: at rank 32 and width 576 that is
5.8 % of the head's for each reward, the maps from h included (`operations`). Source: Mudgal et al., section 3.1.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import one_hot, silu

from empirical.engines.linear import Linear, packed
from empirical.errors import first_line
from empirical.models import LanguageModel
from empirical.scorer_config import About, ScorerError, embedding, fingerprint, refuse_stranger

WEIGHTS, CONFIG = "scorer.safetensors", "config.json"


class PrefixScorer(torch.nn.Module):
    """Values of next tokens for several rewards; weights in float32 unless moved by `double()`."""

    def __init__(self, about: About, embedding: Tensor) -> None:
        super().__init__()
        self.about, count, width = about, len(about.rewards), about.inner or about.hidden
        self.inner = torch.nn.Linear(about.hidden, about.inner) if about.inner else None
        self.level = torch.nn.Linear(width, count)
        self.query = torch.nn.Linear(width, count * (about.rank or about.vocabulary))
        self.key = torch.nn.Linear(about.hidden, about.rank) if about.rank else None
        self.register_buffer("embedding", embedding.detach().float(), persistent=False)
        for name, size in (("state", about.hidden), ("token", about.hidden), ("reward", count)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_scale", torch.ones(size))
        self._laid_out: tuple[tuple[object, ...], Linear] | None = None

    @property
    def sha256(self) -> str:
        """The weights of the base whose states it reads; an adapter's name begins with its base's."""
        return self.about.sha256

    @torch.no_grad()
    def values(self, states: Tensor) -> Tensor:
        """Q of every next token: states [n, hidden] -> [n, rewards, V], in units of the rewards. Raises ScorerError."""
        return self._every_token(*self._read(states))

    @torch.no_grad()
    def weighted(self, states: Tensor, weights: Tensor) -> Tensor:
        """sum_k w_k Q_k by one product, [n, V]; states [n, hidden], weights [rewards] or, a row each, [n, rewards]."""
        level, query = self._read(states)
        weights = weights.to(level).expand_as(level)
        return self._every_token((weights * level).sum(-1), (weights[..., None] * query).sum(-2))

    def value_of(self, states: Tensor, tokens: Tensor) -> Tensor:
        """Q of the given tokens: [n, hidden], [n] -> [n, rewards]; differentiable."""
        return self.mean_value(states, self.token_features(tokens))

    def mean_value(self, states: Tensor, features: Tensor) -> Tensor:
        """sum_z p_z Q(h, z) from the mean token features sum_z p_z phi_z, as Q is affine in them: -> [n, rewards].

        features: [n, hidden], or [n, V] of a vocabulary-wide head; see `token_features`. Differentiable.
        """
        level, query = self._read(states)
        return level + (query * self._keys(features.to(query))[:, None]).sum(-1)

    def token_features(self, tokens: Tensor) -> Tensor:
        """phi_z: the base's embedding of z [n, hidden], or of a vocabulary-wide head its unit vector [n, V]."""
        if self.key is None:
            return one_hot(tokens, self.about.vocabulary).to(self.level.weight)
        return self.embedding[tokens]

    def mean_features(self, probabilities: Tensor) -> Tensor:
        """sum_z p_z phi_z: [n, V] -> [n, hidden], or the probabilities themselves for a vocabulary-wide head."""
        return probabilities if self.key is None else probabilities.to(self.embedding) @ self.embedding

    @torch.no_grad()
    def combined(self, weights: Sequence[float]) -> "PrefixScorer":
        """The scorer of the one reward sum_k w_k r_k: exact, as V is linear in the reward. Raises ScorerError."""
        w, about = torch.tensor(weights, dtype=torch.float64), self.about
        if len(w) != len(about.rewards) or not bool(w.isfinite().all()):
            raise ScorerError(f"Give one finite weight for each of the rewards {', '.join(about.rewards)}.")
        names = " + ".join(f"{weight:g} {name}" for weight, name in zip(weights, about.rewards, strict=True))
        one = PrefixScorer(replace(about, rewards=(names,), described=("; ".join(about.described),)), self.embedding)
        one.to(self.level.weight)
        state, scale = {name: tensor.double() for name, tensor in self.state_dict().items()}, w * self.reward_scale
        for name in ("level.weight", "level.bias", "query.weight", "query.bias"):
            state[name] = torch.einsum("k,k...->...", scale, state[name].unflatten(0, (len(w), -1)))
        state["reward_mean"], state["reward_scale"] = (w @ state["reward_mean"])[None], torch.ones(1)
        one.load_state_dict(state)
        return one.requires_grad_(False)

    def operations(self) -> int:
        """Multiplications and additions of `values` for one state; those of the output head are 2 V hidden."""
        about, width = self.about, self.about.inner or self.about.hidden
        count = len(about.rewards)
        every_token = count * (about.rank + 1) * about.vocabulary if about.rank else 0
        return 2 * (about.hidden * about.inner + width * count * (1 + (about.rank or about.vocabulary)) + every_token)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write scorer.safetensors and config.json; the embeddings stay with the base."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in self.state_dict().items()}, folder / WEIGHTS)
        (folder / CONFIG).write_text(json.dumps(asdict(self.about), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: Path | str, model: LanguageModel) -> "PrefixScorer":
        """Read a scorer for the states of `model`: its base, or that base under an adapter.

        Raises ScorerError in one sentence: for another tokenizer, width or base, or if the files cannot be read.
        """
        folder = Path(folder)
        try:
            config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            about = About(
                **{name: tuple(entry) if isinstance(entry, list) else entry for name, entry in config.items()}
            )
            weights = load_file(folder / WEIGHTS)
        except Exception as problem:  # safetensors' error is a bare Exception
            raise ScorerError(
                f"Cannot read a prefix scorer from {folder} ({first_line(problem)}); it needs {WEIGHTS} and {CONFIG}."
            ) from problem
        refuse_stranger(about, model)
        try:
            scorer = cls(about, embedding(model)).to(weights["level.weight"].dtype)
            scorer.load_state_dict(weights)
        except (RuntimeError, KeyError, ValueError, TypeError) as problem:
            raise ScorerError(f"The weights in {folder} do not fit its {CONFIG}; fetch the scorer anew.") from problem
        if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
            raise ScorerError(f"The weights in {folder} are not all finite numbers; fetch the scorer anew.")
        return scorer.to(model.device).requires_grad_(False)

    def _read(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """(level [n, rewards], query [n, rewards, rank or V]) in units of the rewards."""
        if states.shape[-1] != self.about.hidden:
            raise ScorerError(
                f"The scorer reads states of width {self.about.hidden}, not {states.shape[-1]}; give those of "
                f"{self.about.base}."
            )
        x = (states.to(self.level.weight) - self.state_mean) / self.state_scale
        if self.inner is not None:
            x = silu(self.inner(x))
        level = self.reward_mean + self.reward_scale * self.level(x)
        return level, self.reward_scale[:, None] * self.query(x).unflatten(-1, (len(self.about.rewards), -1))

    def _keys(self, features: Tensor) -> Tensor:
        return features if self.key is None else self.key((features - self.token_mean) / self.token_scale)

    def _every_token(self, level: Tensor, query: Tensor) -> Tensor:
        """level + <query, key_z> for every z: [...], [..., rank] -> [..., V]; a vocabulary-wide query has every z."""
        if self.key is None:
            return level[..., None] + query
        versions = (query.dtype, query.device, *(weight._version for weight in self.state_dict().values()))
        if self._laid_out is None or self._laid_out[0] != versions:
            keys = self._keys(self.embedding.to(query))
            # A key of 1 adds the level within the product: one pass less over the vocabulary.
            self._laid_out = versions, packed(torch.cat([keys, torch.ones_like(keys[:, :1])], dim=1))
        return self._laid_out[1](torch.cat([query, level[..., None]], dim=-1))


def new_scorer(
    model: LanguageModel, rewards: Mapping[str, str], max_new: int, rank: int = 32, inner: int = 0, seed: int = 0
) -> PrefixScorer:
    """A scorer to be trained, 0 everywhere; rewards: name -> description. Raises ScorerError on bad sizes."""
    if not rewards or max_new < 1 or rank < 0 or inner < 0:
        raise ScorerError("A prefix scorer needs a reward, max_new >= 1, rank >= 0 and inner >= 0.")
    table, names = embedding(model), tuple(rewards)
    about = About(
        model.name, model.sha256, fingerprint(model), table.shape[1], len(table), names, tuple(rewards.values()),
        max_new, rank, inner,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # torch initialises layers from its global generator
        scorer = PrefixScorer(about, table)
    for layer in (scorer.level, scorer.query):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return scorer.to(model.device)


def random_scorer(
    model: LanguageModel, rewards: Sequence[str], max_new: int, spread: float, rank: int = 32, seed: int = 0
) -> PrefixScorer:
    """A scorer of random weights: it costs what a trained one does, and knows nothing."""
    scorer = new_scorer(model, dict.fromkeys(rewards, "made up"), max_new, rank, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for weight in scorer.parameters():
        weight.data.normal_(std=spread, generator=generator)
    return scorer.requires_grad_(False)
