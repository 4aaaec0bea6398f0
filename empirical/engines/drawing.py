"""Adapt a batch of logits, each row by its own rule, and draw one token a row."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from empirical.engines import kernel, tilted
from empirical.engines.jobs import Answer, Job
from empirical.engines.kernel import Drawn
from empirical.engines.tilted import Controlled
from theory.adaptors import Adaptor, local
from theory.guidance import controlled
from theory.information import kl

FEW = 8
"""Rules that a graphics card does itself: each takes 1.7 ms on an H100, to fetch and draw 64 rows of 49,152 17 ms."""

Part = TypeVar("Part", bound=Drawn)
Key = TypeVar("Key", bound=Hashable)
Rows = list[int] | slice


def draw(logits: torch.Tensor, adaptors: Sequence[Adaptor], uniforms: NDArray[np.float64]) -> Drawn:
    """One token a row of logits [n, V], each row under its own adaptor, float64 throughout.

    The fused kernel takes the rows whose rule it knows; off a graphics card if they have many rules. The others go
    through `theory.adaptors`, one group an adaptor; `Drawn.sorted` says that their whole vocabulary was sorted. Raises
    ValueError on NaN, +inf or a row of -inf alone.
    """
    known, recipes = _recipes(logits, adaptors)

    def part(adaptor: Adaptor | None, rows: Rows) -> Drawn:
        if adaptor is None:
            return kernel.draw(logits[rows].cpu().numpy(), recipes[rows], uniforms[rows])
        log_p = logits[rows].double().log_softmax(-1)
        return Drawn(*_by_theory(log_p, log_p, adaptor, uniforms[rows])[0])

    return _in_groups([None if fused else adaptor for fused, adaptor in zip(known, adaptors, strict=True)], part)


def draw_controlled(
    logits: torch.Tensor,
    values: torch.Tensor,
    lams: Sequence[float],
    adaptors: Sequence[Adaptor],
    uniforms: NDArray[np.float64],
) -> Controlled:
    """As `draw` from p e^(lambda V), each row under its own lambda and, after that, its own adaptor.

    values: [n, V], of each row's next tokens; not read where lambda = 0. Rows that the kernel does not take go through
    `theory.guidance.controlled`. Raises ValueError as `draw`, on values as on logits.
    """
    known, recipes = _recipes(logits, adaptors)
    strengths = np.array(lams, dtype=np.float64)

    def part(rule: tuple[Adaptor, float] | None, rows: Rows) -> Controlled:
        if rule is None:
            lines = (logits[rows].cpu().numpy(), values[rows].cpu().numpy(), strengths[rows])
            return tilted.draw(*lines, recipes[rows], uniforms[rows])
        adaptor, lam = rule
        log_p = logits[rows].double().log_softmax(-1)
        log_pi = controlled(log_p, values[rows].double(), lam) if lam else log_p
        figures, log_q = _by_theory(log_p, log_pi, adaptor, uniforms[rows])
        return Controlled(*figures, kl(log_q, log_p).cpu().numpy())

    rules = zip(known, adaptors, lams, strict=True)
    return _in_groups([None if fused else (adaptor, lam) for fused, adaptor, lam in rules], part)


def extend(
    answers: Sequence[Answer],
    jobs: Sequence[Job],
    logits: torch.Tensor,
    eos: int,
    valued: Callable[[torch.Tensor], torch.Tensor],
) -> Drawn:
    """Draw one token a row of logits [n, V], each row for one job, and add it to the job's answer.

    valued: weights of the rewards [n, rewards] -> the values of each row's next tokens [n, V]; called where some
    lambda is not 0.
    """
    uniforms = np.array([job.uniforms[len(answer.token_ids)] for job, answer in zip(jobs, answers, strict=True)])
    adaptors = [job.adaptor for job in jobs]
    controls = [job.control for job in jobs]
    steps: list[float | None] = [None] * len(jobs)
    if any(controls):
        lams = [control.lam if control else 0.0 for control in controls]
        values = valued(_weights(jobs).to(logits.device)) if any(lams) else logits
        drawn: Drawn = (under := draw_controlled(logits, values, lams, adaptors, uniforms))
        steps = [step if control else None for step, control in zip(under.kl, controls, strict=True)]
    else:
        drawn = draw(logits, adaptors, uniforms)
    figures = zip(drawn.tokens, drawn.log_proposal, drawn.log_kept, drawn.log_model, steps, strict=True)
    for answer, (token, log_proposal, log_kept, log_model, step) in zip(answers, figures, strict=True):
        answer.add(int(token), log_proposal, log_kept, log_model, eos, step)
    return drawn


def inverse_cdf(log_q: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """The first token whose cumulative probability exceeds u times the total: [rows, V], [rows] -> [rows].

    float64, because float32 cuts the tail at 2^-24; the strict inequality never draws a token of probability 0.
    """
    cumulative = log_q.double().exp().cumsum(-1)
    return torch.searchsorted(cumulative, (uniforms.double() * cumulative[:, -1])[:, None], right=True)[:, 0]


def _weights(jobs: Sequence[Job]) -> torch.Tensor:
    """The rewards' weights of each job, [n, rewards], 0 where lambda is 0 or no control."""
    moving = [job.control.weights if job.control and job.control.lam else () for job in jobs]
    none = (0.0,) * max(map(len, moving))
    return torch.tensor([weights or none for weights in moving], dtype=torch.float64)


def _recipes(logits: torch.Tensor, adaptors: Sequence[Adaptor]) -> tuple[list[bool], NDArray[np.float64]]:
    """Which rows the fused kernels take, and their recipes."""
    here = logits.device.type == "cpu" or len(set(adaptors)) > FEW
    found = [kernel.recipe(adaptor) if here else None for adaptor in adaptors]
    return [one is not None for one in found], np.array([one or (1.0, 0, 0.0) for one in found])


def _in_groups(keys: Sequence[Key], part: Callable[[Key, Rows], Part]) -> Part:
    """What `part` makes of each group of rows of one key, put together in the order of the rows."""
    groups: dict[Key, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        groups[key].append(row)
    if len(groups) == 1:
        return part(keys[0], slice(None))
    parts = [part(key, rows) for key, rows in groups.items()]
    back = np.argsort(np.concatenate(list(groups.values())))
    return type(parts[0])(
        *(np.concatenate(figures)[back] for figures in zip(*(vars(one).values() for one in parts), strict=True))
    )


def _by_theory(
    log_p: torch.Tensor, log_pi: torch.Tensor, adaptor: Adaptor, uniforms: NDArray[np.float64]
) -> tuple[tuple[NDArray[np.generic], ...], torch.Tensor]:
    """The figures of `Drawn` from log_pi [n, V] adapted, log_model under log_p, and the adapted law [n, V]."""
    log_q, log_kept = local(adaptor, log_pi)
    tokens = inverse_cdf(log_q, torch.as_tensor(uniforms, device=log_p.device))
    drawn, model = (law.gather(1, tokens[:, None])[:, 0] for law in (log_q, log_p))
    whole = np.full(len(log_p), log_p.shape[1])
    return (*(figure.cpu().numpy() for figure in (tokens, drawn, log_kept, model)), whole), log_q
