"""Every answer of the six-word Llama under control, exactly: the laws that drawn answers are held against."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from theory.best_of import best_of
from theory.language_models import Tree, strings
from theory.values import Values

EOS, WORDS = 0, (1, 2, 3, 4, 5)
COLUMNS = [*WORDS, EOS]  # a tree has its symbols first and the end last


@dataclass(frozen=True)
class LinearScorer:
    """A stand-in for a trained scorer: V_k(h, z) = h . W_k z, of which nothing is approximate."""

    weight: torch.Tensor
    sha256: str

    def weighted(self, states, weights):
        return (self.values(states) * weights.to(states)[..., None]).sum(1)

    def values(self, states):
        return torch.einsum("nh,hrv->nrv", states, self.weight.to(states))

    def value_of(self, states, tokens):
        return self.values(states)[torch.arange(len(tokens)), :, tokens]


def linear_scorer(model, rewards=2, seed=0, scale=0.3):
    """Random values whose spread over a step's tokens is about 1.5."""
    head = model.network.get_output_embeddings().weight
    generator = torch.Generator().manual_seed(seed)
    return LinearScorer(scale * torch.randn(head.shape[1], rewards, len(head), generator=generator), model.sha256)


@dataclass(frozen=True)
class World:
    """What a model does after a prompt, for every prefix of at most `longest` words: log p [V], state [hidden]."""

    prompt: tuple[int, ...]
    longest: int
    log_p: dict[tuple[int, ...], torch.Tensor]
    state: dict[tuple[int, ...], torch.Tensor]

    @property
    def answers(self):
        """In the order of a tree's strings: those of `longest` words are cut, the others end."""
        found = strings(len(WORDS), self.longest)
        words = [tuple(WORDS[a] for a in string) for string in found]
        return [word if len(word) == self.longest else (*word, EOS) for word in words]

    def tree(self):
        """The model over answers cut at `longest`, as a tree."""
        steps = [self.log_p[self.prefix(string)][COLUMNS].numpy() for string in strings(len(WORDS), self.longest - 1)]
        cut = np.array([[-np.inf] * len(WORDS) + [0.0]] * len(WORDS) ** self.longest)
        return Tree(np.concatenate([np.stack(steps), cut]))

    def values(self, scorer, weights, of=None):
        """The scorer's values at every prefix, as `theory.values` has them; of: another model's world to read."""
        states = (of or self).state
        rows = [states[self.prefix(string)] for string in strings(len(WORDS), self.longest - 1)]
        found = scorer.weighted(torch.stack(rows), torch.tensor([weights] * len(rows)))[:, COLUMNS].numpy()
        action = np.concatenate([found, np.zeros((len(WORDS) ** self.longest, len(WORDS) + 1))])
        return Values(np.zeros(len(action)), action)

    def prefix(self, string):
        return tuple(WORDS[a] for a in string)

    def value(self, scorer, weights, answer):
        """V of a text's last token behind all the others."""
        state = self.state[answer[:-1]][None]
        return float(scorer.value_of(state, torch.tensor(answer[-1:]))[0] @ torch.tensor(weights, dtype=torch.float64))

    def log_block(self, block, after):
        """log p of some tokens after a prefix."""
        return sum(float(self.log_p[(*after, *block[:i])][token]) for i, token in enumerate(block))

    def blockwise(self, K, M, score):  # noqa: N803
        """The exact law of blockwise best-of-K over `answers`; score: a text, whole or not -> what decides."""
        law = dict.fromkeys(self.answers, 0.0)

        def go_on(text, mass):
            if text in law:
                law[text] += mass
                return
            size = min(M, self.longest - len(text))
            ended = [(*block, EOS) for n in range(size) for block in product(WORDS, repeat=n)]
            blocks = ended + list(product(WORDS, repeat=size))
            log_p = np.array([self.log_block(block, text) for block in blocks])
            log_winner = best_of(log_p, np.array([score((*text, *block)) for block in blocks]), K)
            for block, log_q in zip(blocks, log_winner, strict=True):
                go_on((*text, *block), mass * np.exp(log_q))

        go_on((), 1.0)
        return np.array([law[answer] for answer in self.answers])


@torch.inference_mode()
def world(model, prompt, longest):
    """The world by transformers' own whole passes, float64 from the logits on."""
    ids, words = tuple(model.prompt_ids(prompt)), list(product(WORDS, repeat=longest))
    out = model.network.get_decoder()(torch.tensor([[*ids, *text] for text in words])).last_hidden_state
    states = out[:, len(ids) - 1 :].double()
    log_p = model.network.get_output_embeddings()(states.to(out.dtype)).double().log_softmax(-1)
    places = {text[:n]: (row, n) for row, text in enumerate(words) for n in range(longest + 1)}
    return World(
        ids, longest,
        {prefix: log_p[place] for prefix, place in places.items()},
        {prefix: states[place] for prefix, place in places.items()},
    )  # fmt: skip


def counts(world, answers):
    """How often each answer of the world was drawn."""
    number = {answer: place for place, answer in enumerate(world.answers)}
    return [number[tuple(answer.token_ids)] for answer in answers]
