"""How fast CD-FUDGE with a table for V converges: the exact law of its squared error, in theory and in runs."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.arrays import normalised
from theory.claims.optimality import ROUNDING
from theory.claims.trees import BATCH, enumerated, given_prefix, passing, random_world
from theory.language_models import Floats, Tree
from theory.ledger import Evidence, at_most, claim, rejects
from theory.prefix_scorers import falling_rate, mean_inverse_visits, pl_bound, pl_rate, prefix_step, squared_errors

SHALLOW, RUNS = 2, 4
COUNTS = (32, 64, 128, 256)


def all_runs(law: Floats, reward: Floats, start: Floats, rates: list[float]) -> tuple[Floats, Floats]:
    """CD-FUDGE after every possible sequence of answers, one a rate: probabilities [B, M^K], tables [B, M^K, N]."""
    chance, tables = np.ones((len(law), 1)), start[:, None]
    for rate in rates:
        moved = prefix_step(tables[:, :, None], passing(SHALLOW), reward[:, None, :, None], rate)
        chance = (chance[..., None] * law[:, None]).reshape(len(law), -1)
        tables = moved.reshape(len(law), -1, start.shape[-1])
    return chance, tables


def running_means(rng: np.random.Generator, law: Floats, reward: Floats, start: Floats) -> dict[int, Floats]:
    """RUNS tables a world after each number of answers in COUNTS, every visit a step of rate 1/visits: [RUNS, B, M]."""
    cumulated, through, worlds = np.cumsum(law, axis=-1), passing(SHALLOW), np.arange(len(law))
    values = np.broadcast_to(start, (RUNS, *start.shape))
    seen, kept = np.zeros_like(values), {}
    for k in range(1, max(COUNTS) + 1):
        below = cumulated[:, :-1] <= rng.random((RUNS, len(law), 1))
        y = below.sum(axis=-1)
        visits = through[y]
        seen = seen + visits
        values = prefix_step(values, visits, reward[worlds, y][..., None], 1 / np.maximum(seen, 1))
        if k in COUNTS:
            kept[k] = values
    return kept


@claim(
    "new.tabular-rates",
    paper="cd",
    where="Theorem C.2, with a table for V",
    kind="new result",
    statement="On-policy, a CD-FUDGE step of rate a turns m = E(V − V*)² into m(1 − a(2−a) reach) + a² reach Var(r|s) "
    "exactly. With rate 1/visits V is the mean reward, m = Var(r|s) E[1/n] once seen: the Monte-Carlo rate 1/n. With "
    "a_k = (2k+1)/(2μ(k+1)²), μ the least reach and L the greatest, E‖g‖² ≤ C² bounds the mean loss by L C²/(2kμ²).",
    verdict="holds-with-assumption",
    assumptions="Every answer is drawn afresh from p; each cell of the table is reachable.",
)
def rates(rng: np.random.Generator) -> Evidence:
    """All runs of three steps enumerated; 4,000 seeded runs against the predicted error and its slope."""
    tree, reward = random_world(rng, -1.0, 1.0, depth=SHALLOW)
    law, start = np.exp(tree.log_prob), rng.normal(size=reward.shape)
    exact, reach = enumerated(law, reward, SHALLOW).state, law @ passing(SHALLOW)
    reach = np.minimum(reach, 1.0)  # a sum of probabilities, up to rounding
    variance = given_prefix(law, reward**2, SHALLOW) - exact**2
    steps = [falling_rate(k, 0.75) for k in range(3)]
    chance, after = all_runs(law, reward, start, steps)
    left = np.sum(chance[..., None] * (after - exact[:, None]) ** 2, axis=1)
    law_of = partial(squared_errors, start - exact, reach, rates=np.array(steps))
    gaps = np.abs(left - law_of(variance=variance)[-1]).ravel()
    yield at_most("three steps: E(V − V*)²", oracle="enumeration of runs", residuals=gaps, tolerance=ROUNDING)
    spread = np.sum(law * reward**2, axis=-1) - np.sum(law * reward, axis=-1) ** 2
    for name, planted in {"Var r for Var(r|s)": spread[:, None] + 0 * variance, "no variance": 0 * variance}.items():
        gaps = np.abs(left - law_of(variance=planted)[-1]).ravel()
        yield rejects(name, at_most("", oracle="", residuals=gaps, tolerance=1e-3))

    runs = running_means(rng, law, reward, start)
    found = np.array([np.sum(reach * (runs[n] - exact) ** 2, axis=-1).mean(axis=0) for n in COUNTS])
    unseen = [(1 - reach) ** n * (start - exact) ** 2 for n in COUNTS]
    predicted = [
        np.sum(reach * (variance * mean_inverse_visits(n, reach) + rest), axis=-1)
        for n, rest in zip(COUNTS, unseen, strict=True)
    ]
    # Independent worlds: means over a thousand of them are normal, and one of four beyond 4 deviations has P = 3e-4.
    off = _deviations(found - np.array(predicted))
    yield at_most("error after n answers (σ), all 4,000 runs", oracle="exact law", residuals=off, tolerance=4.0)
    off = _deviations(found - np.array(predicted) / 2)
    yield rejects("half the variance", at_most("", oracle="", residuals=off, tolerance=4.0))
    gap, scatter = _slope_gap(found, np.array(predicted), rng)
    # Bootstrap over worlds; 4 standard errors as above.
    yield at_most(
        "slope of log error in log n (σ), all 4,000 runs", oracle="exact law", residuals=[gap / scatter], tolerance=4.0
    )
    gap, scatter = _slope_gap(found, np.array(predicted) * np.sqrt(COUNTS)[:, None], rng)
    yield rejects("a slope flatter by ½", at_most("", oracle="", residuals=[gap / scatter], tolerance=4.0))
    # 1/n <= 2/(n + 1), and E[1/(n + 1)] <= 1/((count + 1) reach).
    rate = [(mean_inverse_visits(n, reach) * (n + 1) * reach / 2).ravel() for n in COUNTS]
    yield at_most(
        "Var(r|s) E[1/n] ≤ 2 Var(r|s)/((n+1) reach)", oracle="exact law", residuals=np.ravel(rate), tolerance=1
    )
    faster = [(mean_inverse_visits(n, reach) * (n + 1) ** 1.5 * reach / 2).ravel() for n in COUNTS]
    yield rejects("the rate n^(-3/2)", at_most("", oracle="", residuals=np.ravel(faster), tolerance=1))

    # The bound is about well-visited tables: three tokens of a fifth or more each.
    allowed = tree.log_steps > -np.inf
    floored = Tree(normalised(np.where(allowed, np.log(0.2 + 0.4 * np.exp(tree.log_steps)), -np.inf)))
    law = np.exp(floored.log_prob)
    exact, reach = enumerated(law, reward, SHALLOW).state, law @ passing(SHALLOW)
    variance = given_prefix(law, reward**2, SHALLOW) - exact**2
    least, k = reach.min(axis=-1, keepdims=True), np.arange(1, 501)[:, None]

    def excess(step_sizes: list[Floats]) -> Floats:
        error = squared_errors(start - exact, reach, variance, np.array(step_sizes))
        square = np.maximum.accumulate(np.sum(reach * (error + variance), axis=-1), axis=0)[:-1]
        bound = pl_bound(k, reach.max(axis=-1), least[:, 0], square)
        return np.asarray((np.sum(reach * error[1:], axis=-1) / 2 / bound).max(axis=0))

    found = excess([np.asarray(pl_rate(i, least)) for i in range(500)])
    yield at_most("mean loss ÷ L C²/(2kμ²)", oracle="exact moments", residuals=found, tolerance=1.0)
    found = excess([np.ones_like(least)] * 500)
    yield rejects("the same bound with constant steps", at_most("", oracle="", residuals=found, tolerance=1.0))


def _deviations(gaps: Floats) -> Floats:
    """How many standard errors the mean over worlds is from 0: [n, B] -> [n]."""
    return np.asarray(np.abs(gaps.mean(axis=-1)) / (gaps.std(axis=-1, ddof=1) / np.sqrt(gaps.shape[-1])))


def _slope_gap(errors: Floats, predicted: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """|measured - predicted| slope of log mean error in log n, [n, B] each, and its standard error over worlds."""

    def fitted(chosen: NDArray[np.int64]) -> float:
        measured, exact = (
            np.polyfit(np.log(COUNTS), np.log(table[:, chosen].mean(axis=-1)), 1)[0] for table in (errors, predicted)
        )
        return float(measured - exact)

    again = [fitted(rng.integers(0, BATCH, BATCH)) for _ in range(200)]
    return abs(fitted(np.arange(BATCH))), float(np.std(again, ddof=1))
