"""How surely a corpus is typical: the exact P(|mean I - H| >= epsilon) of N strings beside five estimates of it.

The model is the integer-bit bigram, whose surprisals are whole bits, so that the truth is known however small it is.
Which bound is the tighter? Chebyshev's while N epsilon^2 / V is small, the exponential one from a crossing on.
"""

from collections.abc import Iterable
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq

from theory.concentration import chernoff_bound, lower_rate, normal_approximation, upper_rate
from theory.families import integer_bit_bigram
from theory.lattice import Lattice, absolute_third, of_automaton
from theory.lattice_tails import atypical, lattice_bahadur_rao
from theory.tail_estimates import berry_esseen
from theory.typicality import chebyshev_bound

Floats = NDArray[np.float64]
BIT = float(np.log(2))
EPSILON, SIZE = 4.0, 96
SIZES = (3, 6, 12, 24, 48, 96, 192, 384)
"""Multiples of 3: H is 19/3 bits, so that N (H + EPSILON) is a sum of whole bits."""
REACH = 8.0
"""The largest epsilon of the table at fixed N, bits."""


@cache
def world() -> Lattice:
    """The law of one string's surprisal."""
    return of_automaton(integer_bit_bigram())


def estimates(size: int, epsilon: Floats) -> pd.DataFrame:
    """One row an estimate of P(|mean I - H| >= epsilon) and an epsilon (bits): value, low, high, ratio to the truth.

    quantity: exact (low and high its stated error), chebyshev, chernoff, bahadur_rao, normal, and berry_esseen, whose
    low and high surely hold the truth and whose value is the normal one.
    """
    law, nats = world().law, epsilon * BIT
    tail = atypical(world(), size, nats)
    exact, normal = np.exp(tail.log_prob), normal_approximation(law.varentropy, size, nats)
    radius = 2 * berry_esseen(law.varentropy, absolute_third(world()), size)  # one radius for each side
    rows = {
        "exact": (exact, exact * (1 - tail.error), exact * (1 + tail.error)),
        "chebyshev": (chebyshev_bound(law.varentropy, size, nats),) * 3,
        "chernoff": (chernoff_bound(law, size, nats),) * 3,
        "bahadur_rao": (lattice_bahadur_rao(world(), size, nats),) * 3,
        "normal": (normal,) * 3,
        "berry_esseen": (normal, np.maximum(normal - radius, 0.0), np.minimum(normal + radius, 1.0)),
    }
    return pd.concat(
        pd.DataFrame(
            {
                "size": size,
                "epsilon": epsilon,
                "quantity": name,
                "value": value,
                "low": low,
                "high": high,
                "ratio": value / exact,
            }
        )
        for name, (value, low, high) in rows.items()
    )


def exponents(sizes: pd.DataFrame) -> pd.DataFrame:
    """-log2 P / N of every estimate, bits a string, beside the exact rate min(I_+, I_-) and the normal law's e^2/2V."""
    law = world().law
    table = sizes[sizes["quantity"] != "berry_esseen"].drop(columns="ratio")
    log_p = np.log2(table[["value", "high", "low"]].to_numpy())
    table[["value", "low", "high"]] = -log_p / table[["size"]].to_numpy()
    nats = EPSILON * BIT
    limits = {
        "rate": float(np.minimum(upper_rate(law, nats), lower_rate(law, nats))) / BIT,
        "normal_rate": float(nats**2 / (2 * law.varentropy)) / BIT,
    }
    rows = [(size, EPSILON, name, *[rate] * 3) for name, rate in limits.items() for size in table["size"].unique()]
    return pd.concat([table, pd.DataFrame(rows, columns=table.columns)], ignore_index=True)


def crossing(sizes: Iterable[int]) -> pd.DataFrame:
    """From which epsilon on Chernoff's bound is tighter than Chebyshev's, by N: epsilon in bits, x = N epsilon^2 / V.

    limit: the x of N -> inf, the larger root of 2 x = e^(x/2). exact: the truth at that epsilon, bound: both bounds.
    Raises ValueError unless every N >= 1.
    """
    law = world().law
    limit = float(brentq(lambda x: np.log(2 * x) - x / 2, 3, 6))
    rows = []
    for size in sizes:
        if size < 1:
            raise ValueError(f"a corpus has at least one string, not {size}.")
        scale = float(np.sqrt(law.varentropy / size))

        def advantage(root: float, size: int = size, scale: float = scale) -> float:
            epsilon = root * scale
            return float(np.log(chernoff_bound(law, size, epsilon) / chebyshev_bound(law.varentropy, size, epsilon)))

        # At x = 2 the exponential bound is 1 or nearly so; at x = 100 it has won, even on a few strings.
        root = float(brentq(advantage, np.sqrt(2), 10))
        epsilon = root * scale
        bound = chebyshev_bound(law.varentropy, size, epsilon)
        exact = np.exp(atypical(world(), size, epsilon).log_prob)
        rows.append((size, epsilon / BIT, root**2, limit, float(bound), float(exact)))
    return pd.DataFrame(rows, columns=["size", "epsilon", "x", "limit", "bound", "exact"])


def run(seed: int, small: bool = False) -> dict[str, pd.DataFrame]:
    """The tables toy_concentration_sizes, _epsilons, _exponents and _crossing; probabilities, and bits elsewhere.

    Nothing is drawn, so that `seed` changes nothing. Every epsilon at fixed N is one at which the upper tail begins.
    """
    sizes = SIZES[:4] if small else SIZES
    entropy = float(world().law.entropy) / BIT
    bits = np.arange(np.ceil(SIZE * (entropy + 0.1)), SIZE * (entropy + REACH), 96 if small else 12)
    by_size = pd.concat([estimates(size, np.array([EPSILON])) for size in sizes], ignore_index=True)
    return {
        "toy_concentration_sizes": by_size,
        "toy_concentration_epsilons": estimates(SIZE, bits / SIZE - entropy).reset_index(drop=True),
        "toy_concentration_exponents": exponents(by_size),
        "toy_concentration_crossing": crossing([*sizes[-2:], SIZE] if small else sizes),
    }
