"""The state of an answer that is chosen block by block, whoever draws its candidates."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from empirical.alignment import scored_answers
from empirical.control.asking import BlockJob, Chosen, chosen
from empirical.engines.jobs import Answer
from empirical.models import LanguageModel
from empirical.scored import Floats, Reward

Judge = Callable[[str, Sequence[Answer]], Floats]
"""(prompt, its answers [n]) -> rewards [n]."""


def by_reward(prior: LanguageModel, reward: Reward) -> Judge:
    """The judge that scores answers by a reward, which reads the features of `prior`."""

    def judge(prompt: str, drawn: Sequence[Answer]) -> Floats:
        return np.asarray(scored_answers(prior, reward, prompt, drawn)[1].numpy())

    return judge


@dataclass
class Choosing:
    """An answer under way: what is accepted of it, and the candidates of its present block, which go on from there.

    values: what each candidate was worth where its block stopped; it stops at M tokens, at EOS and at T_max.
    """

    number: int
    job: BlockJob
    accepted: Answer = field(default_factory=Answer)
    candidates: list[Answer] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    scores: list[list[float]] = field(default_factory=list)
    winners: list[int] = field(default_factory=list)
    drawn: int = 0

    def open(self) -> None:
        """Begin a block: K candidates that continue the accepted text."""
        self.candidates = [replace(self.accepted, token_ids=list(self.accepted.token_ids)) for _ in range(self.job.K)]
        self.values = [np.nan] * self.job.K

    @property
    def stop(self) -> int:
        """The length of the answer at which the present block stops at the latest."""
        return min(len(self.accepted.token_ids) + self.job.M, self.job.longest_answer)

    def going(self) -> list[int]:
        """The candidates whose block is not over."""
        return [k for k, candidate in enumerate(self.candidates) if not candidate.ended(self.stop)]

    def ended(self) -> bool:
        """Whether the accepted text is a whole answer."""
        return self.accepted.ended(self.job.longest_answer)

    def whole(self) -> list[int]:
        """The candidates that are whole answers: they end, or are cut here."""
        return [k for k, candidate in enumerate(self.candidates) if candidate.ended(self.job.longest_answer)]

    def accept(self) -> int:
        """Choose the best candidate by `values`, the first among equals, and go on with it; return its number.

        Raises ValueError on NaN.
        """
        winner = first_best(self.values)
        before = len(self.accepted.token_ids)
        self.drawn += sum(len(candidate.token_ids) - before for candidate in self.candidates)
        self.accepted = self.candidates[winner]
        self.scores.append(self.values)
        self.winners.append(winner)
        return winner

    def result(self) -> Chosen:
        """The answer."""
        return chosen(self.accepted, self.job.K, self.scores, self.winners, self.drawn)


def reward_whole(texts: Sequence[Choosing], judge: Judge) -> None:
    """Give the whole answers among the candidates their true reward in place of their value; one call a prompt."""
    by_prompt: dict[str, list[tuple[Choosing, int]]] = defaultdict(list)
    for text in texts:
        by_prompt[text.job.text] += [(text, k) for k in text.whole()]
    for prompt, some in by_prompt.items():
        if some:
            for (text, k), reward in zip(some, judge(prompt, [text.candidates[k] for text, k in some]), strict=True):
                text.values[k] = float(reward)


def first_best(scores: Sequence[float]) -> int:
    """The place of the largest score, the first among equals. Raises ValueError on NaN."""
    if np.isnan(scores).any():
        raise ValueError("the score of a candidate is NaN; check the scorer or the reward.")
    return int(np.argmax(scores))
