"""Read whole answers behind a shared prompt: one pass without padding in its products, sorted by length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import scaled_dot_product_attention

from empirical.engines.llama import Llama
from empirical.engines.slots import Prefix, rotated

TOKENS = 1024  # of answers, read together: the products have reached their speed by then
POSITIONS = 128  # per vocabulary-wide product: their logits stay in a processor's cache


@dataclass(frozen=True)
class Read:
    """The states of some answers' tokens [tokens, hidden], each in the row of `rows` and at its place in it."""

    states: torch.Tensor
    ids: torch.Tensor
    rows: torch.Tensor
    places: torch.Tensor


def read_answers(
    llama: Llama,
    prefix: Prefix,
    answers: Sequence[Sequence[int]],
    layer: int | None = None,
    alone: bool = False,
) -> Iterator[tuple[Read, torch.Tensor | None]]:
    """Groups of the answers, each with its tokens' last states and, if asked for, their states after `layer`.

    alone: a group for each answer.
    """
    longest = prefix.length + max(map(len, answers))
    cos, sin = (table[prefix.length :] for table in llama.rotations(longest))
    for group in groups([len(answer) for answer in answers], 1 if alone else TOKENS):
        some = [answers[row] for row in group]
        lengths = torch.tensor([len(answer) for answer in some], device=llama.device)
        ids = torch.tensor([token for answer in some for token in answer], device=llama.device)
        within = torch.arange(len(some), device=llama.device).repeat_interleave(lengths)
        places = torch.arange(len(ids), device=llama.device) - (lengths.cumsum(0) - lengths)[within]
        kept = list[torch.Tensor]()
        states = llama.states(
            ids,
            cos[places],
            sin[places],
            Causal(prefix, llama.key_heads, within, places),
            lambda number, states: kept.append(states) if number == layer else None,  # noqa: B023 (called at once)
        )
        rows = torch.tensor(group, device=llama.device)[within]
        yield Read(states, ids, rows, places), kept[0] if kept else None


def groups(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Rows, longest first, in groups that padded to their longest hold at most `tokens`, or one row."""
    rows = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    while rows:
        count = max(1, tokens // lengths[rows[0]])
        yield rows[:count]
        rows = rows[count:]


class Causal:
    """Attention of answers to their shared prompt and to themselves so far; only here are they padded."""

    def __init__(self, prefix: Prefix, key_heads: int, rows: torch.Tensor, places: torch.Tensor) -> None:
        self.prefix, self.key_heads, self.index = prefix, key_heads, (rows, places)
        self.shape = (int(rows[-1]) + 1, int(places.max()) + 1)
        seen = torch.ones(self.shape[1], prefix.length + self.shape[1], dtype=torch.bool, device=rows.device)
        self.seen = seen.tril(prefix.length)

    def __call__(self, layer: int, heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        """Attention's output [tokens, query heads x width]."""
        q, k, v = (self._padded(part) for part in rotated(heads, self.key_heads, cos, sin))
        keys, values = (
            torch.cat([read.to(own.dtype).expand(len(own), -1, -1, -1), own], dim=2)
            for read, own in zip(self.prefix.cache[layer], (k, v), strict=True)
        )
        # The queries that share a key head are folded into the query axis, so no key is copied.
        folded = q.unflatten(1, (self.key_heads, -1)).flatten(2, 3)
        mask = self.seen.repeat(q.shape[1] // self.key_heads, 1)
        # On a graphics card the result lies otherwise than on a processor: no view.
        mixed = scaled_dot_product_attention(folded, keys, values, mask).reshape(q.shape)
        return mixed.transpose(1, 2)[self.index].flatten(1)

    def _padded(self, part: torch.Tensor) -> torch.Tensor:
        """[tokens, heads, width] -> [rows, heads, longest, width]."""
        padded = part.new_zeros(*self.shape, *part.shape[1:])
        padded[self.index] = part
        return padded.transpose(1, 2)


def token_log_prob(llama: Llama, states: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """log p of each id after the state before it: [n, hidden], [n] -> [n] in nats, a few positions at a time."""
    chunks = zip(states.split(POSITIONS), ids.split(POSITIONS), strict=True)
    return torch.cat([_log_prob(llama.logits(some), these) for some, these in chunks])


def _log_prob(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    return logits.gather(1, ids[:, None])[:, 0] - logits.logsumexp(1)
