"""Make the shipped reward head: `python -m empirical.fit_reward --hh DIR --out DIR`."""

import json
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from empirical.bradley_terry import fit_bradley_terry
from empirical.conversations import dialogue_ids
from empirical.errors import one_sentence
from empirical.models import LanguageModel, default_prior
from empirical.precision import use_fast_float32
from empirical.preferences import Pair, hh_pairs
from empirical.rewards import PreferenceHead
from empirical.scoring import score

LAYER = 20  # two thirds of the depth, where a linear probe of preference does best; fixed before the test split is read
LONGEST_CONTEXT, LONGEST_ANSWER = 320, 128  # tokens; longer contexts lose their beginning, longer answers their end


def main(
    out: Annotated[Path, typer.Option(help="Where the head goes.")],
    hh: Annotated[Path | None, typer.Option(help="Folder of Anthropic/hh-rlhf *.jsonl.gz files; else the hub.")] = None,
    limit: Annotated[int | None, typer.Option(help="Use this many pairs only.")] = None,
) -> None:
    """Fit the head on frozen features and write it with its log."""
    start = time.perf_counter()
    precision = use_fast_float32()
    model = default_prior()
    pairs = hh_pairs(hh)[:limit]
    features = np.stack([pair_features(model, pair) for pair in pairs])
    splits = np.array([pair.split for pair in pairs])
    fit = fit_bradley_terry({s: features[splits == s, 0] - features[splits == s, 1] for s in sorted(set(splits))})
    mean = features[splits == "train"].mean(axis=(0, 1))
    head = PreferenceHead(torch.tensor(fit.weight), torch.tensor(mean), LAYER, model.sha256)
    head.save(out)
    minutes = (time.perf_counter() - start) / 60
    log = {**fit.summary(), "data": "Anthropic/hh-rlhf harmless-base, test file", "layer": LAYER}
    log |= {"float32": precision, "minutes": round(minutes, 1), "command": "python -m empirical.fit_reward --hh DIR"}
    (out / "log.json").write_text(json.dumps(log, indent=1), encoding="utf-8")
    print(json.dumps(log))


def pair_features(model: LanguageModel, pair: Pair) -> np.ndarray:
    """Features [2, hidden] of the chosen and the rejected answer."""
    prompt = dialogue_ids(model.tokenizer, pair.turns)
    answers = [model.tokenizer(text)["input_ids"][:LONGEST_ANSWER] for text in (pair.chosen, pair.rejected)]
    features = score(model, prompt[-LONGEST_CONTEXT:], answers, LAYER).features
    assert features is not None
    return features.double().cpu().numpy()


if __name__ == "__main__":
    with one_sentence():
        typer.run(main)
