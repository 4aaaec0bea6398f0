"""What the objective printed in Theorem 3.1 does to attribution once it is maximised, the printed formula aside."""

import numpy as np

from theory.claims.chang.literal_objective import GRID, on_grid
from theory.language_models import Floats
from theory.ledger import Check, Evidence, at_least, at_most, claim, rejects
from theory.literal_guidance import concavity_threshold
from toy.anti_attribution import logarithmic_mean, successes
from toy.evidence import mean_and_interval, mixture
from toy.guidance_tradeoffs import changes, classifier_base, classifier_literal

PAIRS, WORLDS = 2000, 300


@claim(
    "chang.toy.anti-attribution",
    paper="chang",
    where="Section 4.1, after equation (1), and section 5",
    kind="experiment",
    statement="The discriminative term of Theorem 3.1 would promote attribution. Its own maximiser need not: over two "
    "tokens with success probabilities m < M and λ ≤ 4mM/(M−m)² it raises success iff P_G succeeds with more than the "
    "logarithmic mean (M−m)/log(M/m), and as λ grows it becomes greedy decoding of P_G, whatever the classifier says.",
    verdict="not-reproduced",
)
def two_tokens(rng: np.random.Generator) -> Evidence:
    """Random pairs of tokens; the paper's objective on a grid as oracle."""
    low, high = np.sort(rng.uniform(0.05, 0.95, size=(2, PAIRS)), axis=0)
    high = np.maximum(high, 1.1 * low)
    share = rng.uniform(0.02, 0.98, size=PAIRS)
    lam_c = concavity_threshold(np.log(np.stack([low, high], axis=-1)))
    yield _side("below λ_c success rises iff it exceeds the logarithmic mean", share, low, high, lam_c)
    middles = {"arithmetic": (low + high) / 2, "geometric": np.sqrt(low * high)}
    for name, middle in middles.items():
        yield rejects(f"the {name} mean", _side("", share, low, high, lam_c, middle))

    greedy = np.where(share > 0.5, high, low)
    settled = np.abs(share - 0.5) > 0.01
    ends = np.abs(successes(share, low, high, 1e5)["literal"] - greedy)[settled]
    # At lambda = 1e5 and M / m >= 1.1 the other token's odds are below e^-400.
    yield at_most("λ = 1e5 is greedy decoding", oracle="argmax of P_G", residuals=ends, tolerance=1e-12)
    best = np.abs(high - greedy)[settled]
    yield rejects("the better token at λ = 1e5", at_most("", oracle="", residuals=best, tolerance=1e-3))

    yield from _named()


@claim(
    "chang.toy.attribution-literal",
    paper="chang",
    where="Section 4.1, after equation (1), and section 5",
    kind="experiment",
    statement="In worlds of several steps the printed objective's maximiser, at every prefix, raises E p(e|y) on "
    "average at λ = .5, 1, 2 and 4, though by less than the printed formula does.",
    verdict="reproduced",
    assumptions="On average over random worlds and D(y) = p(e|y); in single worlds success can fall "
    "(chang.toy.anti-attribution).",
)
def several_steps(rng: np.random.Generator) -> Evidence:
    """Means over worlds, of the gain and of what the formula gains beyond it."""
    world = mixture(rng, WORLDS)
    for lam in (0.5, 1.0, 2.0, 4.0):
        literal, formula = (changes(world, rule, lam)["posterior"] for rule in (classifier_literal, classifier_base))
        margins = [mean_and_interval(gain)[1] for gain in (literal, formula - literal)]
        yield at_least(
            f"gain, and lead of the formula, λ = {lam:g}", oracle="enumeration", margins=margins, tolerance=0
        )
    lead = [mean_and_interval(literal - formula)[1]]
    yield rejects("the objective ahead of the formula", at_least("", oracle="", margins=lead, tolerance=0))


def _side(name: str, share: Floats, low: Floats, high: Floats, lam_c: Floats, middle: Floats | None = None) -> Check:
    """Whether success rises, against what the mean says, at those of 20 strengths that lie below a pair's λ_c."""
    middle = logarithmic_mean(low, high) if middle is None else middle
    base = (1 - share) * low + share * high
    wrong = []
    for lam in np.geomspace(0.1, 100, 20):
        used = (lam <= lam_c) & (np.abs(base / middle - 1) > 1e-6)  # at the mean itself nothing moves
        rises = successes(share, low, high, float(lam))["literal"] > base
        wrong.append((rises != (base > middle))[used])
    return at_most(name, oracle="enumeration", residuals=np.concatenate(wrong).astype(float), tolerance=0.0)


def _named() -> Evidence:
    """P_G = (.6, .4), Q = (.1, .9), λ = 1, the maximum found on a grid that knows nothing of the solver."""
    share, low, high = (np.array([value]) for value in (0.4, 0.1, 0.9))
    found = {name: float(value[0]) for name, value in successes(share, low, high, 1.0).items()}
    t = GRID[int(on_grid(np.array([0.6, 0.4]), np.array([0.1, 0.9]), 1.0).argmax())]
    # The grid's spacing is 1e-4.
    gap = abs(found["literal"] - (t * 0.1 + (1 - t) * 0.9))
    yield at_most("the argmax at P_G = (.6,.4), Q = (.1,.9)", oracle="grid", residuals=[gap], tolerance=1e-4)
    lost = [found["base"] - found["literal"]]
    yield at_least("success it loses there", oracle="grid", margins=lost, tolerance=0.3)
    kept = [found["base"] - found["printed"]]
    yield rejects("the printed formula loses it", at_least("", oracle="", margins=kept, tolerance=0.3))
