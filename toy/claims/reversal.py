"""The control that figure 1 needs, and the phase diagrams of Simpson's reversal."""

from functools import partial

import numpy as np
import pandas as pd

from theory.covariance import reversal_size, reversal_threshold
from theory.ledger import Check, Evidence, at_least, at_most, claim, rejects
from toy.boundaries import noise_threshold, published_shrinkage
from toy.dirichlet import EXPONENT, Floats, dirichlet_triple, unrelated
from toy.phase_diagrams import over_schemes, over_selections, over_worlds
from toy.resamplings import drawn, measures
from toy.reversal import EPSILON, SIZE
from toy.simpson import PRINTED

WORLDS = 20


@claim(
    "tan.toy.unrelated-reward",
    paper="tan",
    where="section 7, on the reversal's independence of strings; figure 1",
    kind="experiment",
    statement="The corpora's trade-off arises out of typicality, whatever strings' probability and reward have to do "
    "with each other. Rule: reproduced if a reward that knows nothing of the prior shows figure 1's −.92 within two "
    "deviations under the same selection and bands. It follows that −.92 is no evidence about a reward.",
    verdict="reproduced",
    assumptions="Fresh worlds with their rewards dealt out anew, 1,000 corpora of 100,000 objects, 30 replications.",
)
def unrelated_reward(rng: np.random.Generator) -> Evidence:
    """Correlations before and after the selection, for rewards that are independent of the prior."""
    rows = []
    for replication in range(30):
        world = unrelated(dirichlet_triple(rng), rng)
        each = measures(world, drawn(world, 1000, SIZE, EPSILON, rng), SIZE)
        rows += [(replication, law, value) for law, quantity, value in each if quantity == "pearson"]
    long = pd.DataFrame(rows, columns=["replication", "law", "value"])
    found = long.pivot(index="replication", columns="law", values="value")
    mean, deviation = found.mean(), found.std()
    off = (mean - PRINTED["corpus_pearson_typical_banded"]).abs() / deviation
    rule = partial(at_most, oracle="independence by construction", tolerance=2.0)
    yield rule("distance of −.92 from the typical, banded corpora, in deviations", residuals=[off["bands, typical"]])
    yield rejects("banded but not selected", rule("", residuals=[off["bands"]]))
    strong = partial(at_most, oracle="independence by construction")
    # −.80 is what a uniform strip 2 ε wide and the prior's deviation give; half of it is no accident of a world.
    yield strong("typical corpora, no bands", residuals=found["corpora, typical"], tolerance=-0.4)
    yield rejects("corpora as drawn", strong("", residuals=found["corpora, as drawn"], tolerance=-0.4))
    # 5 standard errors of a mean of 30: a false alarm in some 20,000.
    zero = partial(at_most, oracle="independence by construction", tolerance=5.0)
    errors = (mean / (deviation / np.sqrt(30))).abs()
    before = ["strings, once each", "strings, weighted by p₊", "corpora, as drawn"]
    yield zero("before the selection: standard errors from no correlation", residuals=errors[before])
    yield rejects("after the selection", zero("", residuals=[errors["corpora, typical"]]))


@claim(
    "tan.toy.phase-diagram",
    paper="tan",
    where="section 5.3 and 6.1, on when strings and corpora disagree",
    kind="new result",
    statement="In the toy world, p ∝ exp(p₊^s + u) and u ~ U(−n, n), log p and r correlate positively iff n < n*, "
    "n*² = 3 (Cov(f, l) − Var f), f = p₊^s, l = log p₊, under the law that weighs strings; typical corpora subtract "
    "(1 − κ) Cov(f, l)(1 − Cov(f, l)/Var l). The reversal lies between the n* of two laws. With equal variances, "
    "selection reverses iff ρ < ρ*(P(typical)), and schemes with B < 0 < B + W iff N > W/|B|.",
    verdict="holds",
    assumptions="Many objects (Gamma moments), Gaussian means; checked by simulation with 1,000 objects.",
)
def phase_diagrams(rng: np.random.Generator) -> Evidence:
    """Simulated cells on both sides of each exact boundary."""
    s, n = EXPONENT * np.geomspace(0.5, 16, 6), np.linspace(0, 3, 7)
    worlds = over_worlds(s, n, WORLDS, rng)
    kappa = published_shrinkage(SIZE, EPSILON)
    edge = {weighting: noise_threshold(s, weighting, kappa) for weighting in ("uniform", "aligned", "typical")}
    exact = _thresholds(worlds, s, edge)
    yield _signs("sign of n* − n, worlds", worlds, exact - worlds["noise"])
    exchanged = edge | {"uniform": edge["aligned"], "aligned": edge["uniform"]}
    yield rejects("the laws' n* exchanged", _signs("", worlds, _thresholds(worlds, s, exchanged) - worlds["noise"]))

    rho, kept = np.linspace(-0.6, 0.9, 11), np.array([0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.96])
    selections = over_selections(rho, kept, WORLDS, rng)
    threshold = reversal_threshold(selections["probability"].to_numpy())
    yield _signs("sign of ρ − ρ*, typical corpora", selections, selections["correlation"] - threshold)
    linear = 1 - selections["probability"]
    yield rejects("ρ* = 1 − P", _signs("", selections, selections["correlation"] - linear))
    yield _near("correlation of typical corpora less the Gaussian law's", selections)
    yield rejects("no selection", _near("", selections.assign(predicted=selections["correlation"])))

    schemes = over_schemes(np.geomspace(0.03, 0.5, 5), np.array([1, 4, 16, 64, 256, 1024]), WORLDS, rng)
    size = reversal_size(schemes["between"].to_numpy(), schemes["within"].to_numpy())
    yield _signs("sign of N* − N, pooled schemes", schemes, np.sign(size - schemes["size"]))
    yield rejects("N* four times as large", _signs("", schemes, np.sign(4 * size - schemes["size"])))
    yield _near("correlation of pooled corpora less that of B + W/N", schemes)
    alone = schemes.assign(predicted=schemes.loc[schemes["size"] == 1, "predicted"].mean())
    yield rejects("strings' own correlation at every N", _near("", alone))


def _thresholds(cells: pd.DataFrame, exponents: Floats, edge: dict[str, Floats]) -> Floats:
    place = np.searchsorted(exponents, cells["exponent"])
    return np.array([edge[weighting][i] for weighting, i in zip(cells["weighting"], place, strict=True)])


def _signs(name: str, cells: pd.DataFrame, side: "pd.Series[float] | np.ndarray") -> Check:
    """The mean over replicates times the predicted sign, in every cell whose predicted size is .15 or more.

    Strings under p₊ scatter by .1 a world (some 90 objects carry it), so a mean of 20 by .025: six of them are .15.
    """
    clear = (cells["predicted"].abs() >= 0.15).to_numpy()
    margins = (np.sign(np.asarray(side)) * cells["value"].to_numpy())[clear]
    return at_least(name, oracle="simulation", margins=margins, tolerance=0.0)


def _near(name: str, cells: pd.DataFrame) -> Check:
    """Distance of mean and prediction in units of 7 standard errors + .02.

    7: Student's t with 19 degrees puts 1e-6 beyond; .02: bias of a correlation of 90 points, and of the normal law.
    """
    error = (cells["high"] - cells["low"]) / (2 * 1.96)
    residuals = (cells["value"] - cells["predicted"]).abs() / (7 * error + 0.02)
    return at_most(name, oracle="simulation", residuals=residuals, tolerance=1.0)
