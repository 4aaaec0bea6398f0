"""Worlds in which the evidence is a latent variable of a known law, and what a policy is worth in them.

The evidence e takes three values of equal probability; P_G(y | e) is a tree for each, and the policy is asked to
speak for e = 0. At a relevant step the next token depends on e, at the others it does not, by construction. Every
prefix ends with probability `STOP`, so that strings reach the later steps.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from theory.arrays import expectation, normalised, shaped
from theory.information import cross_entropy, entropy, kl
from theory.language_models import Floats, Tree, from_scores, log_dirichlet

SYMBOLS, DEPTH, EVIDENCES, STOP = 3, 4, 3, 0.1
LEVELS = np.repeat(np.arange(DEPTH + 1), SYMBOLS ** np.arange(DEPTH + 1))
"""The length of each prefix."""


@dataclass(frozen=True, eq=False)
class World:
    """A batch of worlds.

    given: P_G(. | e), log_steps [B, E, M, V]. without: the model that lacks the evidence, [B, M, V], the marginal
    sum_e p(e) P_G(. | e) or another. relevant: [B, M], whether the token after this prefix depends on e.
    """

    given: Tree
    without: Tree
    relevant: NDArray[np.bool_]

    @cached_property
    def prior(self) -> Tree:
        """P_G(. | e = 0), the anchor."""
        return Tree(self.given.log_steps[:, 0])

    @cached_property
    def marginal(self) -> Tree:
        """sum_e p(e) P_G(. | e), whatever `without` is."""
        return _marginal(self.given)

    @cached_property
    def log_posterior(self) -> Floats:
        """log p(e = 0 | y) of every string, [B, M] nats: the classifier D that grades an answer."""
        return np.asarray(normalised(np.moveaxis(self.given.log_prob, 1, -1))[..., 0])


def mixture(rng: np.random.Generator, batch: int, relevant_steps: int = DEPTH // 2) -> World:
    """Without the evidence the model is the exact marginal, as classifier-free guidance assumes.

    relevant_steps: how many of the four steps depend on e; which ones is drawn anew for each world. There the tokens
    are Dirichlet(1) for each e. Raises ValueError unless batch >= 1 and 0 <= relevant_steps <= DEPTH.
    """
    relevant = _relevant(rng, batch, relevant_steps)
    given = _given(rng, relevant)
    return World(given, _marginal(given), relevant)


def two_prompts(rng: np.random.Generator, batch: int, relevant_steps: int = DEPTH // 2) -> World:
    """Without the evidence the model is no mixture: at relevant steps it is one more Dirichlet draw, as two prompts of
    one language model may be. Raises ValueError as `mixture`.
    """
    relevant = _relevant(rng, batch, relevant_steps)
    given = _given(rng, relevant)
    free = given.log_steps[:, 0]
    another = _with_end(log_dirichlet(SYMBOLS, rng, batch=(batch, LEVELS.size)))
    return World(given, Tree(np.where(relevant[..., None], another, free)), relevant)


def even(rng: np.random.Generator, batch: int) -> World:
    """The control: P_G and the model without the evidence are the same two rows at every prefix, up to the names of the
    tokens, so that the evidence says equally much everywhere and a dynamic temperature is a static one.
    Raises ValueError unless batch >= 1.
    """
    relevant = _relevant(rng, batch, DEPTH)
    own = log_dirichlet(SYMBOLS, rng, batch=(batch, EVIDENCES, LEVELS.size))
    rows = log_dirichlet(SYMBOLS, rng, batch=(2, batch, 1))
    names = rng.permuted(np.broadcast_to(np.arange(SYMBOLS), (batch, LEVELS.size, SYMBOLS)), axis=-1)
    own[:, 0], without = (np.take_along_axis(np.broadcast_to(row, names.shape), names, axis=-1) for row in rows)
    return World(Tree(_with_end(own)), Tree(_with_end(without)), relevant)


def measures(policy: Tree, world: World) -> dict[str, Floats]:
    """What a policy is worth in each world, [B] each, exact.

    Sensibleness: `kl`, KL(pi || P_G(. | e)), and `surprisal`, E_pi[-log P_G(y | e)], nats, the less the better.
    Diversity: `entropy`, H(pi), nats. Attribution: `posterior`, E_pi p(e | y), the probability of success under the
    classifier D(y) = p(e | y), and `information`, E_pi log(p(y | e) / p(y)), nats.
    Raises ValueError on a policy of other worlds.
    """
    shaped(policy.log_steps, world.prior.log_steps.shape, "the policy")
    log_y, anchor = policy.log_prob, world.prior.log_prob
    return {
        "kl": np.asarray(kl(log_y, anchor)),
        "surprisal": np.asarray(cross_entropy(log_y, anchor)),
        "entropy": np.asarray(entropy(log_y)),
        "posterior": np.asarray(expectation(log_y, np.exp(world.log_posterior))),
        "information": np.asarray(expectation(log_y, world.log_posterior + np.log(EVIDENCES))),
    }


def mean_and_interval(values: Floats) -> tuple[float, float, float]:
    """Mean over the worlds with the ends of its 95 % interval (normal): values [B] -> three numbers.

    Raises ValueError unless there are two worlds or more.
    """
    if values.size < 2:
        raise ValueError(f"an interval needs at least two worlds, not {values.size}.")
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))
    return mean, mean - 1.96 * error, mean + 1.96 * error


def _relevant(rng: np.random.Generator, batch: int, steps: int) -> NDArray[np.bool_]:
    if batch < 1:
        raise ValueError(f"there must be at least one world, not {batch}.")
    if not 0 <= steps <= DEPTH:
        raise ValueError(f"the evidence can matter at 0 to {DEPTH} steps of a string, not at {steps}.")
    chosen = rng.permuted(np.broadcast_to(np.arange(DEPTH) < steps, (batch, DEPTH)), axis=-1)
    never = np.zeros((batch, 1), dtype=bool)  # at the greatest length only the end follows
    return np.asarray(np.concatenate([chosen, never], axis=-1)[:, LEVELS])


def _given(rng: np.random.Generator, relevant: NDArray[np.bool_]) -> Tree:
    shape = (len(relevant), EVIDENCES, LEVELS.size)
    own, shared = log_dirichlet(SYMBOLS, rng, batch=shape), log_dirichlet(SYMBOLS, rng, batch=(shape[0], 1, shape[2]))
    return Tree(_with_end(np.where(relevant[:, None, :, None], own, shared)))


def _with_end(log_symbols: Floats) -> Floats:
    """Rows over the symbols, [..., M, n], to the steps of a tree: the end has probability `STOP`, 1 at the last."""
    log_stop = np.full((*log_symbols.shape[:-1], 1), np.log(STOP))
    log_steps = np.concatenate([log_symbols + np.log1p(-STOP), log_stop], axis=-1)
    log_steps[..., LEVELS == DEPTH, :] = [-np.inf] * SYMBOLS + [0.0]
    return log_steps


def _marginal(given: Tree) -> Tree:
    by_string = np.moveaxis(given.log_prob, 1, -1) - np.log(EVIDENCES)
    return from_scores(np.logaddexp.reduce(by_string, axis=-1), SYMBOLS)[0]
