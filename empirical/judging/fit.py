"""Make the shipped judges: `python -m empirical.judging.fit --finegrained FILE --pandalm FILE --out DIR`.

Heads on the same frozen features. finegrained: a reward for texts about a passage, from one half of FineGrainedRLHF's
questions; passages: from the other half, the judge of what was trained on that reward; hh: from those of Anthropic's
pairs that the shipped reward was not fitted to, the judge of what was trained on that; both: from FineGrainedRLHF and
PandaLM, a judge from outside. No head sees its own test pairs: every accuracy on data a head was fitted to is of five
heads that each missed a fifth of the questions.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from empirical.errors import one_sentence
from empirical.fetch import cache_directory
from empirical.fit_reward import LAYER, LONGEST_ANSWER, LONGEST_CONTEXT
from empirical.judging.features import kept_features
from empirical.judging.heads import Pairs, accuracy, fitted, held_out_margins, pairs_of
from empirical.judging.human import PASSAGE_WORDS, Question, finegrained, from_pairs, pandalm
from empirical.models import LanguageModel, default_prior
from empirical.precision import use_fast_float32
from empirical.preferences import hh_pairs
from empirical.rewards import PreferenceHead, load_head
from empirical.shipped import shipped
from theory.files import write_text

HALVES = ("finegrained: reward's half", "finegrained: judge's half")
HEADS = {"finegrained": HALVES[:1], "passages": HALVES[1:], "hh": ("hh",), "both": (*HALVES, "pandalm")}
HH_SPLITS = ("test", "validation")  # the shipped reward was fitted to neither; the second chose its ridge


def main(
    finegrained_file: Annotated[Path, typer.Option("--finegrained", help="FineGrainedRLHF's feedback, its JSON.")],
    pandalm_file: Annotated[Path, typer.Option("--pandalm", help="PandaLM's test set, its JSON.")],
    out: Annotated[Path, typer.Option(help="Where the heads and their card go.")],
    hh: Annotated[
        Path | None, typer.Option(help="Folder of Anthropic/hh-rlhf *.jsonl.gz files, for its judge.")
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Where features are kept; a killed run goes on from there.")] = None,
) -> None:
    """Read every answer once, fit the heads whose data are there, and write them with their accuracies."""
    start = time.process_time()
    precision, model = use_fast_float32(), default_prior()
    questions = {"finegrained": finegrained(finegrained_file), "pandalm": pandalm(pandalm_file)}
    if hh:
        pairs = hh_pairs(hh)
        questions["hh"] = from_pairs(pair for split in HH_SPLITS for pair in pairs if pair.split == split)
    folder = work or cache_directory() / "judging"
    features = {name: kept_features(model, some, folder, LAYER) for name, some in questions.items()}
    half = [question.half for question in questions["finegrained"]]
    questions, features = in_halves(questions, half), in_halves(features, half)
    data = {name: pairs_of(questions[name], features[name], lengths(model, questions[name])) for name in questions}
    heads, rows = dict[str, PreferenceHead](), list[dict[str, Any]]()
    for name, sources in HEADS.items():
        if not set(sources) <= set(data):
            continue
        joint = sum((data[source] for source in sources[1:]), data[sources[0]])
        weight, ridge = fitted(joint)
        mean = np.concatenate([np.concatenate(features[source]) for source in sources]).mean(axis=0)
        heads[name] = PreferenceHead(torch.tensor(weight), torch.tensor(mean), LAYER, model.sha256)
        heads[name].save(out / name)
        rows += judged(name, weight, ridge, joint, sources, data)
    rows += baselines(data)
    reward = load_head(shipped("reward"))
    if reward.model_sha256 == model.sha256 and reward.layer == LAYER:
        heads["hh reward"] = reward
        rows += transferred("hh reward", reward, {name: some for name, some in data.items() if name != "hh"})
    rows += agreements(heads, data)
    card = {
        "heads": {name: list(sources) for name, sources in HEADS.items() if name in heads},
        "layer": LAYER,
        "longest_context": LONGEST_CONTEXT,
        "longest_answer": LONGEST_ANSWER,
        "passage_words": PASSAGE_WORDS,
        "model_sha256": model.sha256,
        "float32": precision,
        "cpu_minutes_of_this_run": round((time.process_time() - start) / 60, 1),
        "command": "python -m empirical.judging.fit --finegrained FILE --pandalm FILE --out DIR"
        + " --hh DIR" * bool(hh),
        "rows": rows,
    }
    write_text(out / "card.json", json.dumps(card, indent=1))
    print(json.dumps(card))


def in_halves(some: dict[str, list[Any]], half: Sequence[int]) -> dict[str, list[Any]]:
    """What stands under "finegrained" in two parts that share no question, then the others; half: 0 or 1 each."""
    halves = {
        name: [one for one, its in zip(some["finegrained"], half, strict=True) if its == number]
        for number, name in enumerate(HALVES)
    }
    return halves | {name: every for name, every in some.items() if name != "finegrained"}


def lengths(model: LanguageModel, questions: list[Question]) -> list[Any]:
    """The tokens of each question's answers, uncut."""
    return [np.array([len(model.tokenizer(text)["input_ids"]) for text in one.answers]) for one in questions]


def judged(
    name: str, weight: Any, ridge: float, pairs: Pairs, sources: tuple[str, ...], data: dict[str, Pairs]
) -> list[dict[str, Any]]:
    """A head's accuracy on every data set: held out in turn where it was fitted to it, else of the head itself."""
    held_out, first, rows = held_out_margins(pairs), 0, []
    for source, some in data.items():
        if source in sources:
            margin, kind = held_out[first : first + len(some.fold)], "held out"
            first += len(some.fold)
        else:
            margin, kind = some.differences @ weight, "transfer"
        rows.append({"head": name, "ridge": ridge, "data": source, "kind": kind, **measured(margin, some)})
    return rows


def measured(margin: Any, pairs: Pairs) -> dict[str, Any]:
    """Accuracy, also where the longer and where the shorter answer was preferred, and the margins' pull to length.

    length_correlation: of the margins with the differences of tokens.
    """
    right, longer, shorter = margin > 0, pairs.tokens > 0, pairs.tokens < 0
    return {
        **accuracy(margin, pairs.question),
        "where_longer_preferred": float(right[longer].mean()),
        "where_shorter_preferred": float(right[shorter].mean()),
        "length_correlation": cosine(margin, pairs.tokens),
    }


def cosine(one: Any, other: Any) -> float:
    """The correlation of two columns of differences whose signs could all be turned round."""
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


def baselines(data: dict[str, Pairs]) -> list[dict[str, Any]]:
    """What the longer answer would win."""
    return [
        {"head": "longer", "data": name, "kind": "rule", **measured(some.tokens, some)} for name, some in data.items()
    ]


def transferred(name: str, head: PreferenceHead, data: dict[str, Pairs]) -> list[dict[str, Any]]:
    """A head's accuracy on data it was not fitted to."""
    return [
        {"head": name, "data": source, "kind": "transfer", **measured(margins(head, some), some)}
        for source, some in data.items()
    ]


def margins(head: PreferenceHead, pairs: Pairs) -> Any:
    """A head's score of the preferred answer less that of the other."""
    return pairs.differences @ head.weight.double().numpy()


def agreements(heads: dict[str, PreferenceHead], data: dict[str, Pairs]) -> list[dict[str, Any]]:
    """How far a reward and its judge say the same about pairs: the correlation of their margins either way round."""
    return [
        {"head": reward, "judge": judge, "data": source, "kind": "correlation of margins",
         "correlation": cosine(margins(heads[reward], some), margins(heads[judge], some))}
        for reward, judge in (("finegrained", "passages"), ("hh reward", "hh"), ("hh reward", "both"))
        for source, some in data.items()
        if {reward, judge} <= set(heads)
    ]  # fmt: skip


if __name__ == "__main__":
    with one_sentence():
        typer.run(main)
