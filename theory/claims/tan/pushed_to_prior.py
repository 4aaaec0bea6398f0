"""Equations 13 and 41: does an adaptor of the aligned model act as the same adaptor of the prior, times p(+|y)?"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import Adaptor, ancestral, temperature, top_k
from theory.arrays import normalised
from theory.claims.tan.worlds import World, random_world
from theory.language_models import adapted, aligned, from_scores, random_tree, strings
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.metropolis import total_variation

Floats = NDArray[np.float64]
EXACT = 1e-12  # sums of a few logarithms below 100, then one normalisation
TEMPERATURES = (0.5, 0.8, 1.5, 3.0)
BY_HAND = 170


@claim(
    "tan.eq13-41",
    paper="tan",
    where="equations 13 and 41",
    kind="equation",
    statement="Printed: the globally normalised adaptor of p₊ is that of the prior times p(+|y). Corrected: "
    "temperature tempers both factors, p₊^{1/T} ∝ p^{1/T} e^{r/(βT)}, and truncation keeps sets that p₊'s own "
    "next-token law p(a|s) E[e^{r/β}|sa] decides; the printed form is exact for the identity, for masks fixed in "
    "advance, and where top-k keeps the same sets under both models at every retained prefix.",
    verdict="erratum",
)
def pushed_to_prior(rng: np.random.Generator) -> Evidence:
    beta = float(rng.uniform(0.5, 2))
    worlds = [random_world(rng, n, depth, (300,), beta) for n, depth in ((2, 1), (3, 1), (2, 2))]
    example = _world([0.5, 0.3, 0.2], [0.1, 0.2, 0.9])
    small = "enumeration, worked example of three strings"
    for adaptor in (temperature(0.5), top_k(2)):
        yield at_least(
            f"printed form, {adaptor.name}: distance from the adapted p₊ at the smallest counter-example",
            oracle=small,
            margins=_distance(example, adaptor),
            tolerance=0.3,  # total variation: not a matter of rounding
        )
    yield at_least(
        "printed form, temperature: error of the log-odds of best against worst reward, over |1/T - 1| Δr/β",
        oracle="enumeration of all strings",
        margins=np.concatenate([_odds_error(world, T) for world in worlds for T in TEMPERATURES]),
        # The printed law has e^{r/β} for e^{r/(βT)}: this is exactly 1, where a true equation would have 0.
        tolerance=1 - 1e-9,
    )
    mild = _mild(rng, 9000)
    agree = _same_sets(mild, 2)
    yield at_least(
        "printed form, top-k, where the sets differ: distance over the mass that one law has and the other cuts",
        oracle="enumeration of all strings",
        margins=(_distance(mild, top_k(2)) / _one_sided(mild, 2))[~agree],
        tolerance=1 - 1e-9,  # no coupling moves less; NaN, a failure, were nothing cut
    )
    yield at_least(
        "printed form, top-k: distance where the reward reverses the prior's order",
        oracle="enumeration of all strings",
        margins=np.concatenate([_distance(_reversed(rng, 500), top_k(k)) for k in (1, 2)]),
        tolerance=1 - 1e-12,  # the two supports are disjoint
    )
    tempered = [(world, T) for world in worlds for T in TEMPERATURES]
    yield at_most(
        "corrected, temperature: p₊^{1/T} ∝ p^{1/T} e^{r/(βT)}",
        oracle="powers of whole strings",
        residuals=np.concatenate([_error(w, temperature(T), _string_power(w, T, T)) for w, T in tempered]),
        tolerance=EXACT,
    )
    cut = [(world, k) for world in worlds for k in (1, 2)]
    yield at_most(
        "corrected, top-k: sets decided by p₊",
        oracle="continuations summed and sorted one prefix at a time",
        residuals=np.concatenate([_error(w, top_k(k), _top_k_by_hand(w, k), first=BY_HAND) for w, k in cut]),
        tolerance=EXACT,
    )
    masks = [_mask(rng, world.prior.n_symbols) for world in worlds]
    exact_cases = [(world, mask) for world, mask in zip(worlds, masks, strict=True)]
    exact_cases += [(world, ancestral()) for world in worlds]
    yield at_most(
        "corrected, masks fixed in advance and the identity: the printed form is exact",
        oracle="enumeration of all strings",
        residuals=np.concatenate([_error(w, adaptor, _printed(w, adaptor)) for w, adaptor in exact_cases]),
        tolerance=EXACT,
    )
    yield at_most(
        "corrected, top-k with the same sets under p and p₊: the printed form is exact",
        oracle="enumeration of all strings",
        residuals=_distance(mild, top_k(2))[agree],
        tolerance=EXACT,
    )
    hot = worlds[0]
    for name, errors in (
        ("printed form for temperature", _error(hot, temperature(0.5), _printed(hot, temperature(0.5)))),
        ("only the reward tempered", _error(hot, temperature(0.5), _string_power(hot, 1.0, 0.5))),
        ("printed form for top-k", _distance(worlds[1], top_k(2))),
        ("fixed masks, locally normalised", _local_distance(worlds[2], masks[2])),
        ("top-k where the sets differ", _distance(mild, top_k(2))[~agree]),
    ):
        yield rejects(name, at_most("", oracle="", residuals=errors, tolerance=1e-3))


def _printed(world: World, adaptor: Adaptor) -> Floats:
    """The law of equation 13: the adapted prior times p(+|y) ∝ e^(r/β), normalised."""
    return np.asarray(normalised(adapted(world.prior, adaptor).log_scores + world.reward / world.beta))


def _distance(world: World, adaptor: Adaptor) -> Floats:
    """TV between the globally adapted p_plus and the printed form, one a model."""
    return np.atleast_1d(total_variation(adapted(world.aligned, adaptor).log_global, _printed(world, adaptor)))


def _odds_error(world: World, T: float) -> Floats:  # noqa: N803 (the field's symbol)
    """By how much the printed law misplaces the log-odds of best and worst reward, over |1/T - 1| (max r - min r)/β."""
    miss = adapted(world.aligned, temperature(T)).log_global - _printed(world, temperature(T))
    ends = [side(world.reward, axis=-1)[..., None] for side in (np.argmax, np.argmin)]
    high, low = (np.take_along_axis(miss, end, axis=-1)[..., 0] for end in ends)
    return np.asarray(np.abs(high - low) / (abs(1 / T - 1) * np.ptp(world.reward, axis=-1) / world.beta))


def _one_sided(world: World, k: int) -> Floats:
    """The larger of the masses that the adapted p_plus and the printed law have where the other has none."""
    laws = adapted(world.aligned, top_k(k)).log_global, _printed(world, top_k(k))
    masses = [np.where(np.isneginf(other), np.exp(law), 0.0).sum(axis=-1) for law, other in (laws, laws[::-1])]
    most = np.maximum(*masses)
    return np.where(most > 0, most, np.nan)


def _local_distance(world: World, adaptor: Adaptor) -> Floats:
    claimed = normalised(adapted(world.prior, adaptor).local.log_prob + world.reward / world.beta)
    return total_variation(adapted(world.aligned, adaptor).local.log_prob, np.asarray(claimed))


def _error(world: World, adaptor: Adaptor, log_law: Floats, first: int | None = None) -> Floats:
    """TV between the globally adapted p_plus and `log_law`, for the first models of the batch."""
    return total_variation(adapted(world.aligned, adaptor).log_global[:first], log_law[:first])


def _string_power(world: World, T_prior: float, T_reward: float) -> Floats:  # noqa: N803 (the field's symbol)
    log_w = world.prior.log_prob / T_prior + world.reward / (world.beta * T_reward)
    return np.asarray(normalised(log_w))


def _top_k_by_hand(world: World, k: int, first: int = BY_HAND) -> Floats:
    """Keep a string iff each token is among the k heaviest continuations of p e^(r/β), by summing continuations."""
    n, prefixes = world.prior.n_symbols, strings(world.prior.n_symbols, len(world.prior.level_sizes) - 1)
    laws = []
    for log_p, reward in zip(world.prior.log_prob[:first], world.reward[:first], strict=True):
        mass = {(*y, n): float(m) for y, m in zip(prefixes, np.exp(log_p + reward / world.beta), strict=True)}
        top = {}
        for y in prefixes:
            onward = [sum(m for s, m in mass.items() if s[: len(y) + 1] == (*y, a)) for a in range(n + 1)]
            top[y] = np.argsort(onward)[::-1][:k]
        kept = [m if all(s[t] in top[s[:t]] for t in range(len(s))) else 0.0 for s, m in mass.items()]
        with np.errstate(divide="ignore"):  # log 0 is meant: the string is cut
            laws.append(np.log(np.array(kept) / sum(kept)))
    return np.array(laws)


def _world(p: list[float], success: list[float]) -> World:
    """A law on the strings (), (0,), (1,) with success probabilities p(+|y), beta = 1."""
    prior, _ = from_scores(np.log(p), 2)
    reward = np.log(success)
    return World(prior, reward, 1.0, *aligned(prior, reward))


def _reversed(rng: np.random.Generator, batch: int) -> World:
    """Models of one token out of four, with r = -2 log p, so that p_plus ∝ 1/p reverses the order."""
    prior = random_tree(3, 1, rng, batch=(batch,))
    reward = -2 * prior.log_prob
    return World(prior, reward, 1.0, *aligned(prior, reward))


def _mild(rng: np.random.Generator, batch: int) -> World:
    """Rewards small enough that p and p_plus often, not always, share their most probable tokens."""
    prior = random_tree(2, 2, rng, batch=(batch,))
    reward = rng.uniform(-0.3, 0.3, prior.log_prob.shape)
    return World(prior, reward, 1.0, *aligned(prior, reward))


def _same_sets(world: World, k: int) -> NDArray[np.bool_]:
    """Whether top-k keeps the same strings, hence the same sets at every retained prefix, under both models."""
    kept = [adapted(tree, top_k(k)).log_scores > -np.inf for tree in (world.prior, world.aligned)]
    return np.asarray(np.all(kept[0] == kept[1], axis=-1))


def _mask(rng: np.random.Generator, n_symbols: int) -> Adaptor:
    """Forbid some tokens at every step, whatever the model says; EOS stays."""
    masks = [mask for mask in product([False, True], repeat=n_symbols) if not all(mask) and any(mask)]
    allowed = np.array([*masks[rng.integers(len(masks))], True])
    return Adaptor("fixed mask", lambda log_w: np.where(allowed, log_w, -np.inf))
