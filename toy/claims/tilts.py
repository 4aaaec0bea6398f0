"""What it costs to find a corpus away from the mean: tilts, and the bands that figure 1 spreads its corpora over."""

from functools import partial

import numpy as np

from theory.arrays import expectation, normalised
from theory.covariance import covariance
from theory.information import kl
from theory.language_models import log_dirichlet
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.typicality import corpus_types, counted, type_log_probs
from toy.dirichlet import Floats, replayed_triple
from toy.improbability import bands
from toy.resamplings import drawn
from toy.reversal import EPSILON, SIZE
from toy.tilts import tilted_to


@claim(
    "tan.toy.tilts",
    paper="tan",
    where="section 6.1, on corpora spread over bands of mean log p",
    kind="new result",
    statement="Corpora of N strings with mean log p and mean r near (x, r) have log-probability −N KL(q‖p₊) up to "
    "O(log N), q ∝ p₊ e^(a log p + b r) the tilt with these means; P(mean ≥ x) ≤ e^(−N KL). At N = 100,000 the "
    "released code's outer bands, which span the corpora at hand, cost some nats; bands that span one deviation of a "
    "string cost over 10,000 nats and hold no typical corpus.",
    verdict="holds",
    assumptions="Independent strings of one finite law.",
)
def tilts(rng: np.random.Generator) -> Evidence:
    """Duality, Cramer's bound by enumeration, and the price of bands in the published world."""
    gaps, doubled = zip(*(_duality(rng) for _ in range(50)), strict=True)
    # Newton stops at means within 1e-9; rates are of order 1 and err by the square.
    dual = partial(at_most, oracle="KL of the tilt by enumeration", tolerance=1e-8)
    yield dual("rate less KL(q‖p₊)", residuals=np.concatenate(gaps))
    yield rejects("log E e^(θT) left out", dual("", residuals=np.concatenate(doubled)))
    worlds = [_half_lines(rng) for _ in range(100)]
    log_tail, bound = (np.concatenate(part) for part in zip(*worlds, strict=True))
    # 1e-9: log-factorials of 60 and sums over 1,891 compositions.
    cramer = partial(at_most, oracle="exact multinomial law of the corpus", tolerance=1e-9)
    yield cramer("log P(mean X ≥ x) + N I(x)", residuals=log_tail + bound)
    yield rejects("half as much again for the rate", cramer("", residuals=log_tail + 1.5 * bound))
    compositions = [_compositions(rng) for _ in range(50)]
    log_each, cost, logs = (np.concatenate(part) for part in zip(*compositions, strict=True))
    yield cramer("log P(mean X = x, mean R = r) + N KL", residuals=log_each + cost, tolerance=1e-6)  # N times Newton's
    # Of N strings out of three there are fewer than (N + 1)² compositions, and each is the likeliest under its tilt.
    near = partial(at_least, oracle="exact multinomial law of the corpus", tolerance=-2.0)
    yield near("the same over log(N + 1)", margins=(log_each + cost) / logs)
    yield rejects("half of the rate", near("", margins=(log_each + cost / 2) / logs))

    triple = replayed_triple()
    table = bands(triple, drawn(triple, 1000, SIZE, EPSILON, rng), SIZE, EPSILON).set_index("bands")
    outer = {name: table.loc[name][lambda rows: rows["band"].isin([0, 9])] for name in ("released", "wide")}
    oracle = "exact sums over the published world"
    # One of some 200 typical corpora lies there: e^-5, with a factor e^10 to spare on the low side.
    yield at_least(
        "released: log-probability of the outer bands, nats",
        oracle=oracle,
        margins=outer["released"]["log_probability"],
        tolerance=-15.0,
    )
    far = partial(at_most, oracle=oracle, tolerance=-10_000.0)
    name = "one deviation of a string: log-probability of the outer bands, nats"
    yield far(name, residuals=outer["wide"]["log_probability"])
    yield rejects("the released bands taken for these", far("", residuals=outer["released"]["log_probability"]))
    atypical = partial(at_least, oracle=oracle, tolerance=1.0)
    yield atypical("their distance from typicality, in ε", margins=outer["wide"]["atypicality"])
    middle = table.loc["wide"].query("3 < band < 6")
    yield rejects("the same of the middle bands", atypical("", margins=middle["atypicality"]))


def _duality(rng: np.random.Generator) -> tuple[Floats, Floats]:
    log_p, statistics = log_dirichlet(6, rng), rng.normal(size=(2, 6))
    theta = rng.normal(size=(20, 2))
    log_q = normalised(log_p + theta @ statistics)
    means = np.stack([expectation(log_q, row) for row in statistics], axis=-1)
    found, exact = tilted_to(log_p, statistics, means), kl(log_q, log_p)
    return np.abs(found.rate - exact), np.abs((found.theta * means).sum(axis=-1) - exact)


def _compositions(rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """log P of corpora of three strings by their two means, N KL of the tilt to these, and log(N + 1)."""
    log_p, statistics = log_dirichlet(3, rng, 2.0), rng.normal(size=(2, 3))
    found = []
    for size in (20, 80, 320):
        counts = rng.multinomial(size - 3, rng.dirichlet(np.ones(3), 10)) + 1  # every string once, for a finite tilt
        rate = tilted_to(log_p, statistics, counts @ statistics.T / size).rate
        found.append([type_log_probs(log_p, counts), size * rate, np.full(10, np.log(size + 1))])
    first, second, third = np.concatenate(found, axis=-1)
    return first, second, third


def _half_lines(rng: np.random.Generator, size: int = 60) -> tuple[Floats, Floats]:
    log_p, x = log_dirichlet(3, rng, 2.0), rng.normal(size=3)
    mean, deviation = float(expectation(log_p, x)), float(np.sqrt(covariance(log_p, x, x).x))
    levels = np.linspace(mean, mean + min(deviation, 0.9 * (x.max() - mean)), 11)[1:]
    counts = corpus_types(3, size)
    law, means = type_log_probs(log_p, counts), counted(x, counts) / size
    # A mean that equals the level up to rounding belongs to the half-line.
    tails = [np.logaddexp.reduce(law[means >= level - 1e-12]) for level in levels]
    return np.array(tails), size * tilted_to(log_p, x[None], levels[:, None]).rate
