"""The six-word Llama as a tree whose values are exact, and its texts as the steps that prefix scorers learn from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from empirical.models import LanguageModel
from empirical.prefix_features import Steps, read_texts
from empirical.prefix_scorers import PrefixScorer, new_scorer
from empirical.prefix_targets import last_tokens
from empirical.scored import Floats
from tests.empirical.six_words import EOS, WORDS, Listed, every_answer, random_reward, six_words
from theory.language_models import Tree, strings
from theory.values import hard_values

PROMPT = "a b"


def tree_of(log_steps: Floats, longest: int) -> Tree:
    """Laws of tokens 0 (EOS) to 5 behind every prefix shorter than `longest` as a tree, in which a cut text ends."""
    rest = np.full((len(WORDS) ** longest, 6), -np.inf)
    rest[:, EOS] = 0.0
    return Tree(np.roll(np.concatenate([log_steps, rest]), -1, axis=1))  # trees have EOS last


def exact_values(log_steps: Floats, reward: Listed, longest: int) -> Floats:
    """Q(s, z) = V*([x, s, z]) for prefixes [shorter than `longest`, in the order of `strings`] and tokens 0 to 5."""
    texts = [tuple(word + 1 for word in text) for text in strings(len(WORDS), longest)]
    listed = np.array([reward.values[text if len(text) == longest else (*text, EOS)] for text in texts])
    return np.roll(hard_values(tree_of(log_steps, longest), listed).action[: len(log_steps)], 1, axis=1)


@dataclass(frozen=True)
class World:
    """A model, its laws log_steps and states behind every prefix, a reward, and the steps of all texts.

    weights: p(y) for each step of a text y, in total 1: the law of a step drawn with its text.
    """

    model: LanguageModel
    scorer: PrefixScorer
    reward: Listed
    longest: int
    states: torch.Tensor
    log_steps: Floats
    steps: Steps
    weights: torch.Tensor

    def exact(self) -> Floats:
        return exact_values(self.log_steps, self.reward, self.longest)

    def error(self, scorer: PrefixScorer, exact: Floats) -> float:
        return float(np.abs(scorer.values(self.states)[:, 0].double().numpy() - exact).max())

    def uniform(self) -> tuple[Floats, torch.Tensor]:
        """Another law that draws every token alike: its log_steps, and the weights of the steps under it."""
        lengths = self.steps.last.nonzero()[:, 0].diff(prepend=torch.tensor([-1]))
        mass = (1 / 6.0) ** lengths.double()
        return np.full_like(self.log_steps, -np.log(6)), _normal(mass.repeat_interleave(lengths))

    def drawn(self, count: int) -> Steps:
        """The texts in the proportions of their law, about `count` in all, each at least once."""
        lengths = self.steps.last.nonzero()[:, 0].diff(prepend=torch.tensor([-1]))
        starts = lengths.cumsum(0) - lengths
        copies = (self.weights[starts] * count / self.weights[starts].sum()).round().int().clamp(min=1).tolist()
        some = [range(s, s + n) for s, n, k in zip(starts, lengths, copies, strict=True) for _ in range(k)]
        index = torch.tensor([i for one in some for i in one])
        return Steps(*(getattr(self.steps, name)[index] for name in vars(self.steps)))


def world(folder: Path, longest: int = 2, rank: int = 0, inner: int = 0) -> World:
    """float64 throughout, so that only what is tested errs."""
    model, reward = six_words(folder), random_reward(longest=longest)
    model.network.double()
    scorer = new_scorer(model, {"listed": reward.describe()}, longest, rank, inner).double()
    texts = every_answer(longest=longest)
    read = read_texts(model, scorer, {"listed": reward}, PROMPT, texts)
    lengths = read["lengths"]
    count = int(lengths.sum())
    steps = Steps(
        read["states"],
        read["features"],
        read["tokens"],
        torch.cat([torch.arange(int(length)) for length in lengths]),
        torch.zeros(count, dtype=torch.long),
        last_tokens(lengths),
        read["reward"].repeat_interleave(lengths, dim=0),
    )
    prefixes = [[word + 1 for word in text] for text in strings(len(WORDS), longest - 1)]
    states = torch.stack([last_state(model, prefix) for prefix in prefixes])
    with torch.no_grad():
        log_steps = model.network.get_output_embeddings()(states).log_softmax(-1).numpy()
    place = {tuple(prefix): number for number, prefix in enumerate(prefixes)}
    law = [sum(log_steps[place[tuple(text[:t])], token] for t, token in enumerate(text)) for text in texts]
    weights = torch.tensor(np.exp(law)).repeat_interleave(lengths)
    return World(model, scorer, reward, longest, states, log_steps, steps, _normal(weights))


@torch.no_grad()
def last_state(model: LanguageModel, prefix: list[int]) -> torch.Tensor:
    """transformers' own final state behind the prompt and a prefix."""
    ids = torch.tensor([[*model.prompt_ids(PROMPT), *prefix]])
    return model.network.get_decoder()(ids).last_hidden_state[0, -1]


def _normal(weights: torch.Tensor) -> torch.Tensor:
    return weights / weights.sum()
