"""Equations 3 and 4: the aligned model minimises a backward KL, and every aligned model has a secret reward."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.arrays import expectation
from theory.claims.tan.worlds import random_world
from theory.information import kl
from theory.language_models import Tree, aligned, random_tree
from theory.ledger import Evidence, at_most, claim, rejects
from theory.metropolis import total_variation

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


def _distance(first: Tree, second: Tree) -> NDArray[np.float64]:
    return total_variation(first.log_prob, second.log_prob)
