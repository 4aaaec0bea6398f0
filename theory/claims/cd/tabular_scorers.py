"""CD-FUDGE and CD-Q with a table for V: what each aims at, on the answers of the base law and of another policy."""

from functools import partial

import numpy as np

from theory.claims.optimality import ROUNDING
from theory.claims.trees import DEPTH, SYMBOLS, enumerated, passing, random_world
from theory.language_models import Floats, Tree, strings
from theory.ledger import Evidence, at_most, claim, rejects
from theory.prefix_scorers import (
    bellman_target,
    one_token_on,
    prefix_gradient,
    prefix_loss,
    prefix_step,
)


def mean_gradient(law: Floats, values: Floats, targets: Floats) -> Floats:
    """E_y of the tabular gradient by summing over all strings: law [B, M], targets [B, M, M or 1] -> [B, M]."""
    each = prefix_gradient(values[:, None], passing(), targets)
    return np.asarray(np.sum(law[..., None] * each, axis=1))


def swept(tree: Tree, reward: Floats, values: Floats) -> Floats:
    """One full CD-Q sweep: every prefix moves to its Bellman target, all at once."""
    target = bellman_target(tree.log_steps, one_token_on(values, reward, SYMBOLS))
    return prefix_step(values, np.ones_like(values), target, 1.0)


@claim(
    "new.tabular-scorers",
    paper="cd",
    where="Section 3.1, equations 4 and 5, Lemma C.1 and Theorem C.2, with a table for V",
    kind="new result",
    statement="With a table, CD-FUDGE's gradient is reach(s)(V(s) − V*(s)) on average over on-policy answers. CD-Q "
    "needs no average: after k full sweeps V = V* wherever at most k tokens are left, EOS counted. Answers of another "
    "policy μ leave CD-Q's fixed point at V* and move CD-FUDGE's to V^μ, the values of μ.",
    verdict="holds",
)
def tables(rng: np.random.Generator) -> Evidence:
    """Enumeration of strings, of whole runs, and seeded runs against their exact law."""
    tree, reward = random_world(rng, -1.0, 1.0)
    other, _ = random_world(rng, 0.0, 1.0)
    law, values = np.exp(tree.log_prob), rng.normal(size=reward.shape)
    exact, sampled = enumerated(law, reward).state, reward[..., None]

    direction, tiny = rng.normal(size=values.shape), 1e-30
    visits = law @ passing()
    slope = np.imag(prefix_loss(values + 1j * tiny * direction, visits, exact)) / tiny
    gaps = np.abs(slope - np.sum(prefix_gradient(values, visits, exact) * direction, axis=-1))
    yield at_most("the gradient is the loss's", oracle="complex step", residuals=gaps, tolerance=ROUNDING)
    found = mean_gradient(law, values, sampled)
    same = partial(at_most, oracle="enumeration", tolerance=ROUNDING)
    yield same("E ∇ℓ_F = reach (V − V*)", residuals=np.abs(found - visits * (values - exact)).ravel())
    off = np.exp(other.log_prob)
    gaps = np.abs(mean_gradient(off, values, sampled) - (off @ passing()) * (values - exact)).ravel()
    yield rejects("the same off-policy", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    theirs = enumerated(off, reward).state
    gaps = np.abs(mean_gradient(off, theirs, sampled)).ravel()
    yield same("off-policy CD-FUDGE stands still at V^μ", residuals=gaps)

    backed_up = bellman_target(tree.log_steps, one_token_on(exact, reward, SYMBOLS))
    gaps = np.abs(mean_gradient(off, exact, backed_up[:, None])).ravel()
    yield same("off-policy CD-Q stands still at V*", residuals=gaps)
    gaps = np.abs(mean_gradient(off, exact, sampled)).ravel()
    yield rejects("off-policy CD-FUDGE at V*", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    lengths, right, early = np.array([len(s) for s in strings(SYMBOLS, DEPTH)]), [], []
    for k in range(1, DEPTH + 2):
        values = swept(tree, reward, values)
        gaps = np.abs(values - exact)
        right.append(gaps[:, lengths >= DEPTH + 1 - k].ravel())
        early.append(gaps[:, lengths == DEPTH - k].ravel())
    yield same("k sweeps of CD-Q: exact k tokens from the end", residuals=np.concatenate(right))
    gaps = np.concatenate(early)
    yield rejects("a level more", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
