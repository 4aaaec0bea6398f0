"""Section 5.3: what can turn a correlation that is positive for strings negative for corpora, and what cannot."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.arrays import normalised
from theory.claims.tan.worlds import random_world
from theory.covariance import Covariance, between_and_within, covariance, pooled, reversal_size, tau
from theory.information import varentropy
from theory.language_models import log_dirichlet
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.typicality import corpus_types, counted, type_log_probs

Floats = NDArray[np.float64]
PROMPTS, OBJECTS, BATCH = 8, 12, 1000
G = 1 / np.linspace(0.6, 1.4, 5)


@claim(
    "tan.sec5.3",
    paper="tan",
    where="section 5.3",
    kind="text",
    statement="Printed: where strings y ~ p₊ have log p and r positively correlated, Proposition 1 makes corpora of "
    "them negatively correlated. Corrected: corpora of independent strings keep the sign, that of τ - 1, "
    "τ = V(p₊)/(Var log p + Var(r/β)); a reversal needs another law of strings (objects counted once each against p₊), "
    "several schemes or prompts, or a selection of corpora.",
    verdict="erratum",
    assumptions="smallest counter-example: two strings with r = log p, correlation +1 for strings and corpora alike",
)
def no_reversal_by_itself(rng: np.random.Generator) -> Evidence:
    world = random_world(rng, 2, 1, (1500,), float(rng.uniform(0.4, 0.7)))
    q, x, r = world.aligned.log_prob, world.prior.log_prob, world.reward / world.beta
    strings = covariance(q, x, r)
    positive = strings.correlation > 0.05
    corpora = [_corpora(q, x, r, size).correlation for size in (2, 10, 30)]
    oracle = "exact multinomial law of the corpus"
    yield at_least(
        "printed: correlation of corpora wherever strings have one above .05",
        oracle=oracle,
        margins=np.concatenate([found[positive] for found in corpora]),
        tolerance=0.05 - 1e-9,  # rounding of a quotient of variances
    )
    two = np.log([[0.7, 0.3]])
    counter = _corpora(normalised(2 * two), two, two, 20).correlation
    # It is 1 exactly.
    worked = "exact law of a worked example"
    yield at_least(
        "printed: two strings, r = log p: correlation of corpora", oracle=worked, margins=counter, tolerance=0.999
    )
    # Products of signs.
    agree = partial(at_least, oracle=oracle, tolerance=1.0)
    index = tau(q, x, r)
    ratio = np.abs(index - varentropy(q) / (strings.x + strings.r))
    same = partial(at_most, oracle="varentropy by enumeration", tolerance=1e-12)  # quotients of sums of 3 terms
    yield same("corrected: τ = V(p₊)/(Var log p + Var(r/β))", residuals=ratio)
    signs = np.sign(index - 1)
    yield agree("corrected: sign of the corpora's correlation times that of τ - 1", margins=np.sign(corpora[2]) * signs)
    once, drawn = _change_of_measure(rng, BATCH, noise=0.8)
    # Half of the unit scale on which .9 and -.4 are expected; one draw scatters by less than .1.
    measure = partial(at_least, oracle="sums over 2,000 objects", tolerance=0.5)
    yield measure("corrected: correlation of objects counted once each", margins=once)
    yield measure("corrected: the same less that under p₊", margins=once - drawn)
    yield at_most("corrected: that under p₊", oracle="sums over 2,000 objects", residuals=drawn, tolerance=-0.05)
    _, quiet = _change_of_measure(rng, 50, noise=0.2)
    yield rejects("every change to p₊ reverses", at_most("", oracle="", residuals=quiet, tolerance=-0.05))
    uniform = covariance(np.full_like(q, -np.log(3)), x, r).correlation
    unscaled = varentropy(q) / (strings.x + strings.r * world.beta**2)
    yield rejects("Var r for Var(r/β) in τ", agree("", margins=np.sign(corpora[2]) * np.sign(unscaled - 1)))
    yield rejects("the sign of strings counted once", agree("", margins=np.sign(corpora[2]) * np.sign(uniform)))
    yield rejects("a negative correlation always", at_least("", oracle="", margins=-corpora[2], tolerance=0.0))


@claim(
    "new.prompts",
    paper="tan",
    where="section 5.3 and 6.2, on many prompts",
    kind="new result",
    statement="With temperatures as schemes and prompts that shift X and R together, strings of all prompts can "
    "correlate positively while every prompt's correlate negatively and schemes have B < 0: corpora of N > N* = W/|B| "
    "strings then reverse. One prompt alone, or prompts without the shift, show no reversal.",
    verdict="holds",
    assumptions="the prompt is the confounder: shifts leave each prompt's tempered laws as they are; every string of a "
    "corpus draws its prompt afresh",
)
def prompts(rng: np.random.Generator) -> Evidence:
    cells, x, r = _prompt_worlds(rng, 1000)
    shift = rng.normal(size=(1000, PROMPTS, 1)) * 12
    shifted = _over_prompts(cells, x + shift, r + shift)
    plain = _over_prompts(cells, x, r)
    strings = [pooled(*parts, 1).correlation for parts in (shifted, plain)]
    within_prompt = covariance(cells, *(_wide(side, cells) for side in (x, r))).correlation
    confounded = strings[0] > 0.1  # a small shift, by chance, confounds nothing
    threshold = reversal_size(shifted[0].xr, shifted[1].xr)
    check = partial(at_least, oracle="sums over prompts, schemes and strings")
    # Figures of order 1 on these worlds (B of order 0.01): a sign beyond doubt.
    yield check("share of 1,000 worlds with a pooled correlation above .1", margins=[confounded.mean()], tolerance=0.9)
    yield check("minus the correlation within a prompt", margins=-within_prompt.ravel(), tolerance=0.3)
    yield check("minus the covariance B of the schemes' means", margins=-shifted[0].xr, tolerance=1e-3)
    drawn = partial(at_least, oracle="corpora drawn in 20 worked examples", tolerance=0.1)
    signs = [
        sign * _drawn_correlation(rng, cells[i], (x + shift)[i], (r + shift)[i], int(factor * threshold[i]))
        for i in np.flatnonzero(confounded)[:20]
        for factor, sign in ((2.0, -1), (0.5, 1))
    ]
    # ∓|B|/2 and |B| in the covariance make these .3 or so, and 1,500 corpora scatter by .026.
    yield drawn("minus the correlation of corpora at 2 N*, and that at N*/2", margins=signs)
    yield check("minus the correlation of strings without the shift", margins=-strings[1], tolerance=0.3)
    yield rejects("no shift, yet a positive pooled correlation", check("", margins=strings[1], tolerance=0.1))
    yield rejects("the pooled correlation read as that of a prompt", check("", margins=-strings[0], tolerance=0.3))
    blind = _over_prompts(normalised(np.zeros_like(cells)), x + shift, r + shift)
    yield rejects("schemes that do not differ", check("", margins=-blind[0].xr, tolerance=1e-3))
    early = [_drawn_correlation(rng, cells[0], (x + shift)[0], (r + shift)[0], int(threshold[0] / 2))]
    yield rejects("the reversal at N*/2", drawn("", margins=-np.array(early)))


def _corpora(log_q: Floats, x: Floats, r: Floats, size: int) -> Covariance:
    counts = corpus_types(x.shape[-1], size)
    return covariance(type_log_probs(log_q, counts), counted(x, counts), counted(r, counts))


def _change_of_measure(rng: np.random.Generator, batch: int, noise: float) -> tuple[Floats, Floats]:
    """p_plus ~ Dirichlet(0.1), log p = 0.8 log p_plus + noise: correlation of objects counted once, under p_plus."""
    log_q = log_dirichlet(2000, rng, 0.1, (batch,))
    x = normalised(0.8 * log_q + noise * rng.normal(size=log_q.shape))
    once, drawn = (covariance(law, x, log_q - x).correlation for law in (np.full_like(log_q, -np.log(2000)), log_q))
    return once, drawn


def _prompt_worlds(rng: np.random.Generator, batch: int) -> tuple[Floats, Floats, Floats]:
    """Laws [B, prompts, schemes, M] of p_plus at five temperatures; X and R [B, prompts, M] with R near -k X."""
    x = normalised(1.5 * rng.normal(size=(batch, PROMPTS, OBJECTS)))
    k = rng.uniform(0.4, 0.7, (batch, 1, 1))
    r = -k * x + 0.1 * rng.normal(size=x.shape)
    return normalised(G[:, None] * (x + r)[..., None, :]), x, r


def _wide(side: Floats, cells: Floats) -> Floats:
    return np.broadcast_to(side[..., None, :], cells.shape)


def _over_prompts(cells: Floats, x: Floats, r: Floats) -> tuple[Covariance, Covariance]:
    """B and W of the schemes, each scheme answering every prompt equally often."""
    laws = np.moveaxis(cells, -3, -2) - np.log(PROMPTS)
    flat = laws.reshape(*laws.shape[:-2], -1)
    return between_and_within(flat, x.reshape(x.shape[0], -1), r.reshape(r.shape[0], -1))


def _drawn_correlation(rng: np.random.Generator, cells: Floats, x: Floats, r: Floats, size: int) -> float:
    """Corr(mean X, mean R) of 300 corpora of each scheme, every string's prompt drawn evenly: cells [prompts, K, M]."""
    laws = np.exp(np.moveaxis(cells, 1, 0).reshape(len(G), -1)) / PROMPTS
    counts = rng.multinomial(size, laws / laws.sum(axis=-1, keepdims=True), size=(300, len(G))).reshape(-1, x.size)
    return float(np.corrcoef(counts @ x.ravel(), counts @ r.ravel())[0, 1])
