"""Prefix scorers asked what they know: the length of whole answers (figure 13), and what people prefer (Table 1).

Of a whole text the scorer is asked at its last token, EOS where it ends: Q([x, y^(T-1)], y_T) estimates r(x, y) itself.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rich.progress import track

from empirical.fit_reward import LONGEST_ANSWER, LONGEST_CONTEXT
from empirical.models import LanguageModel
from empirical.precision import at_least_float32
from empirical.preferences import Pair, hh_pairs
from empirical.prefix_scorers import PrefixScorer
from empirical.progress import counted
from empirical.prompts import prompt_id
from empirical.rewards import PreferenceHead
from empirical.scored import Floats
from empirical.scoring import answer_states, score
from empirical.studies.controlled.cells import FUDGE, HH, LENGTH, Q
from empirical.studies.controlled.collecting import Rows
from empirical.studies.controlled.other_quantities import REWARD
from empirical.studies.controlled.parts import Parts
from empirical.studies.controlled.settings import OPPONENTS, Setting

CHUNK = 32  # answers a pass


@torch.inference_mode()
def values_of(
    scorers: Sequence[PrefixScorer], base: LanguageModel, prompt: Sequence[int], answers: Sequence[Sequence[int]]
) -> list[Floats]:
    """What each scorer says of whole answers, given by token ids, from one pass of the base: [n, rewards] each."""
    found: list[list[Floats]] = [[] for _ in scorers]
    for first in range(0, len(answers), CHUNK):
        states, ids, inside = answer_states(base.network, prompt, answers[first : first + CHUNK])
        rows, last = torch.arange(len(ids), device=ids.device), inside.sum(1) - 1
        for scorer, values in zip(scorers, found, strict=True):
            value = scorer.value_of(at_least_float32(states[rows, last]), ids[rows, last])
            values.append(value.double().cpu().numpy())
    return [np.concatenate(values) for values in found]


def predictions(parts: Parts, rows: Rows) -> pd.DataFrame | None:
    """The table cd_fig13: scorer, prompt_id, sample_id, tokens, actual and predicted reward, log(T / T_max).

    Of the base's answers that best-of-K did not choose from; None without both scorers.
    """
    drawn, texts = rows[Setting(LENGTH, OPPONENTS)], next(t.prompts for t in parts.tasks if t.name == LENGTH)
    if not all((LENGTH, name) in parts.scorers for name in (Q, FUDGE)):
        return None
    frames = []
    for number, some in counted(drawn.groupby("prompt", sort=True), "prompts read by the scorers"):
        prompt, token_ids = texts[int(str(number))], [list(map(int, ids)) for ids in some.token_ids]
        scorers = [parts.scorers[LENGTH, name] for name in (Q, FUDGE)]
        values = values_of(scorers, parts.base, parts.base.prompt_ids(prompt), token_ids)
        for name, value in zip((Q, FUDGE), values, strict=True):
            predicted = value[:, parts.place(LENGTH, name)]
            about = {"scorer": name, "prompt_id": prompt_id(prompt), "sample_id": some.sample_id.to_numpy()}
            sizes = {"tokens": list(map(len, token_ids)), "actual": some.reward.to_numpy(), "predicted": predicted}
            frames.append(pd.DataFrame(about | sizes))
    return pd.concat(frames, ignore_index=True)


def ranked_pairs(parts: Parts, head: PreferenceHead, folder: Path | None, limit: int | None = None) -> pd.DataFrame:
    """Each human pair of Anthropic HH by each method: method, split, conversation (its number), right (1, 0 or 1/2).

    The head was fitted to the pairs of split train and chosen by validation, which is left out. Raises PreferenceError.
    """
    pairs = [pair for pair in hh_pairs(folder)[:limit] if pair.split != "validation"]
    numbers = {turns: number for number, turns in enumerate(dict.fromkeys(pair.turns[0] for pair in pairs))}
    rows = []
    for pair in track(pairs, "human pairs", transient=True):
        for method, (chosen, rejected) in judged(parts, head, pair).items():
            right = (np.sign(chosen - rejected) + 1) / 2
            conversation = numbers[pair.turns[0]]
            rows.append({"method": method, "split": pair.split, "conversation": conversation, "right": right})
    return pd.DataFrame(rows)


def judged(parts: Parts, head: PreferenceHead, pair: Pair) -> dict[str, Floats]:
    """What the reward head and either scorer say of a pair's chosen and rejected answers, cut as the head's were."""
    base, roles = parts.base, ("user", "assistant")
    turns = [{"role": roles[i % 2], "content": text} for i, text in enumerate(pair.turns)]
    prompt = base.tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True)["input_ids"]
    answers = [base.tokenizer(text)["input_ids"][:LONGEST_ANSWER] for text in (pair.chosen, pair.rejected)]
    prompt, whole = prompt[-LONGEST_CONTEXT:], [[*answer, base.eos] for answer in answers]
    features = score(base, prompt, answers, head.layer).features
    assert features is not None, "the head reads a layer"
    found = {REWARD: head(features).numpy()}
    names = [name for name in (Q, FUDGE) if (HH, name) in parts.scorers]
    values = values_of([parts.scorers[HH, name] for name in names], base, prompt, whole)
    return found | {name: value[:, parts.place(HH, name)] for name, value in zip(names, values, strict=True)}
