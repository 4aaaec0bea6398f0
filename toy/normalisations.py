"""Local against global normalisation of every adaptor, exactly: distances, acceptance, lengths, log Z.

With Z_t the kept mass of a step, p_glob ∝ p_loc prod_t Z_t. Hence KL(p_glob || p_loc) = E_glob sum_t log Z_t - log Z
and KL(p_loc || p_glob) = log Z - E_loc sum_t log Z_t, and w = prod_t Z_t is the weight of independence Metropolis.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

from theory.adaptors import Adaptor, temperature
from theory.arrays import expectation, shaped
from theory.automata import Automaton, critical_alpha, expected_length, log_power_sum
from theory.information import kl
from theory.language_models import Floats, Tree, adapted, strings
from theory.metropolis import certificate, stationary_acceptance, total_variation
from toy.adaptor_menu import paper_settings
from toy.reward_automata import (
    critical_temperature,
    finite_mass,
    globally_adapted,
    globally_tempered,
    keeps_strings,
    locally_adapted,
)
from toy.reward_trees import random_worlds
from toy.temperature_regimes import share
from toy.weighted_automata import additive

ACCEPTED = 0.9
"""The share of proposals that section 6.2 reports as accepted, at least."""
ENSEMBLE = {"n_symbols": 5, "depth": 3}
ROUNDING = 1e-9  # (I - A)^-1 b of a tight model is 1 but for a solve's rounding, some 1e-13


Choice: TypeAlias = tuple[str, float, Adaptor]
"""An adaptor with its family and strength."""


def distances(tree: Tree, adaptors: Sequence[Choice]) -> pd.DataFrame:
    """One row an adaptor of one tree: both KLs by the formula and by enumeration (nats), TV, acceptance, lengths.

    `acceptance` is that of independence Metropolis at stationarity; tv_low and tv_high are what it certifies.
    Raises ValueError on a batch of trees.
    """
    shaped(tree.log_steps, (None, None), "the tree")
    lengths = np.array([len(y) for y in strings(tree.n_symbols, len(tree.level_sizes) - 1)], dtype=float)
    return pd.DataFrame([{"family": family, "strength": s, **_measures(tree, a, lengths)} for family, s, a in adaptors])


def _measures(tree: Tree, adaptor: Adaptor, lengths: Floats) -> dict[str, float]:
    run = adapted(tree, adaptor)
    log_global, log_local = run.log_global, run.local.log_prob
    acceptance = stationary_acceptance(run.log_scores, log_local)
    low, high = certificate(acceptance)
    found = {
        "log_z": run.log_z,
        "kl_global_local": expectation(log_global, run.log_kept) - run.log_z,
        "kl_local_global": run.log_z - expectation(log_local, run.log_kept),
        "enumerated_global_local": kl(log_global, log_local),
        "enumerated_local_global": kl(log_local, log_global),
        "tv": total_variation(log_global, log_local),
        "acceptance": acceptance,
        "tv_low": low,
        "tv_high": high,
        "length_global": expectation(log_global, lengths),
        "length_local": expectation(log_local, lengths),
    }
    return {name: float(value) for name, value in found.items()}


def accepted(seed: int, worlds: int) -> pd.DataFrame:
    """The paper's settings in random worlds with unrelated rewards of one nat: mean acceptance, share above .9.

    One row a setting; low and high are 95 % limits, of the mean by the normal law over worlds and of the share exact.
    Raises ValueError unless worlds >= 2.
    """
    if worlds < 2:
        raise ValueError(f"an interval needs at least two worlds, not {worlds}.")
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 3])))
    plus = random_worlds(rng, worlds, **ENSEMBLE).aligned
    rows = []
    for a in paper_settings(plus.n_symbols + 1):
        run = adapted(plus, a)
        rates = stationary_acceptance(run.log_scores, run.local.log_prob)
        half = 1.96 * float(np.std(rates, ddof=1)) / np.sqrt(worlds)
        mean = float(np.mean(rates))
        above = share(int(np.sum(rates > ACCEPTED)), worlds)
        rows.append((a.name, worlds, mean, mean - half, mean + half, *above, float(np.min(rates))))
    columns = ["adaptor", "worlds", "acceptance", "acceptance_low", "acceptance_high", "share", "low", "high", "least"]
    return pd.DataFrame(rows, columns=columns)


def automaton_distances(model: Automaton, adaptors: Sequence[Choice]) -> pd.DataFrame:
    """One row an adaptor of an automaton, over its endlessly many strings: both KLs (nats), log Z, mean lengths.

    KL(loc || glob) and the local length are infinite where the local model is not tight (finite_local < 1). An adaptor
    that leaves no string has no global law and no row.
    """
    rows = []
    for family, strength, a in adaptors:
        if not keeps_strings(model, a):
            continue
        (loc, log_kept), (glob, log_z) = locally_adapted(model, a), globally_adapted(model, a)
        kept = np.broadcast_to(log_kept[:, None], model.log_outcomes.shape)
        finite = finite_mass(loc)
        tight = finite > 1 - ROUNDING
        rows.append(
            {
                "family": family,
                "strength": strength,
                "log_z": log_z,
                "finite_local": finite,
                "kl_global_local": float(additive(glob, kept).mean[0]) - log_z,
                "kl_local_global": log_z - float(additive(loc, kept).mean[0]) if tight else np.inf,
                "length_global": float(expected_length(glob)),
                "length_local": float(expected_length(loc)) if tight else np.inf,
            }
        )
    return pd.DataFrame(rows)


def heating(model: Automaton, points: int) -> pd.DataFrame:
    """Mean length and log Z (nats) from T = .3 to T_c: half the points in even steps, then ever closer to T_c.

    One row a temperature: length_local, length_global, log_z, and `critical`, T_c of the model.
    Raises ValueError unless points >= 2, and if the model has no finite T_c above .3.
    """
    if points < 2:
        raise ValueError(f"the two halves need a temperature each: points must be at least 2, not {points}.")
    critical = critical_temperature(model)
    if not 0.3 < critical < np.inf:
        raise ValueError(f"a pole can be approached only where .3 < T_c < inf, and here T_c = {critical:g}.")
    rows = []
    steps = np.concatenate([np.linspace(1, 0.1, points // 2, endpoint=False), np.geomspace(0.1, 1e-4, points // 2)])
    for T in critical - (critical - 0.3) * steps:  # noqa: N806
        loc, _ = locally_adapted(model, temperature(float(T)))
        glob, log_z = globally_tempered(model, float(T))
        rows.append((T, float(expected_length(loc)), float(expected_length(glob)), log_z, critical))
    return pd.DataFrame(rows, columns=["temperature", "length_local", "length_global", "log_z", "critical"])


def poles(models: dict[str, Automaton], temperatures: Sequence[float]) -> pd.DataFrame:
    """log Z(T) = log sum_y p(y)^(1/T) of several models, inf at and above T_c = 1 / alpha_c: (model, temperature)."""
    rows = []
    for name, model in models.items():
        critical = 1 / float(critical_alpha(model))
        for T in temperatures:  # noqa: N806
            rows.append((name, T, float(log_power_sum(model, 1 / T)), critical))
    return pd.DataFrame(rows, columns=["model", "temperature", "log_z", "critical"])
