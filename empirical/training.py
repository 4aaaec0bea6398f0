"""Train a LoRA adapter step by step; a run that was killed goes on where it stopped and ends with the same weights."""

import copy
import io
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file

from empirical.errors import InputError, first_line
from empirical.models import LanguageModel
from empirical.sealed import framed, unframed
from theory.files import replacing

SAVE_EVERY = 60.0  # seconds between two checkpoints

Step = Callable[[Any, int], Mapping[str, float]]
"""(network, number) -> figures: adds the gradient of one step's loss to the adapter and says what to log."""


class TrainingError(InputError):
    """A run cannot go on; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run besides its prior, its reward and its prompts.

    answers: of the prior to a prompt, for a method that learns from those; answers_a_step: of one prompt in one step.
    """

    beta: float
    seed: int = 0
    answers: int = 32
    max_new: int = 32
    steps: int = 180
    prompts_a_step: int = 2
    answers_a_step: int = 8
    learning_rate: float = 1.5e-3
    rank: int = 8

    def generator(self, step: int) -> np.random.Generator:
        """The random choices of one step: they depend on the seed and the step's number and on nothing before it."""
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, step])))


def with_new_adapter(model: LanguageModel, recipe: Recipe) -> Any:
    """The model's network with a fresh LoRA adapter on queries and values; all other weights are shared with it."""
    shared = {id(weight): weight for weight in model.network.parameters()}
    network = copy.deepcopy(model.network, shared)
    lora = LoraConfig(r=recipe.rank, lora_alpha=2 * recipe.rank, target_modules=["q_proj", "v_proj"])
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)  # PEFT initialises from torch's global generator
        network = get_peft_model(network, lora)
    network.peft_config["default"].base_model_name_or_path = model.name  # a name, not this machine's path
    return network


def train(
    network: Any, recipe: Recipe, step: Step, folder: Path, name: str = "", stride: int = 1
) -> list[dict[str, float]]:
    """Take the recipe's steps (Adam, clipped at norm 1, linear warm-up and decay); return the figures of each.

    folder: where checkpoints go, with the adapter as it is; a run of the same recipe and name resumes from there.
    stride: how many steps in a row share what the first of them drew; a run stops and goes on only between such rows.
    Raises TrainingError if the folder holds another run's checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=0.0)
    run = {"name": name, **asdict(recipe)}
    figures = _resume(folder / "checkpoint.pt", run, weights, optimiser)
    saved = time.monotonic()
    for number in range(len(figures), recipe.steps):
        begun = time.monotonic()
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * warm_then_decay(number, recipe.steps)
        figure = dict(step(network, number))
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        figures.append({**figure, "seconds": time.monotonic() - begun})
        print(name, number + 1, *(f"{key}={value:.4f}" for key, value in figures[-1].items()), flush=True)
        due = time.monotonic() - saved > SAVE_EVERY and (number + 1) % stride == 0
        if due or number + 1 == recipe.steps:
            _save(folder / "checkpoint.pt", run, weights, optimiser, figures)
            save_adapter(network, folder / "adapter")
            saved = time.monotonic()
    return figures


def warm_then_decay(step: int, steps: int) -> float:
    """The share of the learning rate: up over the first twentieth, then down to 0 in a straight line."""
    return min(1.0, (step + 1) / (0.05 * steps)) * (1 - step / steps)


def save_adapter(network: Any, folder: Path) -> None:
    """Write the adapter in PEFT's format, bfloat16: adapter_model.safetensors and adapter_config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    state = get_peft_model_state_dict(network, save_embedding_layers=False)
    small = {name: weight.detach().to(torch.bfloat16).contiguous() for name, weight in state.items()}
    save_file(small, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    described = copy.copy(network.peft_config["default"])
    described.inference_mode = True
    described.save_pretrained(folder)


def _save(
    path: Path, run: Mapping[str, Any], weights: list[Any], optimiser: torch.optim.Optimizer, figures: list[Any]
) -> None:
    kept = [weight.detach() for weight in weights]
    state = {"run": run, "weights": kept, "optimiser": optimiser.state_dict(), "figures": figures}
    write_checkpoint(path, state)


def _resume(
    path: Path, run: Mapping[str, Any], weights: list[Any], optimiser: torch.optim.Optimizer
) -> list[dict[str, float]]:
    if not path.is_file():
        return []
    state = checkpoint(path)
    if state["run"] != run:
        raise TrainingError(f"{path.parent} holds the checkpoint of another run; remove it or name another folder.")
    with torch.no_grad():
        for weight, kept in zip(weights, state["weights"], strict=True):
            weight.copy_(kept)
    optimiser.load_state_dict(state["optimiser"])
    return list(state["figures"])


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Keep a run's state, sealed; a kill leaves the old checkpoint or the new one, never half of one."""
    data = io.BytesIO()
    torch.save(dict(state), data)
    with replacing(path) as temporary:
        temporary.write_bytes(framed(data.getvalue()))


def checkpoint(path: Path) -> dict[str, Any]:
    """What a training run kept to go on from; raises TrainingError where it is damaged."""
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(unframed(path.read_bytes())), weights_only=True)
        state["run"]  # every checkpoint says whose it is
    except Exception as problem:  # torch raises anything from EOFError to UnpicklingError, by where the damage is
        raise TrainingError(f"{path} is damaged ({first_line(problem)}); remove it, and start anew.") from problem
    return state
