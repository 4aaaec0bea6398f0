"""The trade-off study from its triple to the ledger's entry: rows, tables, examples, verdict."""

from collections.abc import Sequence

from empirical.precision import use_fast_float32
from empirical.presets import Preset
from empirical.prompts import prompt_id
from empirical.results import Results
from empirical.rows import Shards
from empirical.schemes import study_schemes
from empirical.studies import tradeoff, verdict
from empirical.studies.tables import tables
from theory.ledger import Entry


def run(
    results: Results, triple: tradeoff.Triple, prompts: Sequence[str], size: Preset, seed: int, real: bool
) -> Entry:
    """Draw the rows that are missing, write every table into `results`, and give the verdict."""
    precision, schemes, settings = use_fast_float32(), study_schemes(), size.settings(seed)
    shards = Shards(results.samples, triple.name, tradeoff.fingerprint(triple, schemes, settings))
    rows = tradeoff.collect(triple, prompts, schemes, settings, shards)
    found = tables(triple.name, rows, schemes, settings)
    results.write_tables({**found, "tan_samples": tradeoff.examples(triple, prompts, rows)})
    models = {
        role: {"name": m.name, "sha256": m.sha256} for role, m in (("prior", triple.prior), ("aligned", triple.aligned))
    }
    results.note(
        models={**models, "reward": triple.reward.describe()}, float32=precision, fingerprint=shards.fingerprint
    )
    return verdict.entry(triple, {prompt_id(text): text for text in prompts}, rows, found, settings, real)
