"""`python -m empirical.benchmarks.guidance [--json]`: what guidance by evidence costs a token, beside plain sampling.

Both fill the same rows of a step: plain sampling with as many texts, guidance with half as many, each of which is read
with and without the evidence. All rows run to their last step, so that a token is a token.
"""

from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.table import Table

from empirical.benchmarks.decoding import endless
from empirical.benchmarks.measuring import in_turns, said
from empirical.benchmarks.suite import manifest
from empirical.engines.jobs import Job, answers
from empirical.engines.torch import engine
from empirical.evidence_task.item import with_evidence, without_evidence
from empirical.evidence_task.items import own_items
from empirical.guidance import Guidance, guided_jobs
from empirical.guidance.engine import engine as guiding
from empirical.models import LanguageModel, default_prior
from empirical.precision import use_fast_float32
from theory.adaptors import ancestral

ROWS, ITEMS = 64, 4
RULES = (Guidance("free", 1.0), Guidance("kl", 1.0))
MOST = 2.2
"""Times the cost of a plain token that a guided one may have; fixed before anything was measured."""


def contenders(model: LanguageModel, steps: int) -> dict[str, tuple[int, Callable[[], object]]]:
    """name -> (texts, work): plain sampling with the evidence, and each rule."""
    unending, items = endless(model), sorted(own_items(), key=lambda item: len(item.passage))[:ITEMS]
    prompts = [(with_evidence(item), without_evidence(item)) for item in items]

    def jobs(rule: Guidance, texts: int) -> list[Any]:
        return [job for pair in prompts for job in guided_jobs(model, *pair, texts // ITEMS, steps, rule)]

    plain = [Job(job.prompt, ancestral(), job.uniforms) for job in jobs(Guidance(), ROWS)]
    ours = engine(unending, max(job.longest for job in plain), ROWS)
    made: dict[str, tuple[int, Callable[[], object]]] = {"plain": (ROWS, lambda: answers(ours, plain))}
    for rule in RULES:
        asked = jobs(rule, ROWS // 2)
        room = guiding(unending, asked, rows=ROWS)  # made before the clock starts, as the plain one is
        made[rule.name] = ROWS // 2, lambda asked=asked, room=room: answers(room, asked)  # type: ignore[misc]
    return made


def measured(model: LanguageModel, repeats: int, steps: int) -> dict[str, Any]:
    """Seconds, tokens a second, and how many plain tokens a guided one costs."""
    some = contenders(model, steps)
    works = {name: work for name, (_, work) in some.items()}
    in_turns(works, 1)  # the first time compiles and lays out weights
    seconds = in_turns(works, repeats)
    speeds = {name: texts * steps / seconds[name] for name, (texts, _) in some.items()}
    costs = {rule.name: speeds["plain"] / speeds[rule.name] for rule in RULES}
    return {
        "manifest": manifest() | {"new_tokens": steps, "rows": ROWS},
        "seconds": seconds,
        "tokens_per_second": speeds,
        "cost": costs,
        "missed": [name for name, cost in costs.items() if cost > MOST],
    }


def main(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds; each figure is the median of that many.")] = 3,
    steps: Annotated[int, typer.Option(min=1, help="New tokens of each row.")] = 24,
) -> None:
    """Measure, print, and exit 1 if guidance costs more than it may."""
    use_fast_float32()
    said(measured(default_prior(), repeats, steps), as_json, shown)


def shown(found: dict[str, Any]) -> list[object]:
    """Speeds and costs."""
    table = Table("what", "seconds", "tokens/s", f"plain tokens a token costs (at most {MOST})")
    for name, time in found["seconds"].items():
        cost = f"{found['cost'][name]:.2f}" if name in found["cost"] else ""
        table.add_row(name, f"{time:.2f}", f"{found['tokens_per_second'][name]:.0f}", cost)
    return [table]


if __name__ == "__main__":
    typer.run(main)
