"""`python -m empirical.checks --model DIR`: print what holds for a model, its engine and the study's adaptors.

Exit code 0: all holds; 1: something fails; 2: it cannot be checked.
"""

from typing import Annotated

import typer
from rich.console import Console

from empirical.checks import check_adaptor, check_model, check_reward
from empirical.checks.scorer import PER_TOKEN
from empirical.engines.torch import engine
from empirical.errors import one_sentence
from empirical.models import default_prior, load
from empirical.rewards import load_reward
from empirical.schemes import study_schemes
from empirical.triples import check_device

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def main(
    model: Annotated[str, typer.Option(help="A directory or hub id; default: the study's prior.")] = "",
    reward: Annotated[str, typer.Option(help="Also check this reward, see `tradeoff --reward`.")] = "",
    prompt: Annotated[str, typer.Option(help="The prompt that the texts follow.")] = "Name a fruit.",
    tolerance: Annotated[float, typer.Option(help="Nats a token by which two ways to one sum may differ.")] = PER_TOKEN,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
) -> None:
    """Check a model and what draws from it."""
    with one_sentence():
        prior = load(model, check_device(device)) if model else default_prior(check_device(device))
        longest = len(prior.prompt_ids(f"{prompt} Why?")) + 16
        reports = [check_model(one, prompt, tolerance=tolerance) for one in (prior, engine(prior, longest))]
        reports += [check_reward(load_reward(reward, prior), prior, prompt=prompt)] if reward else []
    failing = [scheme.name for scheme in study_schemes() if not check_adaptor(scheme.adaptor).passed]
    console = Console()
    for report in reports:
        console.print(report)
    console.print(f"The study's adaptors: {', '.join(failing) + ' FAIL' if failing else 'all hold'}.")
    raise typer.Exit(int(bool(failing) or not all(report.passed for report in reports)))


if __name__ == "__main__":
    app()
