"""Letter models of real English as layered processes: the texts are the help topics of Python's own library.

`pydoc_data.topics` is on every machine that runs Python, but its words differ from one version of Python to the next;
`fingerprint` says which texts a result was made from.
"""

import hashlib
import re
from collections.abc import Sequence
from itertools import takewhile
from pydoc_data.topics import topics

import numpy as np

from theory.arrays import shaped, validated
from theory.layers import EOS, Floats, Integers

LETTERS = " abcdefghijklmnopqrstuvwxyz"
"""The symbols 1..27; token 0 is EOS."""
VOCABULARY = 1 + len(LETTERS)


def phrases(longest: int, source: Sequence[str] | None = None) -> list[str]:
    """What stands between two marks of punctuation or line ends: lower case, letters and single spaces.

    Those of at most `longest` letters are kept, so that a model of them seldom meets a horizon beyond it.
    source: texts, by default the help topics in alphabetical order. Raises ValueError if nothing is left.

    >>> phrases(12, ["The assert statement: it's"])
    ['it', 's']
    """
    if longest < 1:
        raise ValueError(f"the longest phrase must have at least 1 letter, not {longest}.")
    raw = "\n".join([topics[key] for key in sorted(topics)] if source is None else source).lower()
    found = (" ".join(re.findall("[a-z]+", part)) for part in re.split(r"[.,:;()!?'\"\n]", raw))
    kept = [phrase for phrase in found if 0 < len(phrase) <= longest]
    if not kept:
        raise ValueError("no phrase is left: the texts are empty, or hold no phrase that is short enough.")
    return kept


def fingerprint(texts: Sequence[str]) -> str:
    """The first 16 hexadecimal digits of the texts' SHA-256."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def bigram_states() -> Integers:
    """successor [28, 28] of an automaton that remembers the last letter: state 0 is the start, state a the symbol a."""
    return np.tile(np.arange(VOCABULARY), (VOCABULARY, 1))


def class_trigram_states() -> Integers:
    """successor [82, 28] of one that remembers the last letter and of the letter before only its class.

    Classes: 0 nothing or a space, 1 a vowel, 2 a consonant; state 1 + 27 class + (a - 1), and 0 is the start. A full
    trigram would have 757 states, most of them never seen in the texts.
    """
    letters = np.arange(VOCABULARY - 1)
    kind = np.array([0, *(1 if letter in "aeiou" else 2 for letter in LETTERS[1:])])
    last = np.concatenate([[0], np.tile(kind, 3)])
    successor = np.zeros((1 + 3 * len(letters), VOCABULARY), dtype=np.int64)
    successor[:, 1:] = 1 + len(letters) * last[:, None] + letters
    return successor


def last_letter(n_states: int) -> Integers:
    """The bigram state (the last letter, 0 at the start) of each state of either automaton: [S].

    Raises ValueError unless there is a state.
    """
    if n_states < 1:
        raise ValueError(f"an automaton has at least one state, not {n_states}.")
    return np.concatenate([[0], 1 + np.arange(n_states - 1) % (VOCABULARY - 1)])


def fitted(texts: Sequence[str], successor: Integers, smoothing: float = 0.5) -> Floats:
    """log p(a | s) = log (n(s, a) + smoothing) / (n(s) + 28 smoothing) by counting: [S, 28] nats.

    Half a count for each token is the Krichevsky-Trofimov estimator. Raises ValueError unless there is a text, all
    are of LETTERS, every successor is a state, and 0 < smoothing < inf.
    """
    if not 0 < smoothing < np.inf:
        raise ValueError(f"smoothing must be a positive number of counts, not {smoothing}.")
    if not texts:
        raise ValueError("there is no text to fit a model to.")
    if foreign := set().union(*texts) - set(LETTERS):
        raise ValueError(f"texts must hold lower-case letters and spaces alone, not {min(foreign)!r}.")
    if np.any((shaped(successor, (None, VOCABULARY), "successor") < 0) | (successor >= len(successor))):
        raise ValueError(f"successor must hold states in 0..{len(successor) - 1}.")
    counts = np.full(successor.shape, smoothing)
    follows = successor.tolist()
    token = {letter: 1 + i for i, letter in enumerate(LETTERS)}
    for text in texts:
        state = 0
        for letter in text:
            counts[state, token[letter]] += 1
            state = follows[state][token[letter]]
        counts[state, EOS] += 1
    return np.asarray(np.log(counts) - np.log(counts.sum(axis=-1, keepdims=True)))


def truncated(log_steps: Floats, horizon: int) -> Floats:
    """The model with EOS certain at step T - 1: [S, V] -> log_p [T, S, V]. Raises ValueError unless T >= 1, on NaN
    and on another shape.
    """
    if horizon < 1:
        raise ValueError(f"the horizon must be at least 1 token, not {horizon}.")
    validated(shaped(log_steps, (None, None), "log_steps"), "log_steps")
    log_p = np.repeat(log_steps[None], horizon, axis=0)
    log_p[-1] = -np.inf
    log_p[-1, :, EOS] = 0.0
    return log_p


def decoded(tokens: Integers) -> str:
    """The letters of one string of tokens, up to EOS: [T]. Raises ValueError on what is no token, 0..27.

    >>> decoded(np.array([9, 10, 0, 0]))
    'hi'
    """
    known = np.isin(shaped(tokens, (None,), "tokens"), np.arange(VOCABULARY))
    if not known.all():
        raise ValueError(f"tokens must be integers in 0..{VOCABULARY - 1}, not {tokens[~known][0]}.")
    return "".join(LETTERS[int(token) - 1] for token in takewhile(lambda token: token != EOS, tokens.tolist()))
