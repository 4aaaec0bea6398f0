"""Section 4: local normalisation can lose mass to endless strings; global normalisation cannot, where Z is finite."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import local, temperature, top_k
from theory.claims.tan.worlds import ADAPTORS
from theory.language_models import adapted, log_dirichlet, random_tree
from theory.ledger import Evidence, at_least, at_most, claim, rejects

Floats = NDArray[np.float64]
STEPS = 200_000


@claim(
    "tan.local_nontight",
    paper="tan",
    where="section 4",
    kind="text",
    statement="A locally normalised adaptor can put mass on endless strings: top-k that cuts EOS at every step puts "
    "all of it there, and temperature alone can: p(eos|aⁿ) = 1/(n+2) is tight, yet T = 1/2 leaves "
    "P(endless) = π/sinh π. If p(eos|·) ≥ ε at every step, temperature keeps "
    "p_T(eos|·) ≥ ε^{1/T} / max(1, V^{1-1/T}), V tokens in all, hence tightness.",
    verdict="holds",
)
def local_leaks(rng: np.random.Generator) -> Evidence:
    unigram = np.log([0.6, 0.3, 0.1])
    yield at_most(
        "mass that top-2 leaves on finite strings, EOS being the least token",
        oracle="worked example: one row, repeated for ever",
        residuals=[float(np.exp(local(top_k(2), unigram)[0][-1]))],
        tolerance=0.0,  # a cut token has no mass at all
    )
    check = partial(at_most, oracle="closed form of the infinite product")
    yield check(
        "P(length > n) at T = 1 is 1/(n + 2)",
        residuals=np.abs(_survival(1.0) * np.arange(2, STEPS + 2) - 1),
        tolerance=1e-9,  # a sum of 2e5 logarithms rounds by 1e-11
    )
    limit = np.pi / np.sinh(np.pi)
    missed = [abs(_survival(0.5)[-1] - limit)]
    # The factors past step n multiply to at least 1 - 1/n.
    yield check("worked example: P(endless) = π/sinh π at T = 1/2", residuals=missed, tolerance=1 / STEPS)
    log_p, T = log_dirichlet(5, rng, 0.5, (1000,)), rng.uniform(0.1, 5, (1000,))  # noqa: N806 (the field's symbol)
    ends = np.array([local(temperature(float(t)), row)[0][-1] for t, row in zip(T, log_p, strict=True)])
    bound = log_p[:, -1] / T - np.maximum(0, (1 - 1 / T) * np.log(5))
    yield at_most(
        "bound on log p_T(eos)",
        oracle="power means",
        residuals=bound - ends,
        tolerance=1e-10,  # logarithms up to 1e4, as T is as low as 0.1
    )
    for T_other in (1.0, 2.0):  # noqa: N806
        margin = at_least("", oracle="", margins=[_survival(T_other)[-1]], tolerance=1e-2)
        yield rejects(f"T = {T_other:g} leaks too", margin)


@claim(
    "tan.always_tight",
    paper="tan",
    where="section 4",
    kind="text",
    statement="The global law is tight wherever 0 < Z < ∞; truncation and T ≤ 1 give Z ≤ 1. But T > 1 can give "
    "Z = ∞: for m like symbols and EOS of probability e, Z is finite iff T < T_c = 1 + log(1/(1-e))/log m; and "
    "truncation of EOS at every step gives Z = 0.",
    verdict="holds-with-assumption",
    assumptions="0 < Z < ∞, which the paper assumes in part and which fails at T ≥ T_c",
)
def global_keeps(rng: np.random.Generator) -> Evidence:
    m, e = rng.integers(2, 50, 1000), rng.uniform(0.01, 0.9, 1000)
    critical = 1 - np.log1p(-e) / np.log(m)
    models = list(zip(m.tolist(), e.tolist(), critical.tolist(), strict=True))
    check = partial(at_most, oracle="geometric series")
    yield check(
        "mass of length n + 1 over that of length n is 1 at T_c",
        residuals=[abs(_growth(m, e, T) - 1) for m, e, T in models],
        tolerance=1e-12,  # a power and a sum of at most 50 terms
    )
    yield check(
        "partial sums reach e^g / (1 - m^{1-g} (1-e)^g) below T_c, g = 1/T",
        residuals=[_series_error(m, e, 1 + 0.5 * (T - 1)) for m, e, T in models],
        tolerance=1e-9,  # relative; a thousand powers of the ratio
    )
    finite = [adapted(random_tree(2, 3, rng, batch=(130,)), a) for a in ADAPTORS if "1.5" not in a.name]
    yield at_most(
        "log Z ≤ 0 for truncation and T ≤ 1",
        oracle="enumeration of all strings",
        residuals=np.concatenate([run.log_z for run in finite]),
        tolerance=1e-12,  # a sum of 15 products
    )
    yield at_least(
        "growth of the mass by length above T_c, less 1",
        oracle="geometric series",
        margins=[_growth(m, e, 1.1 * T) - 1 for m, e, T in models],
        tolerance=1e-3,  # the terms then grow without bound
    )
    converges = check("", residuals=[_growth(2, 0.1, 1.2) - 1], tolerance=0)
    yield rejects("Z finite at T = 1.2 for m = 2, e = 0.1", converges)
    end_kept = np.exp(top_k(2)(np.log([0.6, 0.3, 0.1])))[-1]  # every term of Z has this factor
    yield rejects("Z > 0 where top-2 cuts EOS", at_least("", oracle="", margins=[end_kept], tolerance=1e-3))


def _survival(T: float) -> Floats:  # noqa: N803 (the field's symbol)
    """P(length > n) for n < STEPS, when p(eos | a^n) = 1 / (n + 2) is sampled at local temperature T."""
    log_steps = -np.log(np.arange(2, STEPS + 2))[:, None] + np.stack(
        [np.log(np.arange(1, STEPS + 1)), np.zeros(STEPS)], axis=-1
    )
    return np.asarray(np.exp(np.cumsum(local(temperature(T), log_steps)[0][:, 0])))


def _growth(m: int, e: float, T: float) -> float:  # noqa: N803
    """Un-normalised mass of the strings of length n + 1 over that of length n, under global temperature T."""
    row = np.log([(1 - e) / m] * m + [e])
    return float(np.exp(temperature(T)(row)[:-1]).sum())


def _series_error(m: int, e: float, T: float) -> float:  # noqa: N803
    """Relative distance of the sum to its closed form, counting strings of length up to where terms fall below ulp."""
    g = 1 / T
    growth = _growth(m, e, T)
    lengths = np.arange(int(np.ceil(-40 / np.log(growth))) + 1)
    return float(abs(e**g * np.sum(growth**lengths) / (e**g / (1 - m ** (1 - g) * (1 - e) ** g)) - 1))
