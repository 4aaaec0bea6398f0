"""Counter-based uniforms: what is drawn depends on (seed, prompt, scheme, sample, step) and on nothing else."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def uniforms(seed: int, prompt: str, scheme: str, sample: int, steps: int) -> NDArray[np.float64]:
    """Uniforms in [0, 1) for the steps of one answer, float64 from Philox 4x64 keyed by all that names the answer.

    Raises ValueError on a negative sample number.

    >>> bool((uniforms(0, "p", "s", 3, 8)[:5] == uniforms(0, "p", "s", 3, 5)).all())
    True
    """
    if sample < 0:
        raise ValueError(f"A sample number must be >= 0, not {sample}.")
    counter = np.array([0, sample, _word(scheme), _word(prompt)], dtype=np.uint64)
    key = np.array([seed % 2**64, _word("decoding-tradeoffs")], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(counter=counter, key=key)).random(steps)


def _word(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
