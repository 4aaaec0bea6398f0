"""Where the objective that Theorem 3.1 prints lowers the success it was meant to raise: two tokens, all else exact.

Only the ratio of the two success probabilities matters. For lambda <= lambda_c the maximiser raises success iff the
base success exceeds the logarithmic mean (M - m) / log(M / m); for large lambda it is greedy decoding of P_G.
"""

import numpy as np
import pandas as pd

from theory.arrays import shaped
from theory.guidance import classifier_guidance
from theory.language_models import Floats
from theory.literal_guidance import concavity_threshold, literal_guidance

LOW, HIGH = 0.1, 0.9
"""The success probabilities of the paper's two-token case; elsewhere the better token keeps HIGH."""
SHARE = 0.4
"""P_G of the better token where the ratio varies."""


def logarithmic_mean(low: Floats, high: Floats) -> Floats:
    """(M - m) / log(M / m) of success probabilities. Raises ValueError unless 0 < m < M < inf."""
    if not np.all((low > 0) & (low < high) & (high < np.inf)):
        raise ValueError("a logarithmic mean needs success probabilities 0 < m < M.")
    return np.asarray((high - low) / np.log(high / low))


def successes(share: Floats, low: Floats, high: Floats, lam: float) -> dict[str, Floats]:
    """Success probability of P_G, of the printed formula and of the printed objective's argmax: [N] each.

    share: P_G of the better token; low, high: the success probabilities of the two tokens; [N].
    Raises ValueError on other shapes, and as the rules.
    """
    for name, side in (("low", low), ("high", high)):
        shaped(side, shaped(share, (None,), "share").shape, name)
    log_p, q = np.log(np.stack([1 - share, share], axis=-1)), np.stack([low, high], axis=-1)
    policies = {
        "base": log_p,
        "printed": classifier_guidance(log_p, np.log(q), lam),
        "literal": literal_guidance(log_p, np.log(q), lam),
    }
    return {name: np.sum(np.exp(policy) * q, axis=-1) for name, policy in policies.items()}


def phases(points: int) -> pd.DataFrame:
    """Three sections through (lambda, M / m, P_G of the better token), `points` values an axis; all exact.

    An odd number of points has a share of 1/2, where large lambda leaves a tie. Columns section, lam, ratio, share,
    base, printed, literal (success probabilities), lam_c, neutral (the share at which the base success is the
    logarithmic mean). Sections: `line`, lambda alone at Q = (.1, .9) and share .4; `ratio`, lambda and M / m at share
    .4; `share`, lambda and share at Q = (.1, .9). Raises ValueError unless points >= 1.
    """
    if points < 1:
        raise ValueError(f"an axis needs at least one value, not {points}.")
    lams, line = np.geomspace(0.05, 50, points), np.geomspace(0.05, 50, 4 * points)
    fixed = np.full(points, HIGH / LOW)
    sections = {
        "line": (line, fixed[:1], np.full(1, SHARE)),
        "ratio": (lams, np.geomspace(1.1, 100, points), np.full(points, SHARE)),
        "share": (lams, fixed, np.linspace(0.02, 0.98, points)),
    }
    return pd.concat([_section(name, *axes) for name, axes in sections.items()], ignore_index=True)


def _section(name: str, lams: Floats, ratio: Floats, share: Floats) -> pd.DataFrame:
    low, high = HIGH / ratio, np.full_like(ratio, HIGH)
    lam_c = concavity_threshold(np.log(np.stack([low, high], axis=-1)))
    neutral = (logarithmic_mean(low, high) - low) / (high - low)
    still = {"section": name, "ratio": ratio, "share": share, "lam_c": lam_c, "neutral": neutral}
    return pd.concat(
        [pd.DataFrame({**still, "lam": lam, **successes(share, low, high, lam)}) for lam in map(float, lams)]
    )
