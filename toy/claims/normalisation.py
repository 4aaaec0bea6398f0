"""Do locally normalised adaptors stand in for the global ones, as section 6.2 says they do?"""

from functools import partial

import numpy as np
import pandas as pd

from theory.ledger import Evidence, at_least, at_most, claim, rejects
from toy import endless, normalisations
from toy.adaptor_menu import TEMPERATURES, TRUNCATIONS, adaptor
from toy.claims.shares import RULE, below
from toy.reward_trees import random_worlds, single

WORLDS = 400  # a share of .85, the largest here, scatters by .018: its upper limit lies nearly four of them below .95
EXACT = 1e-10  # sums of some 200 probabilities times logarithms below 100


@claim(
    "tan.toy.local-global",
    paper="tan",
    where="section 6.2",
    kind="experiment",
    statement="Printed: over 90 % of the proposals of every locally normalised adaptor, at temperatures .5 to 1.5, are "
    "accepted, so that it stands in for the global one. In random worlds nucleus (.9, .95), typical (.9) and eta "
    "(.0009) sampling pass at T = 1 alone; KL(p_glob ‖ p_loc) = E_glob Σ log Z_t − log Z, KL(p_loc ‖ p_glob) = log Z − "
    "E_loc Σ log Z_t, and a law with p(eos | aⁿ) = 1/(n+2) keeps only 1 − π/sinh π of its mass at local T = 1/2.",
    verdict="not-reproduced",
    assumptions="Rule: at each of the 20 settings the share of worlds with a stationary acceptance above .9 is at "
    "least .95 (lower 95 % limit).",
)
def normalisation(rng: np.random.Generator) -> Evidence:
    rates = normalisations.accepted(int(rng.integers(2**32)), WORLDS)
    tempered = rates["adaptor"].str.startswith("temperature")
    yield below("upper limit of the share accepted above .9, worst setting", [rates["high"].min()])
    passes = partial(at_least, oracle="exact binomial limits", tolerance=RULE)
    yield passes("lower limit of the share accepted above .9, settings at T = 1", margins=rates.loc[~tempered, "low"])
    yield rejects("the best tempered setting", passes("", margins=[rates.loc[tempered, "low"].max()]))
    yield rejects("the settings at T = 1 alone", below("", [rates.loc[~tempered, "high"].min()]))
    yield below("upper limit of the share accepted above .9, tempered settings", rates.loc[tempered, "high"])
    found = pd.concat(_distances(rng) for _ in range(20))
    check = partial(at_most, oracle="enumeration of all strings", tolerance=EXACT)
    for one, other in (("global", "local"), ("local", "global")):
        errors = (found[f"kl_{one}_{other}"] - found[f"enumerated_{one}_{other}"]).abs()
        yield check(f"KL of the {one} law from the {other} one by its normalisers", residuals=errors)
    swapped = (found["kl_global_local"] - found["enumerated_local_global"]).abs()
    yield rejects("the two directions exchanged", check("", residuals=swapped))
    yield check("TV − (1 − a)", residuals=found["tv"] - found["tv_high"])
    yield check("(1 − a)/2 − TV", residuals=found["tv_low"] - found["tv"])
    leak = partial(at_most, oracle="closed form of the infinite product", tolerance=1e-13)  # 20 logarithms and a series
    limit = np.pi / np.sinh(np.pi)
    name = "P(endless) at local temperature 1/2 is π/sinh π"
    yield leak(name, residuals=[abs(endless.endless_mass(0.5) - limit)])
    yield rejects("T = .51", leak("", residuals=[abs(endless.endless_mass(0.51) - limit)]))


def _distances(rng: np.random.Generator) -> pd.DataFrame:
    tree = single(random_worlds(rng, 1, **normalisations.ENSEMBLE), 0).aligned
    menu = {**TRUNCATIONS, "temperature": TEMPERATURES}
    chosen = [
        (family, s, adaptor(family, s, tree.n_symbols + 1)) for family, strengths in menu.items() for s in strengths
    ]
    return normalisations.distances(tree, chosen)
