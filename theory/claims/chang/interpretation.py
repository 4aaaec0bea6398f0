"""What the terms of section 5 pull towards: an interior anchor, a vertex, the centre, and away from the anchor."""

import numpy as np

from theory.arrays import Array, normalised
from theory.claims.optimality import ROUNDING, rowwise, simplex
from theory.guidance import greedy, kl_guided_temperature
from theory.information import cross_entropy, entropy, kl, varentropy
from theory.ledger import Evidence, at_least, at_most, claim, rejects

BATCH = 1000


@claim(
    "chang.sec5-terms",
    paper="chang",
    where="Section 5, list of terms",
    kind="statement",
    statement="−KL(π‖P_G) is strictly concave, its maximiser the interior P_G; −CE(π,P_G) is linear, its maximiser a "
    "vertex (greedy); H(π) is strictly concave, its maximiser uniform. Hence stochastic, deterministic, diverse.",
    verdict="holds",
)
def terms(rng: np.random.Generator) -> Evidence:
    """Chords between two random policies; each maximiser against random policies and all vertices."""
    log_p = simplex(rng, BATCH, 5, 1e-3)
    ends = [simplex(rng, BATCH, 5, 1e-3) for _ in range(2)]
    middle = np.logaddexp(*ends) - np.log(2)
    squared = np.abs(np.exp(ends[0]) - np.exp(ends[1])).sum(axis=-1) ** 2
    bulge = {
        "−KL": np.mean([kl(end, log_p) for end in ends], axis=0) - kl(middle, log_p),
        "H": entropy(middle) - np.mean([entropy(end) for end in ends], axis=0),
        "−CE": np.mean([cross_entropy(end, log_p) for end in ends], axis=0) - cross_entropy(middle, log_p),
    }
    for name in ("−KL", "H"):
        lack = squared / 8 - bulge[name]
        yield at_most(f"{name} bulges by ‖·‖₁²/8", oracle="Pinsker", residuals=lack, tolerance=ROUNDING)
    yield at_most("−CE is linear", oracle="midpoints", residuals=np.abs(bulge["−CE"]), tolerance=ROUNDING)
    yield rejects("−KL is linear", at_most("", oracle="", residuals=np.abs(bulge["−KL"]), tolerance=1e-3))

    flat = np.full_like(log_p, -np.log(5))
    vertices = [greedy(-np.abs(np.arange(5.0) - a) + 0 * log_p) for a in range(5)]
    excess = {
        "P_G maximises −KL": [kl(log_p, log_p) - kl(pi, log_p) for pi in (*ends, *vertices)],
        "greedy maximises −CE": [
            cross_entropy(greedy(log_p), log_p) - cross_entropy(pi, log_p) for pi in (*ends, *vertices)
        ],
        "uniform maximises H": [entropy(pi) - entropy(flat) for pi in (*ends, *vertices)],
    }
    for name, gains in excess.items():
        yield at_most(name, oracle="random policies and vertices", residuals=np.ravel(gains), tolerance=ROUNDING)
    gains = np.max([cross_entropy(log_p, log_p) - cross_entropy(pi, log_p) for pi in vertices], axis=0)
    yield rejects("P_G maximises −CE", at_most("", oracle="", residuals=gains, tolerance=1e-3))


@claim(
    "chang.summary-mech3",
    paper="chang",
    where="Machine-written summary of the paper, mechanism 3",
    kind="statement",
    statement="Printed: KL-guided temperature favours diversity at steps where the evidence matters little and "
    "preservation of P_G where it matters much. Corrected: where it matters little π = P_G; the more it matters the "
    "further π ∝ P_G^(1+λ) is from P_G and the smaller its entropy: dKL(π‖P_G)/dλ = λ Var_π(log P_G), "
    "dH(π)/dλ = −(1+λ) Var_π(log P_G).",
    verdict="erratum",
)
def preservation(rng: np.random.Generator) -> Evidence:
    """Evidence of growing weight under the rule that we run; the two derivatives."""
    # A clear favourite, so that no step is already uniform over its best tokens.
    rest = np.log(0.5) + simplex(rng, BATCH, 3, 0.2)
    log_p = np.concatenate([np.full((BATCH, 1), np.log(0.5)), rest], axis=-1)
    shifted = log_p[:, ::-1]
    weights = (0.0, 0.25, 0.5, 0.75, 1.0)
    without = [np.logaddexp(log_p + np.log1p(-t), shifted + np.log(t)) if 0 < t < 1 else None for t in weights]
    without[0], without[-1] = log_p, shifted
    policies = [kl_guided_temperature(log_p, other, 0.1) for other in without]
    away = np.array([kl(pi, log_p) for pi in policies])
    spread = np.array([entropy(pi) for pi in policies])
    yield at_most("corrected: P_G where the evidence says nothing", oracle="KL", residuals=away[0], tolerance=ROUNDING)
    yield at_least("printed: relevance moves π from P_G (nats)", oracle="KL", margins=away[-1], tolerance=0.01)
    yield at_least(
        "printed: and costs entropy, not the reverse (nats)", oracle="H", margins=spread[0] - spread[-1], tolerance=0.01
    )
    yield at_most(
        "corrected: KL rises with relevance",
        oracle="sweep",
        residuals=-np.diff(away, axis=0).ravel(),
        tolerance=ROUNDING,
    )
    yield at_most(
        "corrected: H falls with it", oracle="sweep", residuals=np.diff(spread, axis=0).ravel(), tolerance=ROUNDING
    )
    yield rejects("preservation", at_most("", oracle="", residuals=np.diff(away, axis=0).ravel(), tolerance=1e-3))

    lam, step = rng.uniform(0.0, 4.0, size=BATCH), 1e-4
    here, ends = _tempered(log_p, lam), [_tempered(log_p, lam + side * step) for side in (-1, 1)]
    # log pi = (1 + lambda) log P - log Z, so Var_pi(log P) = V(pi) / (1 + lambda)^2.
    variance = varentropy(here) / (1 + lam) ** 2
    slopes = {
        "corrected: dKL/dλ": ((kl(ends[1], log_p) - kl(ends[0], log_p)), lam * variance),
        "corrected: dH/dλ": ((entropy(ends[1]) - entropy(ends[0])), -(1 + lam) * variance),
    }
    for name, (rise, slope) in slopes.items():
        # Central differences err by step^2 times third derivatives below 100.
        gaps = np.abs(rise / (2 * step) - slope)
        yield at_most(name, oracle="central differences", residuals=gaps, tolerance=1e-6)


def _tempered(log_p: Array, lam: Array) -> Array:
    return rowwise(lambda row, power: normalised(power * row), 1 + lam, log_p)
