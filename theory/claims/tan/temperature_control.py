"""Section 5.2 and footnote 12: does temperature, or top-k, move prior probability and reward as the paper says?"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import Adaptor, temperature, top_k
from theory.arrays import expectation, normalised
from theory.claims.tan.worlds import World, random_world
from theory.information import entropy, varentropy
from theory.language_models import Tree, adapted, aligned, from_scores, random_tree, strings
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.typicality import atypical_probability, corpus_types, counted

Floats = NDArray[np.float64]
H = 1e-4
DIFFERENCE = 1e-5  # central differences err by H² times a third derivative, below 1e3 for logarithms below 10


@claim(
    "tan.temp-control",
    paper="tan",
    where="section 5.2",
    kind="text",
    statement="Printed: a higher temperature lowers the prior probability of strings and so raises their reward. "
    "Corrected: for q_g ∝ p₊^g, g = 1/T, with X = log p, R = r/β and C = Cov_g(X, R): dE[X]/dg = Var X + C and "
    "dE[R]/dg = Var R + C; as T rises X falls and R rises iff -Var X < C < -Var R. "
    "Also dE[log p₊]/dg = Var log p₊, so that corpora of the adapted law leave a narrow typical set of p₊ as N grows: "
    "Proposition 1 says nothing of them.",
    verdict="erratum",
)
def temperature_response(rng: np.random.Generator) -> Evidence:
    likely = _likelihood_reward(rng, 1000)
    cooler, hotter = (_means(likely, temperature(T)) for T in (0.9, 1.1))
    yield at_least(
        "printed direction: fall of the mean reward from T = 0.9 to 1.1 where r is a multiple of log p",
        oracle="enumeration of all strings",
        margins=cooler[1] - hotter[1],
        tolerance=1e-6,  # rounding is 1e-15; the printed direction would have it negative
    )
    strong = _strong_reward()
    cooler, hotter = (_means(strong, temperature(T)) for T in (0.9, 1.1))
    yield at_least(
        "printed direction: rise of the mean log p under a reward that outweighs the prior",
        oracle="enumeration, worked example",
        margins=np.atleast_1d(hotter[0] - cooler[0]),
        tolerance=0.01,  # nats
    )
    worlds = [random_world(rng, n, depth, (500,), beta) for n, depth in ((3, 1), (2, 2)) for beta in (0.5, 2.0)]
    check = partial(at_most, oracle="central differences of the adapted law")
    slopes = [(_slopes(world, 1.2), _covariances(world, 1.2)) for world in worlds]
    cases = list(zip(worlds, slopes, strict=True))
    prior_errors = [np.abs(dx - (vx + c)) for (dx, _), (vx, _, c) in slopes]
    reward_errors = [np.abs(dr - (vr + c)) for (_, dr), (_, vr, c) in slopes]
    yield check("corrected: dE[X]/dg = Var X + C", residuals=np.concatenate(prior_errors), tolerance=DIFFERENCE)
    yield check("corrected: dE[R]/dg = Var R + C", residuals=np.concatenate(reward_errors), tolerance=DIFFERENCE)
    agree = [((dx > 0) & (dr < 0)) == ((-vx < c) & (c < -vr)) for (dx, dr), (vx, vr, c) in slopes]
    yield at_least(
        "corrected: the paper's direction iff -Var X < C < -Var R",
        oracle="signs of central differences",
        margins=np.concatenate(agree).astype(float),
        tolerance=1,
    )
    sums = [np.abs(dx + dr - varentropy(normalised(1.2 * w.aligned.log_prob)) / 1.44) for w, ((dx, dr), _) in cases]
    yield check("corrected: dE[log p₊]/dg = Var log p₊", residuals=np.concatenate(sums), tolerance=2 * DIFFERENCE)
    three = random_world(rng, 2, 1, (340,), 1.0).aligned.log_prob
    leaves = partial(at_most, oracle="exact multinomial law of the corpus", tolerance=1e-11)  # log-factorials of 100
    yield leaves("corrected: P(corpus at T = 1/2 in T_ε of p₊) - 4V/(Ns²), s = 2ε", residuals=_left(three, 2.0))
    yield rejects("corpora of p₊ leave it too", leaves("", residuals=_left(three, 1.0)))
    without_c = np.concatenate([np.abs(dx - vx) for (dx, _), (vx, _, _) in slopes])
    yield rejects("dE[X]/dg = Var X", check("", residuals=without_c, tolerance=1e-3))
    always = np.concatenate([((dx > 0) & (dr < 0)).astype(float) for (dx, dr), _ in slopes])
    yield rejects("the printed direction on every model", at_least("", oracle="", margins=always, tolerance=1))


@claim(
    "tan.fn12",
    paper="tan",
    where="footnote 12",
    kind="text",
    statement="Printed: top-k gives strings of higher mean log-probability under the prior. Corrected: true of "
    "one-step models sampled from the prior itself; over several steps a kept token may lead to longer, less "
    "likely strings.",
    verdict="erratum",
    assumptions="r = 0, so that p₊ = p; the condition that the footnote gives is lost in our copy",
)
def top_k_mean(rng: np.random.Generator) -> Evidence:
    deep = [_branching(d) for d in (2, 3, 4)]
    yield at_least(
        "printed: fall of the mean log p under top-2 where the least likely token ends at once",
        oracle="enumeration, worked examples of 3 depths",
        margins=[-float(_rise(tree, top_k(2))) for tree in deep],
        tolerance=0.05,  # nats
    )
    shallow = random_tree(3, 1, rng, batch=(1000,))
    yield at_least(
        "corrected: rise of the mean log p in one-step models",
        oracle="enumeration of all strings",
        margins=np.concatenate([_rise(shallow, top_k(k)) for k in (1, 2, 3)]),
        tolerance=-1e-12,  # rounding
    )
    several = at_least("", oracle="", margins=_rise(random_tree(2, 3, rng, batch=(1000,)), top_k(1)), tolerance=-1e-3)
    yield rejects("rise in every model of several steps", several)


def _likelihood_reward(rng: np.random.Generator, batch: int) -> World:
    prior = random_tree(3, 1, rng, batch=(batch,))
    return World(prior, prior.log_prob, 1.0, *aligned(prior, prior.log_prob))


def _strong_reward() -> World:
    """r = -2 log p: the reward more than undoes the prior, p_plus ∝ 1/p, so heat brings likely strings back."""
    prior, _ = from_scores(np.log([0.6, 0.3, 0.1]), 2)
    return World(prior, -2 * prior.log_prob, 1.0, *aligned(prior, -2 * prior.log_prob))


def _branching(steps: int) -> Tree:
    """First token .4, .35 or .25; the third ends at once, the others go on for so many fair binary steps."""
    rows = []
    for y in strings(3, steps + 1):
        going_on = y[:1] != (2,) and len(y) <= steps
        rows.append([0.4, 0.35, 0.25, 0] if not y else [0.5, 0.5, 0, 0] if going_on else [0, 0, 0, 1])
    with np.errstate(divide="ignore"):  # log 0 is meant
        return Tree(np.log(rows))


def _means(world: World, adaptor: Adaptor) -> tuple[Floats, Floats]:
    """E[log p] and E[r/β] under the globally adapted p_plus."""
    law = adapted(world.aligned, adaptor).log_global
    return expectation(law, world.prior.log_prob), expectation(law, world.reward / world.beta)


def _slopes(world: World, g: float) -> tuple[Floats, Floats]:
    below, above = (_means(world, temperature(1 / (g + step))) for step in (-H, H))
    return (above[0] - below[0]) / (2 * H), (above[1] - below[1]) / (2 * H)


def _covariances(world: World, g: float) -> tuple[Floats, Floats, Floats]:
    """Var X, Var R and Cov(X, R) under p_plus^g, normalised."""
    law = normalised(g * world.aligned.log_prob)
    x, r = world.prior.log_prob, world.reward / world.beta
    x, r = (side - expectation(law, side)[..., None] for side in (x, r))
    return expectation(law, x * x), expectation(law, r * r), expectation(law, x * r)


def _left(log_plus: Floats, g: float) -> Floats:
    """P(corpus of p_plus^g in T_ε of p_plus) less Chebyshev's bound at g = 2, which moves mean log p_plus by 2 ε."""
    cold, law = normalised(2 * log_plus), normalised(g * log_plus)
    epsilon = (expectation(cold, log_plus) + entropy(log_plus)) / 2
    variance = expectation(cold, log_plus**2) - expectation(cold, log_plus) ** 2
    gaps = []
    for size in (25, 50, 100):
        counts = corpus_types(log_plus.shape[-1], size)
        outside = atypical_probability(law, counts, counted(log_plus, counts) / size, -entropy(log_plus), epsilon)
        gaps.append(1 - outside - variance / (size * epsilon**2))
    return np.concatenate(gaps)


def _rise(tree: Tree, adaptor: Adaptor) -> Floats:
    """E_glob[log p] - E_p[log p], the aligned model being the prior itself."""
    return np.asarray(expectation(adapted(tree, adaptor).log_global, tree.log_prob) + entropy(tree.log_prob))
