"""`python -m empirical.benchmarks.control [--json]`: what control costs beside plain sampling in the same run.

A scorer of random weights costs what a trained one does. All rows run to their last step, so that both sides draw the
same number of tokens, and an answer of K candidates a block is compared with K plain answers of its length.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from empirical.benchmarks.decoding import endless
from empirical.benchmarks.measuring import in_turns, said
from empirical.benchmarks.suite import manifest
from empirical.control import BlockJob, Control, block_jobs, token_jobs
from empirical.control.block_engine import BlockEngine
from empirical.engines.jobs import Job, answers
from empirical.engines.steering import steering
from empirical.engines.torch import TorchEngine, decoder
from empirical.models import LanguageModel, default_prior
from empirical.precision import use_fast_float32
from empirical.prefix_scorers import PrefixScorer, random_scorer
from empirical.prompts import study_prompts

ROWS, PROMPTS, K = 64, 2, 4
BLOCKS = (1, 8, 16, 32)
FIRST_STEPS = {"plain_vs_tokenwise": 1 / 1.15} | {f"blockwise_vs_plain.M={M}": 0.8 for M in BLOCKS}
"""What each ratio of tokens a second has to reach; fixed before anything was measured."""


def untrained(model: LanguageModel, rewards: int = 1) -> PrefixScorer:
    """A scorer of the default shape with small random weights."""
    return random_scorer(model, [f"reward {k}" for k in range(rewards)], 64, 0.01)


def contenders(model: LanguageModel, steps: int) -> dict[str, Callable[[], object]]:
    """64 rows: plain, tokenwise at lambda = 1, and blockwise for each M with K candidates an answer."""
    steered, unending = steering(model, untrained(model)), endless(model)
    prompts = study_prompts(PROMPTS)

    def tokens(control: Control | None) -> list[Job]:
        return [job for prompt in prompts for job in token_jobs(model, prompt, ROWS // PROMPTS, steps, control)]

    plain, under = tokens(None), tokens(Control(1.0))
    slots = decoder(model, ROWS, max(job.longest for job in plain))
    assert slots is not None
    ours, blocks = TorchEngine(unending, slots, ROWS, steered), BlockEngine(unending, slots, ROWS, steered)

    def in_blocks(jobs: Sequence[BlockJob]) -> Callable[[], object]:
        return lambda: list(blocks.stream(jobs))

    count = ROWS // PROMPTS // K
    return {
        "plain": lambda: answers(ours, plain),
        "tokenwise": lambda: answers(ours, under),
        **{
            f"blockwise M={M}": in_blocks([job for p in prompts for job in block_jobs(model, p, count, steps, K, M)])
            for M in BLOCKS
        },
    }


def measured(model: LanguageModel, repeats: int, steps: int) -> dict[str, Any]:
    """Seconds, tokens a second, and the ratios to plain sampling."""
    some = contenders(model, steps)
    in_turns(some, 1)  # the first time compiles and lays out weights
    seconds = in_turns(some, repeats)
    ratios = {"plain_vs_tokenwise": seconds["plain"] / seconds["tokenwise"]}
    ratios |= {f"blockwise_vs_plain.M={M}": seconds["plain"] / seconds[f"blockwise M={M}"] for M in BLOCKS}
    return {
        "manifest": manifest() | {"new_tokens": steps, "K": K},
        "seconds": seconds,
        "tokens_per_second": {who: ROWS * steps / time for who, time in seconds.items()},
        "ratios": ratios,
        "missed": [name for name, least in FIRST_STEPS.items() if ratios[name] < least],
    }


def main(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds; each figure is the median of that many.")] = 3,
    steps: Annotated[int, typer.Option(min=1, help="New tokens of each row.")] = 32,
) -> None:
    """Measure, print, and exit 1 if a ratio misses what it has to reach."""
    use_fast_float32()
    said(measured(default_prior(), repeats, steps), as_json, shown)


def shown(found: dict[str, Any]) -> list[object]:
    """Speeds and ratios."""
    speeds, goals = Table("what", "seconds", "tokens/s"), Table("ratio of speeds", "measured", "to reach")
    for who, time in found["seconds"].items():
        speeds.add_row(who, f"{time:.2f}", f"{found['tokens_per_second'][who]:.0f}")
    for name, ratio in found["ratios"].items():
        goals.add_row(name, f"{ratio:.2f}", f"{FIRST_STEPS[name]:.2f}")
    return [speeds, goals]


if __name__ == "__main__":
    typer.run(main)
