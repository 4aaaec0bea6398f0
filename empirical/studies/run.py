"""The trade-off study from its triple to the ledger's entries: rows, tables, examples, verdicts, prediction."""

from collections.abc import Sequence
from dataclasses import replace

from empirical.adapter_cards import cards_in, frame
from empirical.engines.ray import Pool
from empirical.precision import use_fast_float32
from empirical.presets import TORCH, Backend, Preset
from empirical.progress import stage
from empirical.prompts import prompt_id
from empirical.recipes import Recipe
from empirical.results import Results
from empirical.schemes import study_schemes
from empirical.shipped import shipped
from empirical.store import Shards
from empirical.studies import prediction, tradeoff, verdict
from empirical.studies.collecting import collect, fingerprint, made
from empirical.studies.findings import findings
from empirical.typical_texts import every_ancestral
from theory.ledger import Entry


def run(
    results: Results,
    recipe: Recipe,
    prompts: Sequence[str],
    size: Preset,
    seed: int,
    real: bool,
    backend: Backend = TORCH,
) -> list[Entry]:
    """Make the rows that are missing, write every table into `results`, and give the verdicts.

    Ray's workers have one GPU each if the recipe asks for one. The models are loaded here too then, on the CPU, for
    what is checked of the rows.
    """
    precision, schemes, settings = use_fast_float32(), study_schemes(), size.settings(seed, backend)
    with stage("loading models"):
        triple = (replace(recipe, device="cpu") if backend.ray else recipe).load(settings.strict)
    maker = Pool(recipe, backend.ray, gpus=float(recipe.device.startswith("cuda"))).made if backend.ray else made
    shards = Shards(results.samples, triple.name, fingerprint(triple, schemes, settings))
    rows = collect(triple, prompts, schemes, settings, shards, maker)
    texts = every_ancestral(rows, prediction.answers(results, triple, prompts, settings, maker))
    with stage(f"{triple.name}: corpora, correlations and intervals"):
        found = findings(triple, rows, texts, schemes, settings)
    results.write_tables({**found.tables, "tan_samples": tradeoff.examples(triple, prompts, rows)})
    adapters = frame(cards_in(shipped("adapters"), triple.prior.sha256))
    if len(adapters):
        results.write_tables({"tan_adapters": adapters})
    models = {
        role: {"name": m.name, "sha256": m.sha256} for role, m in (("prior", triple.prior), ("aligned", triple.aligned))
    }
    results.note(
        models={**models, "reward": triple.reward.describe()}, float32=precision, fingerprint=shards.fingerprint
    )
    named = {prompt_id(text): text for text in prompts}
    with stage(f"{triple.name}: checks and controls"):
        decided = verdict.entries(triple, named, rows, schemes, found, settings, real)
    return [*decided, *prediction.run(results, triple, prompts, rows, schemes, settings, real, maker)]
