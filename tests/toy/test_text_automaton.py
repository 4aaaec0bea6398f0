import math
from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.statistical.p_values import mixture
from tests.statistical.randomised import Randomised
from theory.arrays import normalised
from theory.layers import Layers, length_law, sample
from toy.text_automaton import (
    LETTERS,
    bigram_states,
    class_trigram_states,
    decoded,
    fingerprint,
    fitted,
    last_letter,
    phrases,
    truncated,
)

TEXTS = st.lists(st.text(alphabet="abe z", min_size=1, max_size=6), min_size=1, max_size=8)


def context(text, n_states):
    """What the automaton remembers of a text, spelled out."""
    last = 0 if not text else 1 + LETTERS.index(text[-1])
    if n_states == len(LETTERS) + 1 or not text:
        return last
    kind = 0 if len(text) == 1 or text[-2] == " " else 1 if text[-2] in "aeiou" else 2
    return 1 + 27 * kind + last - 1


@pytest.mark.parametrize("states", [bigram_states, class_trigram_states])
@given(texts=TEXTS, smoothing=st.sampled_from([0.5, 2.0]))
def test_probabilities_are_smoothed_shares_of_what_follows(states, texts, smoothing):
    successor = states()
    found = fitted(texts, successor, smoothing)
    counts = Counter()
    for text in texts:
        for i in range(len(text) + 1):
            token = 1 + LETTERS.index(text[i]) if i < len(text) else 0
            counts[context(text[:i], len(successor)), token] += 1
    for (state, token), count in counts.items():
        total = sum(n for (s, _), n in counts.items() if s == state)
        assert found[state, token] == pytest.approx(math.log((count + smoothing) / (total + 28 * smoothing)), abs=1e-12)
    np.testing.assert_allclose(np.exp(found).sum(axis=-1), 1, atol=1e-13)


@pytest.mark.parametrize("states", [bigram_states, class_trigram_states])
@given(text=st.text(alphabet=LETTERS, min_size=1, max_size=8))
def test_a_state_is_what_it_remembers(states, text):
    successor, state = states(), 0
    for letter in text:
        state = successor[state, 1 + LETTERS.index(letter)]
    assert state == context(text, len(successor))
    assert last_letter(len(successor))[0] == 0  # the start has read none
    assert last_letter(len(successor))[state] == 1 + LETTERS.index(text[-1])


def test_phrases_of_the_library_are_short_plain_and_keyed_by_a_fingerprint():
    texts = phrases(31)
    assert len(texts) > 5_000
    assert all(1 <= len(text) <= 31 and set(text) <= set(LETTERS) and text == text.strip() for text in texts)
    assert "expression" in texts
    assert fingerprint(texts) == fingerprint(phrases(31)) != fingerprint(texts[1:])


def test_phrases_end_at_marks_and_lines():
    assert phrases(20, ["One two, three\nfour-five; 6 (seven)"]) == ["one two", "three", "four five", "seven"]
    assert phrases(5, ["One two, three\nfour-five; 6 (seven)"]) == ["three", "seven"]
    assert phrases(1, ["it, a"]) == ["a"]


@cache
def english():
    """A bigram of the library's phrases, cut at 32 letters."""
    successor = bigram_states()
    log_p = truncated(fitted(phrases(31), successor), 32)
    return Layers(log_p, successor, np.zeros_like(log_p))


@cache
def law_of_lengths(heat=1.0):
    """With every letter drawn at this temperature."""
    return length_law(english(), normalised(english().log_p / heat))


def lengths_of(rng):
    """How many of 5,000 texts have each length."""
    layers = english()
    return np.bincount(sample(layers, layers.log_p, 5_000, rng)[2], minlength=33)[1:]


LENGTHS = Randomised(
    __name__,
    "lengths of English have their law",
    draw=lengths_of,
    judge=lambda counts: mixture(counts, law_of_lengths()),
    planted={"T = 2": lambda rng: rng.multinomial(5_000, law_of_lengths(2.0))},
    sample="5,000 texts, 32 lengths, a mixture of Dirichlet laws against theirs",
)


def test_the_model_of_english_speaks_letters_and_seldom_meets_its_horizon():
    layers = english()
    assert length_law(layers, layers.log_p)[-1] < 0.1
    LENGTHS.hold()
    tokens, _, lengths = sample(layers, layers.log_p, 2_000, np.random.default_rng(0))
    text = " ".join(decoded(row) for row in tokens)
    assert [len(decoded(row)) for row in tokens] == (lengths - 1).tolist()
    # A bigram of English: h mostly follows t, and u follows q.
    assert text.count("th") > 5 * text.count("ht")


def test_bad_input_is_named():
    successor = bigram_states()
    with pytest.raises(ValueError, match=r"^there is no text to fit"):
        fitted([], successor)
    for smoothing in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="smoothing must be a positive number"):
            fitted(["a"], successor, smoothing)
    for empty in ([], [""], ["...  123"]):
        with pytest.raises(ValueError, match=r"^no phrase is left: the texts are empty"):
            phrases(9, empty)
    with pytest.raises(ValueError, match="at least 1 letter"):
        phrases(0)
    with pytest.raises(ValueError, match="horizon must be at least 1"):
        truncated(fitted(["a"], successor), 0)


def test_what_follows_the_end_is_not_read():
    assert decoded(np.array([9, 0, 10])) == "h"
    assert decoded(np.array([0])) == decoded(np.array([], dtype=int)) == ""


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: decoded(np.array([1, 28])), r"^tokens must be integers in 0..27, not 28"),
        (lambda: decoded(np.array([-1])), "not -1"),
        (lambda: decoded(np.array([1.5])), "not 1.5"),
        (lambda: decoded(np.array([[1]])), "^tokens must have the shape"),
        (
            lambda: fitted(["ab", "A!"], bigram_states()),
            "^texts must hold lower-case letters and spaces alone, not '!'",
        ),
        (lambda: fitted(["ab"], bigram_states() + 1), r"^successor must hold states in 0..27"),
        (lambda: fitted(["ab"], bigram_states() - 1), "^successor must hold states"),
        (lambda: fitted(["ab"], bigram_states()[:, 1:]), "^successor must have the shape"),
        (lambda: last_letter(0), "at least one state, not 0"),
        (lambda: truncated(np.zeros(3), 2), "^log_steps must have the shape"),
        (lambda: truncated(np.full((2, 3), np.nan), 2), "^log_steps contains NaN"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
