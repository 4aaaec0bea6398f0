"""`python -m empirical.bench [--json]`: speeds on the default model beside peers and the machine's limit."""

from typing import Annotated, Any

import typer
from rich.table import Table

from empirical.benchmarks.measuring import said
from empirical.benchmarks.suite import FIRST_STEPS, measured
from empirical.errors import one_sentence
from empirical.models import default_prior
from empirical.triples import check_device


def main(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds; each figure is the median of that many.")] = 3,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    vllm: Annotated[bool, typer.Option(help="Include vLLM (docs/vllm.md says how to install it).")] = False,
) -> None:
    """Measure, print, and exit 1 if a ratio misses what it has to reach."""
    said(measured(default_prior(check_device(device)), repeats, vllm), as_json, shown)


def shown(found: dict[str, Any]) -> list[object]:
    """Speeds, ratios, and what else was measured."""
    table = Table("what", "seconds", "tokens/s", "GFLOP/s")
    for who, time in found["seconds"].items():
        figures = [found[key].get(who) for key in ("tokens_per_second", "gflops")]
        table.add_row(who, f"{time:.3f}", *("" if figure is None else f"{figure:.0f}" for figure in figures))
    goals = Table("ratio", "measured", "to reach")
    steps = FIRST_STEPS if found["manifest"]["device"] == "cpu" else {}
    for name, ratio in found["ratios"].items():
        goals.add_row(name, f"{ratio:.2f}", f"{steps[name]:.2f}" if steps else "")
    rest = ("roofline_gflops", "kept_mass_difference", "sampler_minus_scorer_nats_per_token", "padding", "memory_gib")
    return [table, goals, *({name: found[name]} for name in rest)]


if __name__ == "__main__":
    with one_sentence():
        typer.run(main)
