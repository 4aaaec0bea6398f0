"""What Chang et al. say of the two guidances' attribution, in worlds where the classifier and p(e, y) are exact.

The rule, fixed before the run: a sentence that a rule raises attribution is reproduced iff the 95 % interval of the
mean change over the random worlds lies on the claimed side at every strength looked at; a sentence about every policy
or every world must hold in each to rounding; neither rule is better iff each is ahead in 5 % of the worlds.
"""

import numpy as np

from theory.claims.optimality import ROUNDING
from theory.claims.trees import apart
from theory.guidance import classifier_guidance
from theory.language_models import Floats, Tree
from theory.ledger import Check, Evidence, at_least, at_most, claim, rejects
from theory.values import log_values
from toy.dynamic_temperature import MATCHED, matching, tilted
from toy.evidence import World, mean_and_interval, measures, mixture, two_prompts
from toy.guidance_tradeoffs import Rule, changes, classifier_base, classifier_free, classifier_self

WORLDS = 1000
STRENGTHS = (0.5, 1.0, 2.0, 4.0)


@claim(
    "chang.toy.attribution-discriminative",
    paper="chang",
    where="Section 5, the discriminative information; section 4.1",
    kind="experiment",
    statement="Guided by a classifier D(y) = p(e|y), P_G Q^λ with λ > 0 never lowers the probability of success E D, "
    "whether Q is taken under P_G or under the policy itself: at each step Q and π/P_G rise together.",
    verdict="reproduced",
    assumptions="The formula is used, not the printed objective (chang.toy.anti-attribution).",
)
def discriminative(rng: np.random.Generator) -> Evidence:
    """Exact success probabilities, in every world."""
    world = mixture(rng, WORLDS)
    for name, rule in {"base values": classifier_base, "self-consistent": classifier_self}.items():
        lost = np.concatenate([-changes(world, rule, lam)["posterior"] for lam in STRENGTHS])
        yield at_most(name, oracle="enumeration", residuals=lost, tolerance=ROUNDING)
    lost = -changes(world, classifier_base, -1.0)["posterior"]
    yield rejects("the classifier inverted", at_most("", oracle="", residuals=lost, tolerance=1e-3))


@claim(
    "chang.toy.attribution-generative",
    paper="chang",
    where="Section 5, the generative information; section 4.2",
    kind="experiment",
    statement="Classifier-free guidance raises attribution, E p(e|y) and E log p(y|e)/p(y), on average over worlds, at "
    "λ = .5, 1, 2 and 4.",
    verdict="reproduced",
    assumptions="The model without the evidence is the exact marginal. If it is not, attribution peaks at a "
    "moderate λ and then falls.",
)
def generative(rng: np.random.Generator) -> Evidence:
    """Means over worlds; what is left of them when the model without the evidence is another prompt."""
    world, other = mixture(rng, WORLDS), two_prompts(rng, WORLDS)
    yield _rises("with the marginal", world, classifier_free, STRENGTHS)
    peak, far = (changes(other, classifier_free, lam) for lam in (1.5, 8.0))
    yield _rises("with two prompts: what λ = 1.5 gains", other, classifier_free, (1.5,))
    lost = [mean_and_interval(peak[key] - far[key])[1] for key in ("posterior", "information")]
    yield at_least("with two prompts: what λ = 8 loses of it", oracle="enumeration", margins=lost, tolerance=0.0)
    yield rejects("negative scales", _rises("", world, classifier_free, (-0.5,)))


@claim(
    "chang.toy.bridge",
    paper="chang",
    where="Section 2 and section 4.2, first interpretation",
    kind="experiment",
    statement="Attribution bridges the two guidances: classifier-free guidance is classifier guidance of P_G by "
    "D(y) = p(e|y), its success probabilities being those of the model without the evidence, "
    "P⁻(r=1|s⁻,a) = p(e|s⁻,a).",
    verdict="reproduced",
    assumptions="The model without the evidence is the exact marginal, and the rollouts are its own, not P_G's.",
)
def bridge(rng: np.random.Generator) -> Evidence:
    """Both policies, every string."""
    world, other = mixture(rng, WORLDS), two_prompts(rng, WORLDS)
    for lam in STRENGTHS:
        gaps = apart(classifier_free(world, lam), _guided_without(world, lam))
        yield at_most(f"the same policy, λ = {lam:g}", oracle="enumeration", residuals=gaps, tolerance=ROUNDING)
    wrong = {
        "P_G's own rollouts": apart(classifier_free(world, 1.0), classifier_base(world, 1.0)),
        "two prompts": apart(classifier_free(other, 1.0), _guided_without(other, 1.0)),
    }
    for name, gaps in wrong.items():
        yield rejects(name, at_most("", oracle="", residuals=gaps, tolerance=1e-3))


@claim(
    "chang.toy.which-guidance",
    paper="chang",
    where="Section 4.2, first interpretation",
    kind="experiment",
    statement="Neither guidance would be better as such. With an exact classifier one is: at equal KL from P_G, "
    "classifier guidance with base values at λ = 1 has at least the E log p(e|y) of every policy, so of "
    "classifier-free guidance, and the higher E p(e|y) in more than 95 % of the worlds: it looks ahead.",
    verdict="not-reproduced",
    assumptions="The classifier is the exact posterior p(e|y), and its success probabilities under P_G are known.",
)
def which(rng: np.random.Generator) -> Evidence:
    """The two at the same KL, found as a root in each world."""
    world, measure = mixture(rng, WORLDS), MATCHED["kl"][0]
    graded, inside = classifier_base(world, 1.0), np.isfinite(world.prior.log_steps)
    target = measure(graded.log_prob, world.prior.log_prob)
    evidence = np.zeros(inside.shape)
    np.subtract(world.prior.log_steps, world.without.log_steps, out=evidence, where=inside)
    free = tilted(world.prior, evidence, matching(world.prior, evidence, measure, target))
    residual = np.abs(measure(free.log_prob, world.prior.log_prob) - target)
    yield at_most("KL matched", oracle="root", residuals=residual, tolerance=ROUNDING)
    ahead = {key: value - measures(free, world)[key] for key, value in measures(graded, world).items()}
    yield _never_behind("E log p(e|y) of classifier guidance ahead", ahead["information"])
    yield rejects("classifier-free guidance ahead", _never_behind("", -ahead["information"]))
    yield _almost_always("worlds in which its E p(e|y) is ahead", ahead["posterior"])
    yield rejects("classifier-free guidance ahead in most worlds", _almost_always("", -ahead["posterior"]))


@claim(
    "chang.toy.negative-scale",
    paper="chang",
    where="Section 1, on PREADD",
    kind="experiment",
    statement="A negative scale disobeys the evidence: attribution falls below P_G's for λ = −.5, −1 and −2, and at "
    "λ = −1 the policy is the model without the evidence.",
    verdict="reproduced",
)
def negative(rng: np.random.Generator) -> Evidence:
    """The policy at −1 and the means over worlds."""
    for name, world in {"marginal": mixture(rng, WORLDS), "two prompts": two_prompts(rng, WORLDS)}.items():
        gaps = apart(classifier_free(world, -1.0), world.without)
        yield at_most(f"λ = −1, {name}", oracle="P_G⁻", residuals=gaps, tolerance=ROUNDING)
        yield _rises(f"attribution lost, {name}", world, classifier_free, (-0.5, -1.0, -2.0), sign=-1)
    halfway = apart(classifier_free(world, -0.5), world.without)
    yield rejects("λ = −1/2 for it", at_most("", oracle="", residuals=halfway, tolerance=1e-3))
    yield rejects("positive scales", _rises("", world, classifier_free, (0.5, 1.0), sign=-1))


def _rises(name: str, world: World, rule: Rule, strengths: tuple[float, ...], sign: float = 1) -> Check:
    """Both measures of attribution, the lower ends of the intervals of their mean change."""
    found = [changes(world, rule, lam) for lam in strengths]
    margins = [mean_and_interval(sign * change[key])[1] for change in found for key in ("posterior", "information")]
    return at_least(name, oracle="enumeration", margins=margins, tolerance=0.0)


def _never_behind(name: str, ahead: Floats) -> Check:
    return at_most(name, oracle="Gibbs variational principle", residuals=-ahead, tolerance=ROUNDING)


def _almost_always(name: str, ahead: Floats) -> Check:
    return at_least(name, oracle="enumeration", margins=[float(np.mean(ahead > 0))], tolerance=0.95)


def _guided_without(world: World, lam: float) -> Tree:
    """P_G guided by the success probabilities of the model without the evidence."""
    log_q = log_values(world.without, world.log_posterior).action
    return Tree(classifier_guidance(world.prior.log_steps, log_q, lam))
