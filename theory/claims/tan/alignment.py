"""Equations 3 and 4, appendix F: the aligned model minimises a backward KL; every model has a secret reward."""

from functools import partial, reduce

import numpy as np
from numpy.typing import NDArray

from theory.arrays import expectation
from theory.claims.tan.worlds import random_world
from theory.covariance import covariance
from theory.information import kl
from theory.language_models import Tree, aligned, random_tree
from theory.ledger import Evidence, at_most, claim, rejects
from theory.metropolis import total_variation

Floats = NDArray[np.float64]
PROMPTS = 4
EXACT = 1e-11  # sums of at most 13 terms, logarithms below 100


@claim(
    "tan.eq3",
    paper="tan",
    where="equation 3",
    kind="equation",
    statement="KL(q ‖ p₊) = log Z + KL(q ‖ p) - E_q[r]/β for every q, so that minimising the backward KL is maximising "
    "E_q[r] - β KL(q ‖ p).",
    verdict="holds",
)
def backward_kl(rng: np.random.Generator) -> Evidence:
    beta = float(rng.uniform(0.3, 0.8))
    world = random_world(rng, 3, 2, (1000,), beta)
    log_q = random_tree(3, 2, rng, batch=(1000,)).log_prob
    divergence = kl(log_q, world.aligned.log_prob)
    prior_kl, mean_reward = kl(log_q, world.prior.log_prob), expectation(log_q, world.reward)
    objective = mean_reward - beta * prior_kl
    optimum = expectation(world.aligned.log_prob, world.reward) - beta * kl(
        world.aligned.log_prob, world.prior.log_prob
    )
    check = partial(at_most, oracle="enumeration of all strings, random q", tolerance=EXACT)
    printed = world.log_z + prior_kl - mean_reward / beta
    yield check("the identity", residuals=np.abs(divergence - printed))
    regret = np.abs(beta * world.log_z - objective - beta * divergence)
    yield check("β log Z - objective(q) = β KL(q ‖ p₊)", residuals=regret)
    yield check("objective(p₊) = β log Z", residuals=np.abs(optimum - beta * world.log_z))
    for name, wrong in (
        ("log Z left out", prior_kl - mean_reward / beta),
        ("r for r/β", world.log_z + prior_kl - mean_reward),
        ("KL(p ‖ q) for KL(q ‖ p)", world.log_z + kl(world.prior.log_prob, log_q) - mean_reward / beta),
    ):
        yield rejects(name, check("", residuals=np.abs(divergence - wrong), tolerance=1e-3))


@claim(
    "tan.eq4",
    paper="tan",
    where="equation 4",
    kind="equation",
    statement="Every model q with the support of p is the aligned model of the secret reward "
    "r(y) = β log(q(y)/p(y)) + β log Z, whatever the constant Z.",
    verdict="holds-with-assumption",
    assumptions="q and p share their support; the reward is bounded only where log q/p is; Z depends on the prompt",
)
def secret_reward(rng: np.random.Generator) -> Evidence:
    beta = float(rng.uniform(0.3, 0.8))
    prior, q = (random_tree(3, 2, rng, batch=(1000,)) for _ in range(2))
    log_z = rng.normal(size=(1000, 1))
    log_ratio = q.log_prob - prior.log_prob
    tree, recovered = aligned(prior, beta * (log_ratio + log_z), beta)
    check = partial(at_most, oracle="the model that the reward was made of", tolerance=EXACT)
    yield check("the aligned model is q", residuals=_distance(tree, q))
    yield check("its normaliser is Z", residuals=np.abs(recovered - log_z[:, 0]))
    yield check("without the constant it is still q", residuals=_distance(aligned(prior, beta * log_ratio, beta)[0], q))
    for name, reward in (("log p - log q, the opposite sign", -beta * log_ratio), ("β left out", log_ratio)):
        wrong = _distance(aligned(prior, reward, beta)[0], q)
        yield rejects(name, check("", residuals=wrong, tolerance=1e-3))


@claim(
    "tan.appF",
    paper="tan",
    where="appendix F",
    kind="text",
    statement="Printed for models aligned by DPO: r̂ = β log(q/p), the constant β log Z(x) omitted. With X = log p: "
    "within one prompt, and over corpora with a fixed number of strings of each prompt, covariances of X and r̂ do not "
    "change; over strings pooled across prompts Cov(X, r̂) changes by Cov_x(E[X|x], β log Z(x)). Always "
    "Cov(X, r̂/β) = Cov(X, log q) - Var X: part of the anti-correlation is arithmetic.",
    verdict="holds-with-assumption",
    assumptions="one prompt, or corpora that hold each prompt equally often; the measured correlations of the text's "
    "7B models are not testable here",
)
def constant_omitted(rng: np.random.Generator) -> Evidence:
    prior, q = (random_tree(2, 2, rng, batch=(1000, PROMPTS)) for _ in range(2))
    beta, constant = float(rng.uniform(0.3, 0.8)), rng.normal(scale=3, size=(1000, PROMPTS, 1))
    x, secret = prior.log_prob, beta * (q.log_prob - prior.log_prob)
    within = covariance(q.log_prob, x, secret)
    check = partial(at_most, oracle="sums over prompts, strings and corpora", tolerance=EXACT)
    shifted = covariance(q.log_prob, x, secret + constant)
    yield check("one prompt: the covariance without the constant", residuals=np.abs(shifted.xr - within.xr).ravel())
    fixed = [(1, 1), (2, 1)]  # strings of the first prompt, and of the second
    corpora = [
        _corpus_covariance(q.log_prob, x, side, [size]) for size in fixed for side in (secret + constant, secret)
    ]
    gaps = np.concatenate([np.abs(a - b) for a, b in zip(corpora[::2], corpora[1::2], strict=True)])
    yield check("corpora of fixed numbers of strings of two prompts", residuals=gaps)
    pooled_law = (q.log_prob - np.log(PROMPTS)).reshape(1000, -1)
    pooled = [covariance(pooled_law, _flat(x), _flat(side)).xr for side in (secret + constant, secret)]
    means = expectation(q.log_prob, x)
    centred = means - means.mean(axis=-1, keepdims=True)
    moved = (centred * constant[..., 0]).mean(axis=-1)
    yield check("pooled strings: the change is Cov_x(E[X|x], β log Z)", residuals=np.abs(pooled[0] - pooled[1] - moved))
    with_q = covariance(q.log_prob, x, q.log_prob)
    gaps = np.abs(within.xr / beta - with_q.xr + within.x)
    yield check("Cov(X, r̂/β) = Cov(X, log q) - Var X", residuals=gaps.ravel())
    drawn = [_corpus_covariance(q.log_prob, x, side, [(2, 0), (0, 2)]) for side in (secret + constant, secret)]
    moving = check("", residuals=np.abs(drawn[0] - drawn[1]), tolerance=1e-3)
    yield rejects("corpora of two strings of a prompt drawn at random do not feel it either", moving)
    unmoved = np.abs(pooled[0] - pooled[1])
    yield rejects("pooled strings do not feel the constant", check("", residuals=unmoved, tolerance=1e-3))
    yield rejects(
        "Cov(X, r̂/β) = Cov(X, log q)", check("", residuals=np.abs(within.xr / beta - with_q.xr).ravel(), tolerance=1e-3)
    )


def _corpus_covariance(log_q: Floats, x: Floats, r: Floats, designs: list[tuple[int, int]]) -> Floats:
    """Cov(mean X, mean R) of corpora that hold so many strings of two prompts, each design equally often."""
    laws, means = [], []
    for design in designs:
        drawn = [prompt for prompt, size in enumerate(design) for _ in range(size)]
        law, mean_x, mean_r = (
            reduce(lambda a, b: (a[..., None] + b[:, None, :]).reshape(len(a), -1), [side[:500, k] for k in drawn])
            for side in (log_q, x, r)
        )
        laws.append(law - np.log(len(designs)))
        means.append((mean_x / len(drawn), mean_r / len(drawn)))
    mean_x, mean_r = (np.concatenate(side, axis=-1) for side in zip(*means, strict=True))
    return covariance(np.concatenate(laws, axis=-1), mean_x, mean_r).xr


def _flat(side: Floats) -> Floats:
    return side.reshape(len(side), -1)


def _distance(first: Tree, second: Tree) -> Floats:
    return total_variation(first.log_prob, second.log_prob)
