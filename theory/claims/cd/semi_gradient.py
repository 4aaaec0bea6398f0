"""CD-Q: the semi-gradient loss of equation 5 in tabular form, where the data may come from any policy."""

import numpy as np

from theory.claims.optimality import ROUNDING
from theory.claims.trees import DEPTH, enumerated, passing, random_world
from theory.language_models import Floats, Tree
from theory.ledger import Evidence, at_most, claim, rejects
from theory.prefix_scorers import bellman_target, one_token_on, prefix_step


def swept(tree: Tree, reward: Floats, state: Floats, rate: Floats, times: int) -> Floats:
    """Move V(s) by `rate` towards its stopped target E_p V(s z), the reward for z = EOS, all s at once: [B, M] each."""
    for _ in range(times):
        target = bellman_target(tree.log_steps, one_token_on(state, reward, tree.n_symbols))
        state = prefix_step(state, np.ones_like(state), target, rate)
    return state


@claim(
    "cd.eq5",
    paper="cd",
    where="Equation 5",
    kind="algorithm",
    statement="CD-Q regresses V_θ(y^t) on the stopped target E_p V_θ([x, y^t, z]), r at EOS. In tabular form its only "
    "fixed point is V*, whatever policy the data come from, and full steps reach it in one sweep a level; FUDGE on the "
    "data of another policy learns that policy's values. It is not the gradient of L*, nor of any loss in V_θ.",
    verdict="holds-with-assumption",
    assumptions="A table for V_θ, and data that visit every prefix. With other scorers and off-policy data there is no "
    "guarantee.",
)
def tabular(rng: np.random.Generator) -> Evidence:
    """Full sweeps; damped sweeps at off-policy rates; the Jacobian of the update."""
    tree, reward = random_world(rng, -1.0, 1.0)
    other, _ = random_world(rng, 0.0, 1.0)
    exact = enumerated(np.exp(tree.log_prob), reward).state
    start, full = rng.normal(size=reward.shape), np.ones_like(reward)
    gaps = np.abs(swept(tree, reward, start, full, DEPTH + 1) - exact).ravel()
    yield at_most("one full sweep a level", oracle="enumeration", residuals=gaps, tolerance=ROUNDING)
    gaps = np.abs(swept(tree, reward, start, full, DEPTH) - exact).ravel()
    yield rejects("a sweep too few", at_most("", oracle="", residuals=gaps, tolerance=1e-3))

    law = np.exp(other.log_prob)
    # More at the prefixes that the other policy visits more. An error shrinks by 0.8 or less a sweep once those of
    # the next level are gone: 0.8^297 C(300, 3) is below 1e-21.
    rates = 0.2 + 0.8 * law @ passing()
    gaps = np.abs(swept(tree, reward, start, rates, 300) - exact).ravel()
    yield at_most("V* from the data of another policy", oracle="enumeration", residuals=gaps, tolerance=ROUNDING)
    gaps = np.abs(enumerated(law, reward).state - exact).ravel()
    yield rejects("FUDGE on the same data", at_most("", oracle="", residuals=gaps, tolerance=1e-3))

    # The gradient of a loss has a symmetric Jacobian; the update of V(root) moves with V(child), not vice versa.
    still = np.zeros_like(reward)
    child, parent = (np.eye(reward.shape[-1])[s] + still for s in (1, 0))
    down = swept(tree, still, child, rates, 1)[:, 0]
    gaps = np.abs(down - rates[:, 0] * np.exp(tree.log_steps[:, 0, 0]))
    yield at_most("the parent follows its child", oracle="p", residuals=gaps, tolerance=ROUNDING)
    up = swept(tree, still, parent, rates, 1)[:, 1]
    yield at_most("the child ignores its parent", oracle="zero", residuals=np.abs(up), tolerance=0.0)
    yield rejects("the gradient of some loss", at_most("", oracle="", residuals=np.abs(down - up), tolerance=1e-3))
