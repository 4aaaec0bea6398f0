"""The temperature of Theorem 3.3 in the original convention, the cascade of two softmaxes, and the limits of 3.4."""

import numpy as np
from scipy.special import softmax

from theory.arrays import normalised
from theory.claims.chang.temperature import policy, printed
from theory.claims.optimality import ROUNDING, rowwise, simplex
from theory.guidance import kl_guided_temperature
from theory.information import cross_entropy, entropy, kl
from theory.ledger import Evidence, at_least, at_most, claim, rejects

BATCH = 1000


@claim(
    "chang.3.3.h",
    paper="chang",
    where="Section 3.1, side note to Theorem 3.3, and section 4.3",
    kind="equation",
    statement="With h(x) = 2^(x/σ) − 1 the rule samples at the temperature f = 1/(h+1) = 0.5^(x/σ), x = KL(P_G‖P_G⁻). "
    "h is convex, h(0) = 0, h(σ) = 1 and 0 ≤ h(x) ≤ x/σ on [0, σ]: nothing much happens below the threshold σ.",
    verdict="holds",
    assumptions="σ in the unit of the KL: in bits instead of nats the same temperature needs σ/log 2.",
)
def dynamic(rng: np.random.Generator) -> Evidence:
    """The guided rule against the sampler's temperature; the shape of h."""
    log_p, log_p_without = simplex(rng, BATCH, 5, 1e-3), simplex(rng, BATCH, 5, 1e-3)
    sigma = np.resize([0.5, 1.0, 2.0, 4.0], BATCH)
    # Compared as probabilities: powers of some 1e4 leave logarithms of up to 1e5 nats, good to 1e-11 at best.
    guided = np.exp(rowwise(kl_guided_temperature, sigma, log_p, log_p_without))
    x = np.sum(np.exp(log_p) * (log_p - log_p_without), axis=-1)
    gaps = np.abs(guided - np.exp(rowwise(policy, 0.5 ** (x / sigma), log_p))).max(axis=-1)
    yield at_most("temperature 0.5^(x/σ)", oracle="the sampler's softmax", residuals=gaps, tolerance=ROUNDING)
    planted = {"temperature h + 1": 2 ** (x / sigma), "x in bits, σ in nats": 0.5 ** (x / np.log(2) / sigma)}
    for name, wrong in planted.items():
        gaps = np.abs(guided - np.exp(rowwise(policy, wrong, log_p))).max(axis=-1)
        yield rejects(name, at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    bits = x / np.log(2)
    gaps = np.abs(guided - np.exp(rowwise(policy, 0.5 ** (bits / (sigma / np.log(2))), log_p))).max(axis=-1)
    yield at_most("bits with σ/log 2", oracle="the sampler's softmax", residuals=gaps, tolerance=ROUNDING)

    threshold = np.exp(rowwise(kl_guided_temperature, x, log_p, log_p_without))
    gaps = np.abs(threshold - np.exp(normalised(2 * log_p))).max(axis=-1)
    yield at_most("h(σ) = 1: P_G² at x = σ", oracle="normalised square", residuals=gaps, tolerance=ROUNDING)
    gaps = np.abs(rowwise(kl_guided_temperature, sigma, log_p, log_p) - log_p).max(axis=-1)
    yield at_most("h(0) = 0: P_G at x = 0", oracle="P_G", residuals=gaps, tolerance=ROUNDING)
    u = rng.random((BATCH, 2))  # x / sigma
    h = 2**u - 1
    yield at_most("0 ≤ h", oracle="random points", residuals=-h.ravel(), tolerance=0.0)
    yield at_most("h(x) ≤ x/σ below σ", oracle="random points", residuals=(h - u).ravel(), tolerance=ROUNDING)
    yield rejects(
        "h(x) ≤ x/σ up to 2σ", at_most("", oracle="", residuals=(2 ** (2 * u) - 1 - 2 * u).ravel(), tolerance=1e-3)
    )
    bend = 2 ** (4 * u).mean(axis=-1) - (2 ** (4 * u)).mean(axis=-1)
    yield at_most("h is convex", oracle="midpoints", residuals=bend, tolerance=ROUNDING)


@claim(
    "chang.cascade",
    paper="chang",
    where="Section 3.1, last remark on Theorem 3.3",
    kind="statement",
    statement="A softmax at temperature 1 followed by one at T on its logarithm is exactly one softmax at T: "
    "softmax(log softmax(z)/T) = softmax(z/T); the constant log Σ e^z drops out.",
    verdict="holds",
)
def cascade(rng: np.random.Generator) -> Evidence:
    """Logits up to 500, temperatures from 0.1 to 20."""
    logits = rng.uniform(-1, 1, size=(BATCH, 8)) * np.resize([1.0, 10.0, 100.0, 500.0], (BATCH, 1))
    T = np.exp(rng.uniform(np.log(0.1), np.log(20), size=BATCH))  # noqa: N806
    once = softmax(logits / T[:, None], axis=-1)
    gaps = np.abs(np.exp(rowwise(policy, T, normalised(logits))) - once).max(axis=-1)
    # Logits of up to 1000 / 0.1 nats carry a rounding error of 1e4 ulp, about 2e-12, and so does their exponential.
    yield at_most("one softmax", oracle="SciPy softmax of z/T", residuals=gaps, tolerance=1e-11)
    gaps = np.abs(softmax(softmax(logits, axis=-1) / T[:, None], axis=-1) - once).max(axis=-1)
    yield rejects("the first softmax without its logarithm", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    both = rowwise(policy, T, rowwise(policy, T, normalised(logits)))
    gaps = np.abs(np.exp(both) - once).max(axis=-1)
    yield rejects("both softmaxes at T", at_most("", oracle="", residuals=gaps, tolerance=1e-3))


@claim(
    "chang.3.4.interp",
    paper="chang",
    where="Section 3.2, remark on Theorem 3.4, and section 5",
    kind="statement",
    statement="Times T, the objective of Theorem 3.4 is −(KL + (1−T) H) = −(T KL + (1−T) CE): it goes from −KL at "
    "T = 1 to −CE(π,P_G), KL and H equally weighted, as T → 0. Unscaled it diverges; only the ratio 1−T of its two "
    "weights converges, to 1.",
    verdict="holds-with-assumption",
    assumptions="The objective is multiplied by T, which moves no maximiser.",
)
def interpolation(rng: np.random.Generator) -> Evidence:
    """Random policies; T = 1 and ever smaller T."""
    log_pi, log_p = simplex(rng, BATCH, 5, 1e-3), simplex(rng, BATCH, 5, 1e-3)
    T = np.full(BATCH, 1.0)  # noqa: N806
    gaps = np.abs(printed(log_pi, log_p, T) + kl(log_pi, log_p))
    yield at_most("−KL at T = 1", oracle="KL", residuals=gaps, tolerance=ROUNDING)
    for power in (2, 4, 6):
        T = np.full(BATCH, 10.0**-power)  # noqa: N806
        off = T * printed(log_pi, log_p, T) + cross_entropy(log_pi, log_p)
        gaps = np.abs(off - T * entropy(log_pi))
        yield at_most(f"off −CE by T H at T = 1e-{power}", oracle="CE", residuals=gaps, tolerance=ROUNDING)
        ratio = np.abs((1 / T - 1) / (1 / T) - (1 - T))
        yield at_most(
            f"weights in the ratio 1−T at T = 1e-{power}", oracle="algebra", residuals=ratio, tolerance=ROUNDING
        )
    gaps = np.abs(T * printed(log_pi, log_p, T) + kl(log_pi, log_p))
    yield rejects("T times it tends to −KL", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    unscaled = np.abs(printed(log_pi, log_p, T) + cross_entropy(log_pi, log_p))
    yield rejects("the unscaled objective tends to −CE", at_most("", oracle="", residuals=unscaled, tolerance=1e-3))
    # CE > 0.01 here and T = 1e-6.
    yield at_least("unscaled it diverges (nats)", oracle="CE", margins=unscaled, tolerance=1e3)
