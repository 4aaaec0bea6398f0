"""One entry point: run, resume, verify and report. `python paper_repro.py` runs everything at preset `default`."""

import io
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import track

from empirical.doctor import probes, refuse_without_models
from empirical.errors import InputError
from empirical.presets import TORCH, Backend, Preset
from empirical.presets import preset as sized
from empirical.results import Results, checked_with
from empirical.targets import CONTROLLED, GUIDED, IDS, SECTIONS, STUDY, TRADEOFF, listed, near, selected
from figures import redraw, terminal, tex
from figures.report import build
from theory import ledger
from theory.ledger import REGISTRY, Entry, settled
from theory.verification import verify_all
from toy.experiments import EXPERIMENTS, run_all

app = typer.Typer(add_completion=False, rich_markup_mode=None, help=__doc__)
console = Console()

PresetName = Annotated[str, typer.Option(help="smoke, default, wide or paper.")]
Out = Annotated[Path, typer.Option(help="Results go to OUT/<preset>/.")]
Seed = Annotated[int, typer.Option(help="Seed of everything that is drawn.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]
Ray = Annotated[str, typer.Option(help="Have Ray's workers draw the rows: local, or a cluster's address.")]
Engine = Annotated[str, typer.Option(help="torch, or vllm (docs/vllm.md).")]
First = Annotated[int, typer.Option(min=0, help="Real models: only the first so many prompts; 0: all of the preset.")]
Pgf = Annotated[bool, typer.Option("--pgf", help="Figures as PGF for LaTeX too; a TeX system must be there.")]
Latex = Annotated[
    bool, typer.Option("--latex", help="Ledger and main results as LaTeX tables, in OUT/<preset>/latex/.")
]
Strict = Annotated[bool, typer.Option("--strict", help="float64; no bit depends on batch, threads or workers. Slow.")]
HERE = Path("results")
ALIGNED_HELP = "Its aligned model: a directory, hub id, PEFT adapter's folder or a shipped adapter's name."
REWARD_HELP = "secret, preference, length, sentiment, vader, your module:function, a head's folder, or a classifier."


@app.callback(invoke_without_command=True)
def everything(
    context: typer.Context,
    preset: PresetName = "default",
    out: Out = HERE,
    seed: Seed = 0,
    device: Device = "cpu",
    engine: Engine = "torch",
    ray: Ray = "",
    strict: Strict = False,
    first: First = 0,
) -> None:
    """Run every target and write the report."""
    if command := context.invoked_subcommand:
        for name in context.params:
            if (source := context.get_parameter_source(name)) and source.name != "DEFAULT":
                raise InputError(f"Options stand behind their command: python paper_repro.py {command} --{name} ...")
    else:
        backend = Backend(engine, ray, strict)
        execute(_of_size(preset, IDS), preset, out, seed, device, backend, first, resume=True)


@app.command()
def run(
    targets: list[str],
    preset: PresetName = "default",
    out: Out = HERE,
    seed: Seed = 0,
    device: Device = "cpu",
    engine: Engine = "torch",
    ray: Ray = "",
    strict: Strict = False,
    first: First = 0,
    pgf: Pgf = False,
    latex: Latex = False,
) -> None:
    """Run some targets: a claim, a paper or a group, as `list` shows them; `figures` redraws from tables."""
    chosen = [] if targets == ["figures"] else selected(targets)
    execute(chosen, preset, out, seed, device, Backend(engine, ray, strict), first, pgf=pgf, latex=latex)


@app.command(name="verify")
def verify_(preset: PresetName = "default", out: Out = HERE, seed: Seed = 0) -> None:
    """Check every claim of theory and toy (at preset smoke: of theory); no model is needed."""
    execute(_of_size(preset, list(REGISTRY)), preset, out, seed, "cpu")


@app.command(name="list")
def list_(preset: PresetName = "default", out: Out = HERE) -> None:
    """Show the targets, by paper, with what each costs; where output goes to a file, one line each, parted by tabs."""
    targets = listed(_known(out / preset))
    if console.is_terminal:
        console.print(terminal.listing(targets, SECTIONS))
    else:
        print(terminal.tabbed(targets))


@app.command()
def explain(claim: str, preset: PresetName = "default", out: Out = HERE, seed: Seed = 0) -> None:
    """Show one claim with its evidence: from the ledger where it was run, else checked now if no model is needed."""
    known = _known(out / preset)
    if claim in known:
        entry, source = known[claim], f"from {out / preset / 'ledger.json'}"
    elif claim in REGISTRY:
        with console.status(f"checking {claim}"):
            entry, source = settled(ledger.verify(REGISTRY[claim], seed)), f"checked now, seed {seed}"
    elif claim in STUDY:
        one, paper = STUDY[claim], claim.partition(".")[0]
        about = (claim, paper, one.where, "experiment", one.statement, "inconclusive", one.rule, (), (), 0.0)
        console.print(terminal.unknown(Entry(*about), f"python paper_repro.py run {claim}"))
        return
    elif claim in EXPERIMENTS:
        raise InputError(
            f"{claim} is an exact world and no claim; `python paper_repro.py run {claim}` makes its tables."
        )
    else:
        raise InputError(f"There is no claim {claim!r}; {near(claim, [*REGISTRY, *STUDY])}.")
    console.print(terminal.explanation(entry, source))


@app.command()
def doctor(out: Out = HERE) -> None:
    """Say whether this machine is fit for preset default, and what to do where it is not; no network is asked."""
    found = list(probes(out))
    console.print(terminal.fitness(found))
    if not all(probe.ok for probe in found):
        raise typer.Exit(1)


@app.command()
def report(preset: PresetName = "default", out: Out = HERE, pgf: Pgf = False, latex: Latex = False) -> None:
    """Redraw the figures and the report from the tables at hand."""
    execute([], preset, out, 0, "cpu", pgf=pgf, latex=latex)


@app.command(name="tradeoff")
def own_models(
    prior: Annotated[str, typer.Option(help="Directory or hub id of the prior; SmolLM2 if not given.")] = "",
    aligned: Annotated[str, typer.Option(help=ALIGNED_HELP)] = "",
    reward: Annotated[str, typer.Option(help=REWARD_HELP)] = "",
    triple: Annotated[str, typer.Option(help="Instead of these three, the paper's own 7B models: rlhf or dpo.")] = "",
    prompts: Annotated[Path | None, typer.Option(help="Text file, a folder of HH dialogues, or hh: the hub's.")] = None,
    preset: PresetName = "default",
    out: Out = HERE,
    seed: Seed = 0,
    device: Device = "cpu",
    engine: Engine = "torch",
    ray: Ray = "",
    strict: Strict = False,
    tensor_parallel: Annotated[int, typer.Option(help="GPUs that vLLM splits a model over.")] = 1,
    first: First = 0,
) -> None:
    """Run the trade-off study on your own (prior, aligned, reward) models, or on the paper's."""
    refuse_without_models("The trade-off study")
    from empirical.prompts import prompts_from, study_prompts
    from empirical.recipes import Recipe
    from empirical.studies.run import run as study

    size, backend = sized(preset, first), Backend(engine, ray, strict, tensor_parallel)
    _refuse_without_memory(size, backend, device, triple, prior)
    texts = prompts_from(prompts, size.prompts) if prompts else study_prompts(size.prompts)
    recipe = Recipe(size, (triple, prior, aligned, reward), device)
    results = Results.open(out, f"tradeoff-{preset}")
    finish(results, study(results, recipe, texts, size, seed, True, backend), time.perf_counter(), seed)


def execute(
    ids: Sequence[str],
    preset: str,
    out: Path,
    seed: int,
    device: str,
    backend: Backend = TORCH,
    first: int = 0,
    resume: bool = False,
    pgf: bool = False,
    latex: bool = False,
) -> None:
    """Verify the chosen claims, run the chosen experiments, then draw and report.

    first: only so many of the preset's prompts, if not 0; their rows stay those of a run with all of them.
    resume: keep what an earlier run earned or made of theory and toy with the same code, libraries and seed.
    pgf, latex: figures and tables for LaTeX too.
    """
    start, size = time.perf_counter(), sized(preset, first)
    if device != "cpu" or STUDY.keys() & set(ids):
        refuse_without_models(next((name for name in ids if name in STUDY), f"Device {device}"))
    if STUDY.keys() & set(ids):
        _refuse_without_memory(size, backend, device, control=bool(CONTROLLED.keys() & set(ids)))
    if device != "cpu" and not backend.ray:
        from empirical.triples import check_device

        check_device(device)
    results, stamp = Results.open(out, preset), checked_with(seed)
    known = results.checked(stamp) if resume else {}
    entries = [known[name] for name in ids if name in REGISTRY and name in known]
    claims = [REGISTRY[name] for name in ids if name in REGISTRY and name not in known]
    entries += track(verify_all(claims, seed), "checking claims", len(claims), console=console, transient=True)
    if set(REGISTRY) <= {entry.id for entry in entries}:
        results.write_ledger(entries)
        results.note(checked=stamp)
    made = results.made(stamp) if resume else []
    worlds = [name for name in ids if name in EXPERIMENTS and name not in made]
    running = run_all(worlds, seed, size.small)
    for name, tables in track(running, "exact worlds", len(worlds), console=console, transient=True):
        results.write_tables(tables)
        results.note_made(name, stamp)
    if TRADEOFF.keys() & set(ids):
        entries += [entry for entry in _tradeoff(results, size, seed, device, backend) if entry.id in ids]
    for name, group in (("guided", GUIDED), ("controlled", CONTROLLED)):
        if group.keys() & set(ids):
            entries += [entry for entry in _study(name, results, size, seed) if entry.id in ids]
    finish(results, entries, start, seed, pgf, latex)


def _refuse_without_memory(size: Preset, backend: Backend, *about: str, control: bool = False) -> None:
    """Imported here: shapes are read with the hub's package, which theory and toy do without."""
    from empirical.memory import refuse_control_without_memory, refuse_without_memory

    refuse_without_memory(size, backend, *about)
    if control:
        refuse_control_without_memory(size)


def _tradeoff(results: Results, size: Preset, seed: int, device: str, backend: Backend) -> list[Entry]:
    """The trade-off study of the preset's triple. torch is imported here: it takes longer than many a target."""
    from empirical.prompts import study_prompts
    from empirical.recipes import Recipe
    from empirical.studies.run import run as study

    recipe = Recipe(size, device=device)
    return study(results, recipe, study_prompts(size.prompts), size, seed, size.real, backend)


def _study(name: str, results: Results, size: Preset, seed: int) -> list[Entry]:
    """The study `guided` (by evidence) or `controlled` (decoding), on this package's own engine and the CPU."""
    from empirical.studies.controlled.run import study as controlled
    from empirical.studies.guided.run import study as guided

    return {"controlled": controlled, "guided": guided}[name](results, size, seed)


def finish(
    results: Results, entries: list[Entry], start: float, seed: int, pgf: bool = False, latex: bool = False
) -> None:
    """Write the ledger, the figures and the report; print the verdicts; exit 1 if one is contradicted."""
    results.write_ledger(entries)
    results.note(seed=seed, command=" ".join(["python", *sys.argv]), seconds=round(time.perf_counter() - start, 1))
    with console.status("figures and report"):
        redraw(results.folder, pgf)
        page = build(results.folder)
    for path in tex.write(results.folder) if latex else ():
        console.print(f"table: {path}", soft_wrap=True)
    if entries:
        console.print(terminal.verdicts(map(settled, entries)))
    faults = [f"{entry.id}: {fault}" for entry in entries for fault in entry.faults()]
    for fault in faults:
        console.print(f"contradicted  {fault}", style="red")
    console.print(f"report: {page}", soft_wrap=True)
    if faults:
        raise typer.Exit(1)


def _of_size(preset: str, ids: Sequence[str]) -> list[str]:
    """All of the ids, but at a small preset no claim about the exact worlds: those need worlds of full size."""
    small = sized(preset).small
    return [name for name in ids if not (small and name in REGISTRY and REGISTRY[name].room == "toy")]


def _known(folder: Path) -> dict[str, Entry]:
    """What a results folder's ledger holds, by id; nothing is made there."""
    path = folder / "ledger.json"
    return {entry.id: entry for entry in ledger.entries(path)} if path.is_file() else {}


def main() -> None:
    """Run the command line; an error that a person can mend is one sentence and exit code 2."""
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`")  # between peft and transformers, not ours
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Greek letters shows "?", and the run goes on
    try:
        app()
    except (InputError, ValueError) as problem:
        _refuse(str(problem))
    except OSError as problem:
        what = f"{problem.filename} ({problem.strerror})" if problem.filename else str(problem)
        _refuse(f"Cannot read or write {what}; free some space or choose another --out.")


def _refuse(sentence: str) -> NoReturn:
    Console(stderr=True).print(sentence, soft_wrap=True, highlight=False)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
