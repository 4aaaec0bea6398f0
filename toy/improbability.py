"""Log-probabilities of the regions of (mean log p, mean r) where corpora are looked for, by tilts of p_+."""

import numpy as np
import pandas as pd

from theory.covariance import covariance
from theory.information import entropy
from toy.dirichlet import Floats, Triple
from toy.resamplings import BANDS, Corpora
from toy.tilts import moments, tilted_to

STRINGS, CLOUD = "deviations of a string", "deviations of a corpus"
SPANS = {STRINGS: 2.0, CLOUD: 4.0}
"""Half the width of a view, in standard deviations of one string, or of a corpus's mean."""


def regions(triple: Triple, size: int, cells: int) -> pd.DataFrame:
    """A grid of cells [cells by cells] in two views: view, mean_log_prior, mean_reward, log_probability = -N I.

    Units: nats. I is the rate of the cell's centre, -inf where no tilt of p_+ has these means.
    Raises ValueError unless size >= 1, cells >= 1, and the reward varies and is no function of log p.
    """
    if size < 1 or cells < 1:
        raise ValueError(f"N and the number of cells must be at least 1, not {size} and {cells}.")
    statistics = np.stack([triple.log_prior, triple.reward])
    centre, deviation = _centre(triple)
    views = []
    for view, span in SPANS.items():
        unit = deviation * span / (np.sqrt(size) if view == CLOUD else 1)
        steps = (2 * np.arange(cells) + 1) / cells - 1
        x, r = np.meshgrid(*(c + u * steps for c, u in zip(centre, unit, strict=True)), indexing="ij")
        rate = tilted_to(triple.log_aligned, statistics, np.stack([x.ravel(), r.ravel()], axis=-1)).rate
        columns = {"mean_log_prior": x.ravel(), "mean_reward": r.ravel(), "log_probability": -size * rate}
        views.append(pd.DataFrame(columns).assign(view=view))
    return pd.concat(views, ignore_index=True)


def bands(triple: Triple, found: Corpora, size: int, epsilon: float) -> pd.DataFrame:
    """What ten bands of mean log p cost: those of the released code, and bands across one string's own deviation.

    Columns: bands (released: over the range of the typical corpora; wide: over E x ± one deviation of a string),
    band, low, high, mean_reward (at the tilt to the nearest edge), log_probability = -N I of that edge (0 where E x is
    inside), atypicality = |E s + H| / epsilon of that tilt (typical iff < 1), share of the typical corpora inside.
    Raises ValueError unless size >= 1, epsilon > 0 and some corpus is typical.
    """
    if size < 1 or not epsilon > 0:
        raise ValueError(f"N must be at least 1 and epsilon positive, not {size} and {epsilon}.")
    (mean, _), (deviation, _) = _centre(triple)
    inside = found.x[found.typical]
    if not inside.size:
        raise ValueError("no corpus is typical, so that the released bands have no range.")
    ends = {"released": (inside.min(), inside.max()), "wide": (mean - deviation, mean + deviation)}
    statistics, tables = triple.log_prior[None], []
    for name, (first, last) in ends.items():
        edges = np.linspace(first, last, BANDS + 1)
        nearest = np.clip(mean, edges[:-1], edges[1:])
        tilt = tilted_to(triple.log_aligned, statistics, nearest[:, None])
        log_q = (
            triple.log_aligned
            + tilt.theta @ statistics
            - moments(triple.log_aligned, statistics, tilt.theta)[0][:, None]
        )
        q = np.exp(log_q)
        table = {
            "bands": name,
            "band": np.arange(BANDS),
            "low": edges[:-1],
            "high": edges[1:],
            "mean_reward": q @ triple.reward,
            "log_probability": -size * tilt.rate,
            "atypicality": np.abs(q @ triple.log_aligned + float(entropy(triple.log_aligned))) / epsilon,
            "share": np.histogram(inside, edges)[0] / len(inside),
        }
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def _centre(triple: Triple) -> tuple[Floats, Floats]:
    """Means and standard deviations of log p and r of one string of p_+."""
    if not (np.all(np.isfinite(triple.log_prior)) and np.all(np.isfinite(triple.reward))):
        raise ValueError("log p and r must be finite: a tilt by an infinite one has an infinite normaliser.")
    p = np.exp(triple.log_aligned)
    parts = covariance(triple.log_aligned, triple.log_prior, triple.reward)
    return np.array([p @ triple.log_prior, p @ triple.reward]), np.sqrt([parts.x, parts.r])
