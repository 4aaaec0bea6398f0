"""Human comparisons of answers, read from files that the user has: FineGrainedRLHF, PandaLM, Anthropic's HH."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

from empirical.errors import first_line
from empirical.passages import TASK, question_on
from empirical.preferences import Pair, PreferenceError

FOLDS = 5
PASSAGE_WORDS = 150  # of FineGrainedRLHF's passages: the longest whole sentences from the beginning


Read = TypeVar("Read")


def one_sentence_for(read: Callable[[Path], Read]) -> Callable[[Path], Read]:
    """A reader that says what is wrong with its file in one PreferenceError, wherever in the rows it is."""

    @wraps(read)
    def reader(file: Path) -> Read:
        try:
            return read(file)
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as problem:
            raise PreferenceError(
                f"Cannot read comparisons from {file} ({first_line(problem)}); pass the data set's own JSON."
            ) from problem

    return reader


@dataclass(frozen=True)
class Question:
    """A conversation (user last), some answers to it, and which of them a person preferred to which: (winner, loser).

    fold and half: by a hash of the first turn alone, so that a question is never on both sides of a split.
    """

    turns: tuple[str, ...]
    answers: tuple[str, ...]
    preferred: tuple[tuple[int, int], ...]

    @property
    def fold(self) -> int:
        """0 to FOLDS - 1."""
        return self._number % FOLDS

    @property
    def half(self) -> int:
        """0 or 1, independent of the fold."""
        return self._number // FOLDS % 2

    @property
    def _number(self) -> int:
        return int(hashlib.blake2b(self.turns[0].encode(), digest_size=4).hexdigest(), 16)


@one_sentence_for
def finegrained(file: Path) -> list[Question]:
    """Questions about Wikipedia passages with four answers each: FineGrainedRLHF's feedback (Wu et al. 2023).

    Its six comparisons are of answers (1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4): 1 first, 2 second, 0 as good.
    """
    questions = []
    for row in _rows(file, ("question", "passages", "prediction 1", "prediction 4", "preference")):
        answers = [str(row[f"prediction {number}"]) for number in (1, 2, 3, 4)]
        prompt = question_on(_opening(row["passages"]), row["question"])
        pairs = zip(combinations(range(4), 2), row["preference"], strict=True)
        preferred = [pair if choice == 1 else pair[::-1] for pair, choice in pairs if choice]
        questions.append(_question(prompt, answers, preferred))
    return [question for question in questions if question.preferred]


@one_sentence_for
def passages_to_sum_up(file: Path) -> list[str]:
    """The passages of FineGrainedRLHF's feedback, each once, as prompts of the summarisation-like task."""
    passages = dict.fromkeys(_opening(row["passages"]) for row in _rows(file, ("passages",)))
    return [question_on(passage, TASK) for passage in passages if passage]


@one_sentence_for
def pandalm(file: Path) -> list[Question]:
    """Instructions with the answers of two models each, as the majority of three people chose (PandaLM's test set).

    Comparisons of one instruction are one question. Dropped: no majority for either, an empty answer.
    """
    collected: dict[str, tuple[list[str], list[tuple[int, int]]]] = {}
    for row in _rows(file, ("instruction", "input", "response1", "response2", "annotator1", "annotator3")):
        choice, votes = Counter(int(row[f"annotator{number}"]) for number in (1, 2, 3)).most_common(1)[0]
        if choice not in (1, 2) or votes < 2:
            continue
        prompt = f"{row['instruction']}\n\n{row['input']}".strip()
        answers, preferred = collected.setdefault(prompt, ([], []))
        first = len(answers)
        answers += [str(row["response1"]), str(row["response2"])]  # a few are no strings
        preferred.append((first, first + 1) if choice == 1 else (first + 1, first))
    questions = [_question(prompt, *found) for prompt, found in collected.items()]
    return [question for question in questions if question.preferred]


def from_pairs(pairs: Iterable[Pair]) -> list[Question]:
    """HH's pairs as questions with two answers, the chosen one first."""
    return [Question(pair.turns, (pair.chosen, pair.rejected), ((0, 1),)) for pair in pairs]


def _question(prompt: str, answers: list[str], preferred: list[tuple[int, int]]) -> Question:
    """A question of one turn without comparisons of equal or empty answers, nor answers in none."""
    texts = [(answers[winner], answers[loser]) for winner, loser in preferred]
    fair = [pair for pair in texts if pair[0].strip() and pair[1].strip() and pair[0] != pair[1]]
    places = {text: place for place, text in enumerate(dict.fromkeys(text for pair in fair for text in pair))}
    return Question((prompt,), tuple(places), tuple((places[winner], places[loser]) for winner, loser in fair))


def _opening(passages: list[list[str]]) -> str:
    """The first sentences, PASSAGE_WORDS words at most; a passage's first item is its title, said again in its next."""
    kept, words = list[str](), 0
    for sentence in (sentence for passage in passages for sentence in passage[1:]):
        words += len(sentence.split())
        if words > PASSAGE_WORDS:
            break
        kept.append(sentence.split("\n\n")[-1].strip())
    return " ".join(kept)


def _rows(file: Path, needed: tuple[str, ...]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    if not rows or any(name not in row for row in rows for name in needed):
        raise ValueError(f"a row lacks one of {', '.join(needed)}")
    return rows
