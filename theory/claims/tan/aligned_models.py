"""Equations 1 and 2, footnote 4 and appendix D's use of p_plus: what the aligned model inherits from the prior."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.arrays import normalised
from theory.claims.tan.worlds import random_world
from theory.information import entropy, varentropy
from theory.language_models import Tree, aligned, log_dirichlet, random_tree
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.typicality import atypical_probability, chebyshev_bound, corpus_types, counted, trade_off_constant

Floats = NDArray[np.float64]
EXACT = 1e-11  # sums of at most 15 terms, logarithms below 100
BOUND = 3.0  # |r| <= 3 in `random_world`


@claim(
    "tan.eq1-2",
    paper="tan",
    where="equations 1 and 2",
    kind="equation",
    statement="p₊(y) = p(y) e^{r(y)/β} / Z with e^{-B/β} ≤ Z ≤ e^{B/β} for |r| ≤ B; it is Bayes' posterior p(y | +) "
    "under p(+ | y) = c e^{r(y)/β}, for every c ≤ e^{-B/β}, so that p(+) = c Z is not determined.",
    verdict="holds-with-assumption",
    assumptions="bounded reward, tight prior; the Bayesian reading needs p(+ | y) ≤ 1, hence c ≤ e^{-max r/β}",
)
def posterior(rng: np.random.Generator) -> Evidence:
    beta = float(rng.uniform(0.3, 0.8))
    world = random_world(rng, 3, 2, (1000,), beta)
    joint = [_joint(world.prior, world.reward / beta - c) for c in (BOUND / beta, BOUND / beta + 2)]
    check = partial(at_most, oracle="Bayes' rule on every string", tolerance=EXACT)
    yield check("|log Z| - B/β", residuals=np.abs(world.log_z) - BOUND / beta)
    for c, (law, _) in zip(("the largest c", "an e²-th of it"), joint, strict=True):
        yield check(f"p₊ is the posterior for {c}", residuals=_worst(law, world.aligned.log_prob))
    evidence = joint[0][1] - joint[1][1]
    yield check("the two c have log p(+) that differ by 2", residuals=np.abs(evidence - 2))
    yield check("log p(+) = log c + log Z", residuals=np.abs(joint[0][1] + BOUND / beta - world.log_z))
    yield check("p(+ | y) ≤ 1 at the largest c", residuals=(world.reward - BOUND).max(axis=-1))
    for name, log_success in (("r for r/β", world.reward), ("-r/β", -world.reward / beta)):
        wrong = _worst(_joint(world.prior, log_success)[0], world.aligned.log_prob)
        yield rejects(name, check("", residuals=wrong, tolerance=1e-3))
    yield rejects("p(+) the same for both c", check("", residuals=np.abs(evidence), tolerance=1e-3))
    above = world.reward.max(axis=-1) / beta
    yield rejects("p(+ | y) = e^{r/β}, c left out, as a probability", check("", residuals=above, tolerance=1e-3))


@claim(
    "tan.p_plus_eosbounded",
    paper="tan",
    where="appendix D, applied to p₊",
    kind="text",
    statement="If p(eos | y) ≥ ε after every prefix and |r| ≤ B then p₊(eos | y) ≥ ε / (ε + (1-ε) e^{2B/β}) "
    "≥ ε e^{-2B/β}, so the aligned model is eos-bounded too.",
    verdict="holds",
    assumptions="bounded reward; the first bound is attained",
)
def stays_bounded(rng: np.random.Generator) -> Evidence:
    beta, least = float(rng.uniform(0.5, 2)), 0.05
    prior = _ending(random_tree(2, 3, rng, batch=(1000,)), least)
    reward = rng.uniform(-BOUND, BOUND, prior.log_prob.shape)
    reward[::2] = np.where(reward[::2] > 0, BOUND, -BOUND)
    ends = aligned(prior, reward, beta)[0].log_steps[..., -1]
    sharp = np.log(least) - np.logaddexp(np.log(least), np.log1p(-least) + 2 * BOUND / beta)
    check = partial(at_least, oracle="steps of p₊ by enumeration", tolerance=-EXACT)
    yield check("log p₊(eos | y) less the bound", margins=(ends - sharp).min(axis=-1))
    log_e, spread = np.log(rng.uniform(1e-9, 1, 1000)), rng.uniform(0, 50, 1000)  # ε and 2B/β of any size
    both = log_e - np.logaddexp(log_e, np.log1p(-np.exp(log_e)) + spread) - (log_e - spread)
    yield check("the sharp bound less log ε - 2B/β", margins=both)
    leaves = random_tree(2, 1, rng, batch=(1000,)).log_steps[..., 1:, :]
    worst = Tree(np.concatenate([_first_row(rng, least), leaves], axis=-2))
    extreme = np.broadcast_to([-BOUND, BOUND, BOUND], (1000, 3))
    attained = aligned(worst, extreme, beta)[0].log_steps[..., 0, -1]
    yield at_most(
        "attained where stopping at once has reward -B and all else B",
        oracle="steps of p₊ by enumeration",
        residuals=np.abs(attained - sharp),
        tolerance=EXACT,
    )
    once = np.log(least) - BOUND / beta
    yield rejects("ε e^{-B/β}", check("", margins=attained - once))
    yield rejects("p₊(eos | y) ≥ ε", check("", margins=(ends - np.log(least)).min(axis=-1)))


@claim(
    "tan.fn4",
    paper="tan",
    where="footnote 4",
    kind="text",
    statement="Proposition 1 does not need the model q to be p₊: with q's own secret reward r̂ = β log(q/p), "
    "P(|-H(q) - (1/N) Σ log p(y_n) - (1/N) Σ r̂(y_n)/β| ≥ ε) ≤ V(q)/(Nε²).",
    verdict="holds-with-assumption",
    assumptions="q and p share their support; the reward in the statement is q's own, not the true r",
)
def any_model(rng: np.random.Generator) -> Evidence:
    beta, sizes = float(rng.uniform(0.3, 0.8)), (1, 5, 20)
    excess: list[Floats] = []
    foreign: list[Floats] = []
    for size in sizes:
        world = random_world(rng, 2, 1, (400,), beta)
        log_q, counts = log_dirichlet(3, rng, batch=(400,)), corpus_types(3, size)
        secret = log_q - world.prior.log_prob  # r̂ / β
        epsilon = np.sqrt(varentropy(log_q) / size) * rng.uniform(1, 3, 400)
        bound = chebyshev_bound(varentropy(log_q), size, epsilon)
        for kept, reward, log_z in ((excess, secret, 0.0), (foreign, world.reward / beta, world.log_z)):
            total = counted(world.prior.log_prob + reward, counts) / size
            centre = trade_off_constant(np.asarray(log_z), entropy(log_q))
            kept.append(atypical_probability(log_q, counts, total, centre, epsilon) - bound)
    # 1e2 compositions, each with log-factorials below 50
    check = partial(at_most, oracle="exact multinomial law of the corpus", tolerance=EXACT)
    yield check("P(|...| ≥ ε) - V/(Nε²) with the secret reward", residuals=np.concatenate(excess))
    wrong = check("", residuals=np.concatenate(foreign), tolerance=1e-3)
    yield rejects("the true reward with a model that is not p₊", wrong)


def _joint(prior: Tree, log_success: Floats) -> tuple[Floats, Floats]:
    """Bayes' rule, by sums of exponentials: log p(y | +) and log p(+)."""
    joint = np.exp(prior.log_prob + log_success)
    total = joint.sum(axis=-1)
    return np.log(joint / total[..., None]), np.log(total)


def _worst(log_p: Floats, log_q: Floats) -> Floats:
    return np.asarray(np.abs(log_p - log_q).max(axis=-1))


def _ending(tree: Tree, least: float) -> Tree:
    """The tree with every step mixed with a sure end: p(eos | y) >= least."""
    log_steps = tree.log_steps + np.log1p(-least)
    log_steps[..., -1] = np.logaddexp(log_steps[..., -1], np.log(least))
    return Tree(normalised(log_steps))


def _first_row(rng: np.random.Generator, least: float) -> Floats:
    rows = log_dirichlet(2, rng, batch=(1000, 1)) + np.log1p(-least)
    return np.concatenate([rows, np.full((1000, 1, 1), np.log(least))], axis=-1)
