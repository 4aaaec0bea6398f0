"""Do adaptors control the trade-off, as sections 5.2 and 6.2 say they do, where every mean is known exactly?"""

from functools import partial

import numpy as np
import pandas as pd

from theory.covariance import covariance
from theory.ledger import Check, Evidence, at_least, at_most, claim, rejects
from toy import adaptor_moves, temperature_regimes
from toy.claims.shares import RULE, below
from toy.reward_trees import RewardTree, random_worlds
from toy.temperature_regimes import REGIMES, STRENGTHS

WORLDS = 400
STEP = 1e-4
DIFFERENCE = 1e-4  # central differences err by STEP² times a third derivative, below 1e4 for means below 20 nats


@claim(
    "tan.toy.temperature-regimes",
    paper="tan",
    where="section 5.2",
    kind="experiment",
    statement="Printed: a higher temperature gives strings of lower prior probability and thus of higher reward. In "
    "random worlds whose reward is unrelated to log p it mostly does not: with g = 1/T, dE[log p]/dg = Var X + C "
    "and dE[r/β]/dg = Var R + C, so that heat lowers both where C > −min(Var X, Var R), moves them as printed iff "
    "−Var X < C < −Var R, and raises log p where C < −Var X, in nearly half of the worlds under the strongest rewards; "
    "it does as printed where a weak reward is opposed to log p.",
    verdict="not-reproduced",
    assumptions="Rule: at T = 1 and each of six strengths of reward, the share of worlds that move as printed is at "
    "least .95 (lower 95 % limit).",
)
def temperature(rng: np.random.Generator) -> Evidence:
    seed = _seed(rng)
    shares = temperature_regimes.shares(seed, WORLDS).set_index(["kind", "strength", "regime"])
    printed = shares.xs(("unrelated", "trade"), level=("kind", "regime"))
    name = "upper limit of the share that moves as printed, rewards unrelated to log p"
    yield below(name, printed["high"])
    falls = 1 - shares.xs(("unrelated", "reverse"), level=("kind", "regime"))["low"]
    yield rejects("that log p falls, whatever the reward does", below("", falls))
    # .48 of 400 worlds, give or take .025: the limit would have to fall by five of them.
    strong = partial(at_least, oracle="exact binomial limits", tolerance=0.3)
    raised = shares.xs(("unrelated", "reverse"), level=("kind", "regime"))["low"]
    yield strong(
        "lower limit of the share where heat raises log p, strongest reward", margins=[raised.loc[STRENGTHS[-1]]]
    )
    yield rejects("the same of rewards of one nat", strong("", margins=[raised.loc[1.0]]))
    yield at_least(
        "lower limit of the share that moves as printed, weak rewards opposed to log p",
        oracle="exact binomial limits",
        margins=shares.xs(("opposed", "trade"), level=("kind", "regime"))["low"].loc[list(STRENGTHS[:2])],
        tolerance=RULE,
    )
    check = partial(at_most, oracle="central differences of enumerated means", tolerance=DIFFERENCE)
    worlds = random_worlds(rng, WORLDS)
    pairs = [(temperature_regimes.response(worlds, T), _difference(worlds, T)) for T in (0.6, 1.0, 1.8)]
    for side, predicted, wrong in (("log p", 2, 0), ("r", 3, 1)):
        errors = [np.abs(found[predicted] - slopes[wrong]) for found, slopes in pairs]
        yield check(f"slope of E[{side}] in 1/T is Var + C", residuals=np.concatenate(errors))
    parts = covariance(worlds.aligned.log_prob, worlds.x, worlds.r)
    yield rejects("slope Var X alone", check("", residuals=np.abs(parts.x - pairs[1][1][0])))
    curves = temperature_regimes.curves(seed)
    yield _signs("each world found keeps its regime's directions from T = .4 to 2.5, wrong steps", curves)
    yield rejects("the regimes exchanged", _signs("", curves.assign(regime=curves["regime"].map(_exchanged))))


@claim(
    "tan.toy.moves",
    paper="tan",
    where="section 6.2",
    kind="experiment",
    statement="Printed: at T = 1 every truncation gives a higher mean log p and a lower mean reward than ancestral "
    "sampling, and a deeper cut a lower reward. In random worlds log p mostly does rise, but the reward with it, as "
    "the likely strings of p₊ ∝ p e^{r/β} are those of high reward too.",
    verdict="not-reproduced",
    assumptions="Rule: for top-k, nucleus, eta, typical and min-p at three depths each, local and global, the share of "
    "worlds with rewards unrelated to log p whose mean reward does not rise is at least .95 (lower 95 % limit).",
)
def moves(rng: np.random.Generator) -> Evidence:
    table = adaptor_moves.directions(_seed(rng), WORLDS // 4)
    for kind in ("unrelated", "opposed"):
        rows = table[table["kind"] == kind]
        highs = {statement: part["high"] for statement, part in rows.groupby("statement")}
        yield below(f"upper limit of the share whose reward falls, {kind} rewards", highs["r falls"])
        yield below(f"upper limit, a deeper cut lowers it further, {kind} rewards", highs["r falls more"])
        yield rejects(f"that log p rises, {kind} rewards", below("", highs["log p rises"]))
    part = dict(list(table[table["kind"] == "unrelated"].groupby("statement")))
    mostly = partial(at_least, oracle="exact binomial limits", tolerance=0.5)
    yield mostly("lower limit of the share whose log p rises, unrelated rewards", margins=part["log p rises"]["low"])
    yield mostly("lower limit of the share whose reward rises, unrelated rewards", margins=1 - part["r falls"]["high"])
    yield rejects("that the reward mostly falls", mostly("", margins=part["r falls"]["low"]))


@claim(
    "tan.toy.slope",
    paper="tan",
    where="sections 5.1 and 5.2",
    kind="experiment",
    statement="Printed: adaptors choose a point on one trade-off, mean log p against mean reward at slope −β. In a "
    "world chosen to suit that account (trade-off regime, correlation of log p and r below −.8) the slope from p₊ to "
    "the adapted law is −β (1 − ΔS/ΔX), and mean S = X + R moves half to twice as far as X does, at the median.",
    verdict="not-reproduced",
    assumptions="Rule: |ΔS/ΔX| ≤ .1 for at least half of the adapted laws.",
)
def slope(rng: np.random.Generator) -> Evidence:
    found, _ = adaptor_moves.world(_seed(rng))
    table = adaptor_moves.moves(found).dropna(subset="slope")
    name = "share of the adapted laws with |ΔS/ΔX| > .1"
    off = partial(at_least, name, oracle="linear solves over endlessly many strings", tolerance=0.5)
    yield off(margins=[float(np.mean(table["defect"].abs() > 0.1))])
    far = float(np.log2(table["defect"].abs().median()))
    like = partial(at_most, oracle="linear solves over endlessly many strings", tolerance=1.0)
    yield like("median of |ΔS/ΔX|, octaves from 1", residuals=[abs(far)])
    yield rejects("mean S moves a quarter as far", like("", residuals=[abs(far - 2)]))
    predicted = table["line"] * (1 - table["defect"])
    # Means solved for to 1e-12, over a smallest step of some 1e-3 nats.
    check = partial(at_most, oracle="means of X, r and log p₊, each solved for", tolerance=1e-7)
    yield check("slope is −β (1 − ΔS/ΔX)", residuals=(table["slope"] - predicted).abs())
    yield rejects("slope is −β", check("", residuals=(table["slope"] - table["line"]).abs()))


def _difference(worlds: RewardTree, T: float) -> tuple[np.ndarray, np.ndarray]:  # noqa: N803 (the field's symbol)
    below, above = (temperature_regimes.response(worlds, 1 / (1 / T + step)) for step in (-STEP, STEP))
    return (above.x - below.x) / (2 * STEP), (above.r - below.r) / (2 * STEP)


def _signs(name: str, curves: pd.DataFrame) -> Check:
    """Count the steps of a curve, one temperature to the next, that go the wrong way."""
    directions = dict(zip(REGIMES, ((-1, 1), (1, -1), (-1, -1)), strict=True))
    steps = {
        regime: np.sign(np.diff(rows[["log_prior", "reward"]], axis=0)) for regime, rows in curves.groupby("regime")
    }
    wrong = [float(np.sum(steps[regime] != directions[regime])) for regime in REGIMES]
    return at_most(name, oracle="enumerated means", residuals=wrong, tolerance=0)


def _exchanged(regime: str) -> str:
    return REGIMES[(REGIMES.index(regime) + 1) % len(REGIMES)]


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**32))
