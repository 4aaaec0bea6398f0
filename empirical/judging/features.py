"""What a head reads of human-judged answers: a block's mean output over each answer's words, kept on disk."""

import copy
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from empirical.conversations import dialogue_ids
from empirical.engines.decoder import LlamaDecoder
from empirical.engines.llama import prepared
from empirical.engines.reading import read_answers
from empirical.fit_reward import LONGEST_ANSWER, LONGEST_CONTEXT
from empirical.judging.human import Question
from empirical.models import LanguageModel
from empirical.sealed import UnusableError, framed, unframed
from theory.files import replacing

CHUNK = 25  # questions a file

Reader = Callable[[Sequence[int], Sequence[Sequence[int]]], torch.Tensor]
"""(prompt, answers) -> [answers, hidden]"""


def kept_features(
    model: LanguageModel, questions: Sequence[Question], folder: Path, layer: int
) -> list[NDArray[np.float32]]:
    """The features of each question's answers, [answers, hidden]; what `folder` has already is read from there."""
    reader, found = mean_reader(model, layer), list[NDArray[np.float32]]()
    for first in range(0, len(questions), CHUNK):
        some = questions[first : first + CHUNK]
        file = folder / f"{_digest(model, some, layer)}.npy"
        rows = _kept(file)
        if rows is None:
            rows = np.concatenate([question_features(model, question, reader) for question in some])
            data = io.BytesIO()
            np.save(data, rows)
            with replacing(file) as temporary:
                temporary.write_bytes(framed(data.getvalue()))
        found += np.split(rows, np.cumsum([len(question.answers) for question in some])[:-1])
    return found


def _kept(file: Path) -> NDArray[np.float32] | None:
    """What an earlier run wrote, sealed by its SHA-256; None if there is nothing, or something damaged."""
    try:
        return np.asarray(np.load(io.BytesIO(unframed(file.read_bytes()))))
    except (FileNotFoundError, UnusableError):
        return None


def question_features(model: LanguageModel, question: Question, reader: Reader) -> NDArray[np.float32]:
    """Features [answers, hidden] of one question's answers, cut at LONGEST_CONTEXT and LONGEST_ANSWER tokens."""
    prompt = dialogue_ids(model.tokenizer, question.turns)
    answers = [model.tokenizer(text)["input_ids"][:LONGEST_ANSWER] for text in question.answers]
    return reader(prompt[-LONGEST_CONTEXT:], answers).float().cpu().numpy()


def mean_reader(model: LanguageModel, layer: int) -> Reader:
    """The features of `empirical.scoring.score` without what is not needed for them: later blocks, probabilities.

    For networks that `empirical.engines.llama` computes, and answers without EOS.
    """
    llama = copy.copy(prepared(model.network, model.network.dtype))
    llama.blocks = llama.blocks[:layer]

    @torch.inference_mode()
    def read(prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> torch.Tensor:
        prefix = LlamaDecoder(llama, 0, len(prompt)).read(prompt)
        total = torch.zeros(len(answers), prefix.state.shape[-1], device=model.device)
        for group, states in read_answers(llama, prefix, answers, layer):
            assert states is not None, "a layer was asked for"
            total.index_add_(0, group.rows, states)
        return total / torch.tensor([len(answer) for answer in answers], device=model.device)[:, None]

    return read


def _digest(model: LanguageModel, questions: Sequence[Question], layer: int) -> str:
    texts = [[question.turns, question.answers] for question in questions]
    made = json.dumps([model.sha256, layer, LONGEST_CONTEXT, LONGEST_ANSWER, texts])
    return hashlib.blake2b(made.encode(), digest_size=12).hexdigest()
