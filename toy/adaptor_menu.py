"""The adaptors that the exact worlds try, each family at several strengths, and the settings of Tan et al."""

from collections.abc import Callable

from theory.adaptors import Adaptor, compose, eta, locally_typical, min_p, nucleus, temperature, top_k


def _top_k(k: float) -> Adaptor:
    if not float(k).is_integer():
        raise ValueError(f"top-k's k must be an integer >= 1, not {k}.")
    return top_k(int(k))


MAKERS: dict[str, Callable[[float], Adaptor]] = {
    "temperature": temperature,
    "top_k": _top_k,
    "nucleus": nucleus,
    "eta": eta,
    "locally_typical": locally_typical,
    "min_p": min_p,
}
TRUNCATIONS: dict[str, tuple[float, ...]] = {
    "top_k": (4, 3, 2),
    "nucleus": (0.9, 0.7, 0.5),
    "eta": (0.05, 0.1, 0.2),
    "locally_typical": (0.9, 0.7, 0.5),
    "min_p": (0.05, 0.15, 0.3),
}
"""Each family at three strengths, the weakest cut first."""
TEMPERATURES = (0.5, 0.7, 0.85, 1.1, 1.25, 1.5)

PAPER_TEMPERATURES = (0.5, 0.75, 1.0, 1.25, 1.5)
PAPER_TRUNCATIONS: tuple[tuple[str, float], ...] = (
    ("nucleus", 0.9),
    ("nucleus", 0.95),
    ("locally_typical", 0.9),
    ("eta", 0.0009),
)
"""Those of section 6.2 whose strength does not hang on the size of the vocabulary, as top-k's 30 and 50 do."""


def adaptor(family: str, strength: float, n_tokens: int) -> Adaptor:
    """The adaptor of a family at a strength (T, k, pi, epsilon, tau, rho) for a vocabulary of n_tokens, EOS counted.

    Raises ValueError on an unknown family, k > n_tokens, and as the adaptor itself.

    >>> adaptor("top_k", 2, 5).name
    'top_k(2)'
    """
    if family not in MAKERS:
        raise ValueError(f"no adaptor is called {family!r}; known families: {', '.join(MAKERS)}.")
    if family == "top_k" and strength > n_tokens:
        raise ValueError(f"top-k's k = {strength:g} exceeds the {n_tokens} tokens of this world.")
    return MAKERS[family](strength)


def paper_settings(n_tokens: int) -> list[Adaptor]:
    """Each truncation of the paper after each of its temperatures, 20 adaptors; at T = 1 the truncation alone."""
    return [
        adaptor(family, strength, n_tokens) if T == 1 else compose(temperature(T), adaptor(family, strength, n_tokens))
        for family, strength in PAPER_TRUNCATIONS
        for T in PAPER_TEMPERATURES
    ]
