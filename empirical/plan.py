"""Price a run before it starts: tokens, operations, bytes, memory, hours and disk, with the formula and its numbers."""

import json
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from empirical.errors import InputError, one_sentence
from empirical.planning import hardware as devices_
from empirical.planning.cost import Run
from empirical.planning.footprint import divides
from empirical.planning.hardware import DEVICES, Hardware
from empirical.planning.price import bytes_of, priced
from empirical.planning.shapes import NAMED, REWARDS, Shape, shape_of
from empirical.presets import PRESETS
from empirical.schemes import study_schemes

app = typer.Typer(add_completion=False, rich_markup_mode=None)
FREE = "free"
PROMPT_TOKENS = 45  # the longest of the embedded prompts in SmolLM2's template; their mean is 39


@app.command(help=__doc__)
def plan(
    model: Annotated[str, typer.Option(help=f"{', '.join(NAMED)}; a config.json, its folder or a cached hub id.")] = (
        "smollm2-135m"
    ),
    reward: Annotated[str | None, typer.Option(help="A model like --model that reads every text, or free.")] = None,
    hardware: Annotated[str, typer.Option(help=f"{', '.join(DEVICES)}, or here: measured in a second.")] = "here",
    preset: Annotated[str, typer.Option(help="Prompts, samples and new tokens, unless given.")] = "default",
    prompts: Annotated[int | None, typer.Option(help="Prompts.")] = None,
    schemes: Annotated[int | None, typer.Option(help="Sampling schemes; the study's 31 unless given.")] = None,
    samples: Annotated[int | None, typer.Option(help="Answers to a prompt under each scheme.")] = None,
    max_new: Annotated[int | None, typer.Option(help="Tokens of the longest answer: priced for all answers.")] = None,
    mean_length: Annotated[float | None, typer.Option(help="Expected tokens of an answer: priced instead.")] = None,
    prompt_tokens: Annotated[int, typer.Option(help="Tokens of a prompt, template included.")] = PROMPT_TOKENS,
    rows: Annotated[int, typer.Option(help="Texts a step.")] = 64,
    dtype: Annotated[str, typer.Option(help="Of the decoder's blocks; its head has float32 at least.")] = "float32",
    score_dtype: Annotated[str, typer.Option(help="Of prior, reward model and checkpoint.")] = "float32",
    devices: Annotated[int, typer.Option(help="Devices in all.")] = 1,
    tensor_parallel: Annotated[int, typer.Option(help="Devices that share each matrix; the rest share prompts.")] = 1,
    efficiency: Annotated[float | None, typer.Option(help="Share of the peak reached, in every phase.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    measure: Annotated[bool, typer.Option("--measure", help="Time a short real run beside its prediction.")] = False,
    calibrate: Annotated[bool, typer.Option("--calibrate", help="Measure the efficiencies on a random net.")] = False,
    threads: Annotated[int | None, typer.Option(help="Threads of torch here; 1 counts processor time.")] = None,
) -> None:
    """Read the options, price, print."""
    if preset not in PRESETS:
        raise InputError(f"There is no preset {preset!r}; choose {', '.join(PRESETS)}.")
    size, many = PRESETS[preset], len(study_schemes()) if schemes is None else schemes
    counts = (_given(prompts, size.prompts), many, _given(samples, size.samples), _given(max_new, size.max_new))
    run = Run(*counts, prompt_tokens, rows, dtype, score_dtype, mean_length)
    shape, scorer = shape_of(model), REWARDS.get(model, FREE) if reward is None else reward
    _check_devices(devices, tensor_parallel, shape)
    if threads is not None:
        _use_threads(threads)
    device = _device(hardware, run, efficiency)
    if measure or calibrate:
        _check_rehearsal(hardware, dtype)
        found = _rehearsed(device, dtype, calibrate)
    else:
        found = priced(shape, run, shape_of(scorer) if scorer != FREE else None, device, devices, tensor_parallel)
        found = {"model": model, "reward": scorer} | found
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        _show(found)


def _rehearsed(device: Hardware, dtype: str, calibrate: bool) -> dict[str, Any]:
    """Predicted and measured seconds of the default model's trials; or the calibration network's efficiencies."""
    from empirical.models import default_prior
    from empirical.planning import rehearsal

    model = rehearsal.calibration_model() if calibrate else default_prior()
    shape = rehearsal.CALIBRATION if calibrate else NAMED["smollm2-135m"]
    seconds, guess = rehearsal.timed(model, dtype), rehearsal.predicted(shape, device, dtype)
    trials = [
        {"trial": name, "predicted": guess[name], "measured": took, "ratio": guess[name] / took}
        for name, took in seconds.items()
    ]
    used = {"efficiency": dict(device.efficiency), "basis": f"used, {device.basis}"}
    if calibrate:
        used = {"efficiency": rehearsal.efficiencies(seconds, shape, device, dtype), "basis": "measured now"}
    return {"model": model.name, "hardware": device.name, "dtype": dtype, "trials": trials} | used


def _device(name: str, run: Run, efficiency: float | None) -> Hardware:
    if name != "here" and name not in DEVICES:
        raise InputError(f"There is no hardware {name!r}; choose {', '.join(DEVICES)} or here.")
    chosen = devices_.here(run.dtype, run.score_dtype) if name == "here" else DEVICES[name]
    if efficiency is None:
        return chosen
    return replace(chosen, efficiency=devices_.everywhere(efficiency), basis="given")


def _check_devices(devices: int, split: int, shape: Shape) -> None:
    if split < 1 or devices < 1 or devices % split:
        raise InputError(f"{devices} devices cannot be grouped by {split}; make --devices a multiple of the group.")
    if not divides(shape, split):
        raise InputError(
            f"{shape.heads} heads and {shape.kv_heads} key heads cannot be shared by {split} devices; "
            "let --tensor-parallel divide both."
        )


def _check_rehearsal(hardware: str, dtype: str) -> None:
    if hardware != "here":
        raise InputError(f"Of all hardware only this machine can be measured; leave --hardware {hardware} out.")
    if dtype not in devices_.CALIBRATED:
        raise InputError(f"A rehearsal runs in {' or '.join(devices_.CALIBRATED)}; {dtype} is neither.")


def _use_threads(threads: int) -> None:
    import torch

    if threads < 1:
        raise InputError(f"--threads must be >= 1; {threads} is not.")
    torch.set_num_threads(threads)


def _given(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _show(found: dict[str, Any]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    if "trials" in found:
        _show_trials(console, found)
        return
    run, device = found["run"], found["hardware"]
    length = f"{run['mean']:g} tokens on average" if run["mean"] else f"{run['new']} tokens, the upper limit"
    console.print(
        f"{found['model']}, {found['parameters']:,} parameters; reward {found['reward']}; {device['name']}\n"
        f"{run['prompts']} prompts x {run['schemes']} schemes x {run['samples']} samples = {run['answers']:,} answers "
        f"of {length}\n"
        f"{run['devices']} devices in groups of {run['tensor_parallel']}, {found['prompts_each']} prompts a group\n"
        f"seconds = max(FLOPs / peak, bytes / bandwidth) / efficiency; efficiency {device['basis']}"
    )
    for phase in found["phases"]:
        console.print(f"{phase['name']} = {phase['formula']} = {phase['seconds']:.4g} s")
    table = Table(
        "phase", *(Column(name, justify="right") for name in ("tokens", "TFLOP", "moved", "time")), "bound by"
    )
    for phase in found["phases"]:
        amounts = (f"{phase['tokens']:,.0f}", f"{phase['flops'] / 1e12:,.4g}", bytes_of(phase["bytes"]))
        table.add_row(phase["name"], *amounts, duration(phase["seconds"]), phase["bound"])
    console.print(table)
    parts = ", ".join(f"{name} {bytes_of(count)}" for name, count in found["memory"].items() if count)
    console.print(f"memory of each device: {parts}\nstore: {bytes_of(found['disk'])} on disk")
    console.print(f"time: {duration(3600 * found['hours'])}; device time: {duration(3600 * found['device_hours'])}")
    if found["warning"]:
        console.print(found["warning"], style="red")


def _show_trials(console: Console, found: dict[str, Any]) -> None:
    console.print(f"{found['model']}, {found['dtype']}; {found['hardware']}")
    table = Table("trial", *(Column(name, justify="right") for name in ("predicted", "measured", "ratio")))
    for trial in found["trials"]:
        row = (f"{trial['predicted']:.3f} s", f"{trial['measured']:.3f} s", f"{trial['ratio']:.2f}")
        table.add_row(trial["trial"], *row)
    console.print(table)
    shares = ", ".join(f"{name} {share:.3f}" for name, share in found["efficiency"].items())
    console.print(f"efficiency {found['basis']}: {shares}")


def duration(seconds: float) -> str:
    """Seconds for a reader, in the unit that suits."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:,.3g} h"


def main() -> None:
    """Run the command line; an error that a person can mend is one sentence and exit code 2."""
    with one_sentence():
        app()


if __name__ == "__main__":
    main()
