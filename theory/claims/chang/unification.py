"""One table for the decoding rules: each is the optimum of J(π) = <π, u> - KL(π ‖ q) + τ H(π) for its own (q, u, τ)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import ancestral, local, min_p, temperature
from theory.arrays import normalised
from theory.best_of import best_of
from theory.certificates import objective
from theory.claims.optimality import BFGS_L1, DECISIVE, FLOOR, ROUNDING, distance, simplex
from theory.guidance import (
    classifier_free_guidance,
    classifier_guidance,
    controlled,
    gibbs,
    greedy,
    kl_guided_temperature,
)
from theory.information import entropy, kl
from theory.ledger import Check, Evidence, at_most, claim, rejects
from theory.solvers import maximise_logits

Floats = NDArray[np.float64]
BATCH, TOKENS, RARE = 1000, 5, 0.01
T, LAM, SIGMA, K, ALPHA = 1.7, 1.3, 0.8, 4, 0.3


@dataclass(frozen=True, eq=False)
class Row:
    """A rule's policy and the objective it is said to maximise: log_policy, log_q, u [B, V]; u = -inf forbids."""

    name: str
    log_policy: Floats
    log_q: Floats
    u: Floats
    tau: float = 0.0

    def score(self, log_pi: Floats) -> Floats:
        """J(π) [B], nats."""
        return np.asarray(objective(log_pi, self.log_q, self.u) + self.tau * entropy(log_pi))


@claim(
    "new.unification",
    paper="chang",
    where="Table 1, with the rules of Mudgal et al. and of the works they compare with",
    kind="proposition",
    statement="Every rule is the optimum of J(π) = <π, u> - KL(π‖q) + τ H(π), and J(π) = max J - (1 + τ) KL(π‖π*) at "
    "every π: ancestral u = 0; temperature u = (1/T - 1) log p, or u = 0 and τ = T - 1; greedy u = 0, τ = -1; CFG and "
    "CAD u = λ log p/p⁻; PREADD q = p⁻, u = a log p/p⁻; DExperts u = a log p_e/p_a; GeDi and FUDGE "
    "u = w log P(c|·); CD u = λV; contrastive q = p_e, u = -log p_a on {p_e ≥ α max p_e}; KL-guided "
    "u = (2^(KL(p‖p⁻)/σ) - 1) log p; best-of-K u = log E[K F^(K-1)], F uniform on (F_y⁻, F_y), which is "
    "(K-1) log F + log K only in the limit without atoms.",
    verdict="holds-with-assumption",
    assumptions="τ > -1 for the identity and a unique optimum; at τ = -1 J is linear and its optima are the laws over "
    "the most probable tokens. q = p where none is named",
)
def unification(rng: np.random.Generator) -> Evidence:
    rows = list(_table(rng, BATCH, RARE))
    for row in rows:
        yield _optimal(row, rng, ROUNDING)
    smooth = [row for row in _table(rng, 200, FLOOR) if row.tau > -1 and np.all(np.isfinite(row.u))]
    climbs = [distance(_climb(row), row.log_policy) for row in smooth]
    yield at_most("argmax of J", oracle="SciPy L-BFGS", residuals=np.concatenate(climbs), tolerance=BFGS_L1)
    for row in rows:
        sharper = np.asarray(normalised(np.where(np.isneginf(row.log_policy), -np.inf, 1.05 * row.log_policy)))
        wrong = row.log_q if row.tau == -1 else sharper
        yield rejects(f"{row.name}: another policy", _optimal(replace(row, log_policy=wrong), rng, DECISIVE))
    yield from _controls({row.name: row for row in rows}, rng)


def _table(rng: np.random.Generator, batch: int, floor: float) -> Iterator[Row]:
    log_p, log_without, log_expert, log_anti = (simplex(rng, batch, TOKENS, floor) for _ in range(4))
    log_success = np.log(rng.uniform(0.05, 1.0, log_p.shape))
    values = rng.uniform(-1, 1, log_p.shape)
    zero, evidence = np.zeros_like(log_p), log_p - log_without
    tempered = np.asarray(local(temperature(T), log_p)[0])
    yield Row("ancestral", np.asarray(local(ancestral(), log_p)[0]), log_p, zero)
    yield Row("temperature by u", tempered, log_p, (1 / T - 1) * log_p)
    yield Row("temperature by τ", tempered, log_p, zero, T - 1)
    yield Row("greedy", np.asarray(greedy(log_p)), log_p, zero, -1.0)
    guided = np.asarray(classifier_free_guidance(log_p, log_without, LAM))
    yield Row("CFG, CAD", guided, log_p, LAM * evidence)
    yield Row("PREADD", guided, log_without, (1 + LAM) * evidence)
    against = LAM * (log_expert - log_anti)
    yield Row("DExperts", np.asarray(gibbs(log_p, against)), log_p, against)
    yield Row("GeDi, FUDGE", np.asarray(classifier_guidance(log_p, log_success, LAM)), log_p, LAM * log_success)
    yield Row("CD", np.asarray(controlled(log_p, values, LAM)), log_p, LAM * values)
    plausible = np.exp(log_expert) >= ALPHA * np.exp(log_expert).max(axis=-1, keepdims=True)
    contrastive = np.asarray(gibbs(min_p(ALPHA)(log_expert), -log_anti))
    yield Row("contrastive", contrastive, log_expert, np.where(plausible, -log_anti, -np.inf))
    informed = (np.exp(log_p) * evidence).sum(axis=-1, keepdims=True)
    u = (2 ** (informed / SIGMA) - 1) * log_p
    yield Row("KL-guided", np.asarray(kl_guided_temperature(log_p, log_without, SIGMA)), log_p, u)
    reward = rng.integers(0, 4, log_p.shape).astype(float)  # four values for five tokens: some always tie
    yield Row("best-of-K", np.asarray(best_of(log_p, reward, K)), log_p, _rank_utility(log_p, reward))


def _optimal(row: Row, rng: np.random.Generator, tolerance: float) -> Check:
    """J(π) = J(π*) - (1 + τ) KL(π ‖ π*) at a random law and at every vertex; where J is linear, J(π) ≤ J(π*)."""
    allowed = ~np.isneginf(row.u)
    interior = np.asarray(normalised(np.where(allowed, rng.normal(size=row.u.shape), -np.inf)))
    best, residuals = row.score(row.log_policy), []
    for log_pi, inside in [(interior, np.full(len(best), True)), *_vertices(allowed)]:
        loss = (best - row.score(log_pi))[inside]
        if row.tau == -1:
            residuals.append(-loss)
        else:
            residuals.append(np.abs(loss - (1 + row.tau) * kl(log_pi, row.log_policy)[inside]))
    oracle = "random laws and all vertices" if row.tau == -1 else "Gibbs identity"
    return at_most(f"{row.name}: optimum of J", oracle=oracle, residuals=np.concatenate(residuals), tolerance=tolerance)


def _vertices(allowed: NDArray[np.bool_]) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    for token in range(allowed.shape[-1]):
        vertex = np.full(allowed.shape, -np.inf)
        vertex[:, token] = 0.0
        yield vertex, allowed[:, token]


def _climb(row: Row) -> Floats:
    return np.asarray(maximise_logits(row.score, np.full(row.u.shape, -np.log(TOKENS))))


def _levels(log_p: Floats, reward: Floats) -> tuple[Floats, Floats]:
    """F⁻ and F of every token: the mass of the lower rewards, and with those that tie."""
    p, mine, theirs = np.exp(log_p)[:, None, :], reward[..., :, None], reward[..., None, :]
    return (p * (theirs < mine)).sum(axis=-1), (p * (theirs <= mine)).sum(axis=-1)


def _rank_utility(log_p: Floats, reward: Floats) -> Floats:
    """log E[K F^(K-1)] by Gauss-Legendre quadrature, exact for a polynomial of degree K - 1."""
    below, up_to = _levels(log_p, reward)
    nodes, weights = np.polynomial.legendre.leggauss(K)
    ranks = below[..., None] + (up_to - below)[..., None] * (nodes + 1) / 2
    return np.asarray(np.log((K * ranks ** (K - 1) * weights / 2).sum(axis=-1)))


def _controls(rows: dict[str, Row], rng: np.random.Generator) -> Evidence:
    preadd, contrast, warm = rows["PREADD"], rows["contrastive"], rows["temperature by τ"]
    guided, classified = rows["KL-guided"], rows["GeDi, FUDGE"]
    log_p, reward = preadd.log_q, rng.permuted(np.tile(np.arange(TOKENS, dtype=float), (BATCH, 1)), axis=-1)
    log_rank = np.log(_levels(log_p, reward)[1])
    planted = {
        "PREADD measured from p": replace(preadd, log_q=rows["CFG, CAD"].log_q),
        "contrastive without the plausible set": replace(
            contrast, u=np.where(np.isneginf(contrast.u), 0.0, contrast.u)
        ),
        "best-of-K with (K-1) log F and atoms": Row(
            "", np.asarray(best_of(log_p, reward, K)), log_p, (K - 1) * log_rank
        ),
        "τ = T": replace(warm, tau=T),
        "p^T for p^(1/T)": replace(warm, log_policy=np.asarray(local(temperature(1 / T), warm.log_q)[0])),
        "KL-guided with the exponent negated": replace(guided, u=-guided.u),
        "P for log P": replace(classified, u=LAM * np.exp(classified.u / LAM)),
    }
    for name, row in planted.items():
        yield rejects(name, _optimal(row, rng, DECISIVE))
