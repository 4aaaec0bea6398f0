"""The guidance study from its models to the ledger's entries: rows, cells, tables, verdicts."""

from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from empirical.evidence_task.halves import halves, taken
from empirical.evidence_task.items import own_items
from empirical.fetch import sha256
from empirical.guidance.discriminator import log_success
from empirical.guidance.weak import weakened
from empirical.models import default_prior
from empirical.precision import use_fast_float32
from empirical.prefix_scorers import WEIGHTS, PrefixScorer, random_scorer
from empirical.presets import Preset
from empirical.progress import stage
from empirical.results import Results
from empirical.shipped import shipped
from empirical.studies.guided.cells import cells_from, counts_of, rules_table
from empirical.studies.guided.collecting import Parts, collect
from empirical.studies.guided.quantities import Data, measures
from empirical.studies.guided.relevance import relevance
from empirical.studies.guided.sizes import DEFAULT, PAPER, SMOKE, Size
from empirical.studies.guided.verdict import entries
from empirical.tiny import tiny_triple
from theory.ledger import Entry

DISCRIMINATOR = "evidence-fudge"
"""The shipped prefix scorer whose reward is `empirical.evidence_task.support.supported`."""


def study(results: Results, preset: Preset, seed: int) -> list[Entry]:
    """What a preset asks for: tiny random models, a part of the items, or all of them."""
    if not preset.real:
        with TemporaryDirectory() as folder:
            return run(results, tiny_parts(Path(folder), SMOKE), replace(SMOKE, seed=seed), real=False)
    use_fast_float32()
    size = replace(PAPER if preset.anew else DEFAULT, seed=seed)
    with stage("loading models"):
        parts = default_parts(size)
    return run(results, parts, size, real=True)


def default_parts(size: Size) -> Parts:
    """The default prior, the studied half of the embedded items, and the shipped discriminator."""
    prior, folder = default_prior(), shipped("scorers") / DISCRIMINATOR
    items = taken(halves(own_items())[0], size.each)
    scorer = PrefixScorer.from_pretrained(folder, prior)
    return Parts(
        prior, weakened(prior, size.noise, size.seed), items, log_success(scorer, prior), sha256(folder / WEIGHTS)
    )


def tiny_parts(folder: Path, size: Size) -> Parts:
    """Random models and a random discriminator: every line of the study in seconds."""
    prior = tiny_triple(folder)[0]
    read = log_success(random_scorer(prior, ["supported"], size.max_new, 0.1, rank=4), prior)
    items = taken(halves(own_items())[0], size.each)
    return Parts(prior, weakened(prior, size.noise, size.seed), items, read, "made up")


def run(results: Results, parts: Parts, size: Size, real: bool) -> list[Entry]:
    """Draw what is missing, write every table into `results`, and give the verdicts."""
    rows = collect(parts, size, results.samples)
    cells, steps = cells_from(rows), relevance(parts.prior, parts.items)
    data = Data(cells, steps, counts_of(cells, size.resamples, size.seed))
    with stage("quantities and intervals"):
        measured = measures(data)
    results.write_tables(
        {
            "chang_rules": rules_table(cells, data.counts),
            "chang_relevance": steps,
            "chang_measures": measured,
            "chang_samples": rows[rows["sample"] == 0][["prior", "rule", "kind", "item", "text", "found", "nll"]],
        }
    )
    results.note(guided={"size": asdict(size), "prior": parts.prior.sha256, "discriminator": parts.discriminator})
    scale = (
        f"{parts.prior.name}; {len(parts.items)} items, {size.answers} answers to each under a rule, cut at "
        f"{size.max_new} tokens; the weaker prior has noise of {size.noise:g} standard deviations in its weights"
    )
    with stage("checks and controls"):
        return entries(data, measured, rows, parts.prior, parts.items, scale, real, size.seed)
