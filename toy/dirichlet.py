"""The toy triple: an aligned law drawn from a Dirichlet, a prior that echoes it, and the reward between the two."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from theory.arrays import normalised
from theory.guidance import gibbs

Floats = npt.NDArray[np.float64]
EXPONENT = 1 / 42
NOISE = 0.42
LEGACY_SEED = 42


@dataclass(frozen=True)
class Triple:
    """A prior p, an aligned law p_+ = p e^r (beta = 1, Z = 1) and its reward r on one finite set.

    log_prior, log_aligned, reward: [objects] nats.
    """

    log_prior: Floats
    log_aligned: Floats
    reward: Floats


def dirichlet_triple(
    rng: np.random.Generator | np.random.RandomState,
    objects: int = 1000,
    concentration: float = 0.1,
    exponent: float = EXPONENT,
    noise: float = NOISE,
) -> Triple:
    """Draw p_+ ~ Dirichlet(concentration) and u ~ Uniform(-noise, noise); p = softmax(p_+^exponent + u), r = log p_+/p.

    The power flattens p_+ so much that p keeps only an echo of it; `exponent` and `noise` set how strong an echo.
    Returns a Triple of [objects] arrays. Raises ValueError on a bad parameter, or if some p_+ rounds to 0.
    Source: Tan et al., section 6.1 and appendix G.

    >>> triple = dirichlet_triple(np.random.default_rng(0), objects=5, concentration=1.0)
    >>> bool(np.allclose(triple.log_prior + triple.reward, triple.log_aligned))
    True
    """
    if objects < 2:
        raise ValueError(f"objects must be at least 2, not {objects}.")
    for name, value in (("concentration", concentration), ("exponent", exponent)):
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be a positive number, not {value}.")
    if not 0 <= 2 * noise < float("inf"):  # the width of its interval
        raise ValueError(f"noise must be a number >= 0, not {noise}, and half the largest float at most.")
    aligned = rng.dirichlet(np.full(objects, concentration))
    if not aligned.all():
        raise ValueError(f"concentration {concentration} is so small that a probability rounds to 0; raise it.")
    log_aligned: Floats = np.log(aligned)
    log_prior: Floats = normalised(aligned**exponent + rng.uniform(-noise, noise, objects))
    return Triple(log_prior, log_aligned, log_aligned - log_prior)


def replayed_triple(noise: float = NOISE) -> Triple:
    """The published toy world, 1,000 objects, from NumPy's legacy stream with seed 42, bit for bit.

    Raises ValueError as `dirichlet_triple`.

    >>> float(replayed_triple().log_prior.max().round(4))
    -6.3457
    """
    return dirichlet_triple(np.random.RandomState(LEGACY_SEED), noise=noise)


def unrelated(triple: Triple, rng: np.random.Generator) -> Triple:
    """The control world: the same prior and the same rewards, dealt out at random; p_+ = p e^r / Z follows them.

    Reward and prior are independent, so a trade-off found here says nothing about rewards. The constant log Z is
    folded into the reward, as in `dirichlet_triple`, so that Z = 1.
    """
    log_aligned: Floats = gibbs(triple.log_prior, rng.permutation(triple.reward))
    return Triple(triple.log_prior, log_aligned, log_aligned - triple.log_prior)
