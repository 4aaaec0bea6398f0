"""What sampling adaptors do to prior probability and reward where both are known exactly (Tan et al., section 5.2).

Three questions: which way does temperature move the two means; how far are the locally normalised laws, which are
sampled, from the global ones, which the argument is about; and where on the plane does each adaptor go?
"""

import numpy as np
import pandas as pd

from theory.automata import Automaton
from theory.families import geometric, golden_bigram
from toy import adaptor_moves, endless, normalisations, temperature_regimes
from toy.adaptor_menu import TEMPERATURES, TRUNCATIONS, adaptor
from toy.reward_automata import critical_temperature
from toy.reward_trees import random_worlds, single

POLES = tuple(np.round(np.arange(0.5, 1.5, 0.01), 2).tolist())
COLD_TO_HOT = tuple(np.round(np.arange(0.1, 2.5, 0.05), 2).tolist())


def run(seed: int, small: bool = False) -> dict[str, pd.DataFrame]:
    """The tables, by name; all is drawn from `seed`. Nats; rewards in units of beta, which is 1 but for the moves.

    Exact, one row a law or a temperature:
    - toy_adaptors_regimes: (regime, world, temperature, log_prior, reward, slope_log_prior, slope_reward), the slopes
      in g = 1/T; the three worlds are those that `temperature_regimes.search` finds.
    - toy_adaptors_moves: `adaptor_moves.moves` of one world of endlessly many strings, with its number in the stream.
    - toy_adaptors_distances, toy_adaptors_endless_distances: local against global normalisation in one random tree and
      in the world of the moves.
    - toy_adaptors_heating, toy_adaptors_poles, toy_adaptors_leak: lengths and log Z up to the critical temperature,
      log Z of four models, and the law 1 / ((n + 1)(n + 2)), whose local law leaks.
    Shares of random worlds with exact 95 % limits (`low`, `high`), 2,000 worlds a row, 100 if small, a
    quarter of that where each needs enumerations of its own:
    - toy_adaptors_shares (kind, strength, regime), toy_adaptors_directions (family, strength, normalisation,
      statement), toy_adaptors_accepted (adaptor; mean acceptance, and the share of worlds above .9).
    """
    worlds = 100 if small else 2000
    at, number = adaptor_moves.world(seed)
    tree = single(random_worlds(_stream(seed), 1, **normalisations.ENSEMBLE), 0).aligned
    critical = critical_temperature(at.aligned)
    cuts = [(family, strength) for family, strengths in TRUNCATIONS.items() for strength in strengths]
    heats = [("temperature", T) for T in TEMPERATURES]
    finite = [(*choice, adaptor(*choice, tree.n_symbols + 1)) for choice in cuts + heats]
    finite_z = [row for row in finite if row[0] != "temperature" or row[1] < critical]
    return {
        "toy_adaptors_regimes": temperature_regimes.curves(seed),
        "toy_adaptors_shares": temperature_regimes.shares(seed, worlds),
        "toy_adaptors_moves": adaptor_moves.moves(at).assign(world=number, critical=critical),
        "toy_adaptors_directions": adaptor_moves.directions(seed, worlds // 4),
        "toy_adaptors_distances": normalisations.distances(tree, finite),
        "toy_adaptors_endless_distances": normalisations.automaton_distances(at.aligned, finite_z),
        "toy_adaptors_accepted": normalisations.accepted(seed, worlds // 4),
        "toy_adaptors_heating": normalisations.heating(at.aligned, 15 if small else 60),
        "toy_adaptors_poles": normalisations.poles(pole_models(at.aligned), POLES),
        "toy_adaptors_leak": endless.masses(COLD_TO_HOT),
    }


def pole_models(aligned: Automaton) -> dict[str, Automaton]:
    """Four models with a critical temperature each: the aligned world and three of the field's standard instances."""
    return {
        "p₊ of the world": aligned,
        "2 symbols, e = .1": geometric(2, 0.1),
        "2 symbols, e = .3": geometric(2, 0.3),
        "golden bigram": golden_bigram(),
    }


def _stream(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 6])))
