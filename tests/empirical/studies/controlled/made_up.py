"""Made-up rows of the controlled-decoding study, whose truth is known: gain = c sqrt(KL), and noise by prompt."""

import numpy as np
import pandas as pd

from empirical.studies.controlled.cells import (
    BASE,
    BEST,
    BLOCKS,
    COLUMNS,
    DPO,
    FUDGE,
    HH,
    IPO,
    LENGTH,
    METRIC,
    ON_DPO,
    PPO,
    SUMMARY,
    TOKENS,
    Q,
)

BLOCK, T_MAX = 16, 64
SCALES = {
    (BEST, ""): 1.0,
    (BLOCKS, Q): 1.0,
    (BLOCKS, FUDGE): 0.8,
    (TOKENS, Q): 0.7,
    (TOKENS, FUDGE): 0.65,
    (PPO, ""): 0.5,
    (DPO, ""): 0.45,
    (IPO, ""): 0.4,
    (ON_DPO + BLOCKS, Q): 1.1,
    (ON_DPO + BEST, ""): 0.85,
}
"""(method, scorer) -> c, in units of UNIT of the metric: the order in which the paper ranks them on the length."""
UNIT = {LENGTH: 0.25, HH: 0.12, SUMMARY: 0.12}
BETAS, LAMBDAS, KS = (0.5, 0.2, 0.1, 0.05), (0.5, 1, 2, 4), (1, 2, 4, 6, 8, 16, 32)


def bound(K):  # noqa: N803
    return np.log(K) - (K - 1) / K


def settings(task, role):
    """(method, scorer, knobs, kl) of every point."""
    for K in (*KS, 50):  # noqa: N806
        yield BEST, "", {"knob": "K", "value": K}, bound(K)
    scorers = (Q, FUDGE) if role == "own" else (Q,)
    for scorer in scorers:
        for M in (1, 4, 8, 16, 32) if scorer == Q and role == "own" else (BLOCK,):  # noqa: N806
            for K in KS:  # noqa: N806
                weights = (0.0, 0.25, 0.5) if scorer == FUDGE and task == HH and M == BLOCK else (0.0,)
                for weight in weights:
                    knobs = {"knob": "K", "value": K, "M": M, "weight": weight}
                    yield BLOCKS, scorer, knobs, bound(K) * np.ceil(48 / M)
        for lam in LAMBDAS:
            yield TOKENS, scorer, {"knob": "lambda", "value": lam}, 0.4 * lam**1.5
    if role == "other":
        return
    for method in (PPO, DPO, IPO):
        for beta in BETAS:
            yield method, "", {"knob": "beta", "value": beta}, 0.25 / beta
    for beta in BETAS[:3]:
        for K in KS if beta == 0.2 else (4, 8, 16):  # noqa: N806
            knobs = {"knob": "K", "value": K, "beta": beta}
            yield ON_DPO + BLOCKS, Q, {**knobs, "M": BLOCK, "weight": 0.0}, 0.25 / beta + 3 * bound(K)
            yield ON_DPO + BEST, "", knobs, 0.25 / beta + bound(K)


def made_up(seed=0, prompts=40, scales=None, noise=0.02, tasks=(LENGTH, HH, SUMMARY)):
    """Cells of a world with the given scales; small blocks waste their KL, a weight on the length shortens."""
    scales = SCALES | (scales or {})
    rng, parts = np.random.default_rng(seed), []
    for task in tasks:
        names = [f"{task}-{number:02}" for number in range(prompts)]
        level, usual = rng.normal(-1, 0.3, prompts), rng.uniform(20, 40, prompts)
        for role in ("own", "other") if task != SUMMARY else ("own",):
            about = {"task": task, "role": role, "base": f"{role} base", "answers": 16}
            every = [(BASE, "", {}, 0.0), *settings(task, role)]
            for method, scorer, knobs, kl in every:
                gain = UNIT[task] * scales.get((method, scorer), 0.0) * np.sqrt(kl)
                M, weight = knobs.get("M", BLOCK), knobs.get("weight", 0.0)  # noqa: N806
                gain = gain * (1 - 0.1 * np.log2(BLOCK / M) if M < BLOCK else 1) * (1 - weight)
                spent = np.full(prompts, kl) * (1 if method in (BASE, BEST) else rng.uniform(0.9, 1.1, prompts))
                noisy = 0.0 if method == BASE else gain + noise * rng.normal(size=prompts)
                win = 0.5 + noisy if METRIC[task] == "win" else np.full(prompts, np.nan)
                reward = level + (noisy if METRIC[task] == "reward" else 3 * noisy)
                longer = 1 + (1.2 - 4.8 * weight) * gain if METRIC[task] == "win" else np.exp(noisy)
                selects = method in (BEST, BLOCKS) or method.startswith(ON_DPO)
                made = {
                    **dict.fromkeys(("value", "M", "weight", "beta", "kl_sum"), np.nan),
                    **{"method": method, "scorer": scorer, "knob": ""},
                    **about,
                    **knobs,
                    "prompt_id": np.array(names),
                    "kl_bound": spent,
                    "kl_estimate": spent * (0.9 if selects else 1),
                    "reward": reward,
                    "win": win,
                    "tokens": usual * longer,
                    **({"kl_sum": spent * 0.95} if method.startswith(ON_DPO) else {}),
                }
                parts.append({name: np.broadcast_to(made[name], prompts) for name in COLUMNS})
    return pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in COLUMNS})


def predictions(seed=0, prompts=40, noise=None):
    """Rewards of whole answers as either scorer foresees them."""
    rng, frames = np.random.default_rng([seed, 1]), []
    for number in range(prompts):
        actual = np.log(rng.integers(2, T_MAX + 1, 8) / T_MAX)
        for scorer, spread in (noise or {Q: 0.2, FUDGE: 0.4}).items():
            predicted = 0.9 * actual - 0.1 + spread * rng.normal(size=8)
            about = {
                "scorer": scorer,
                "prompt_id": f"length-{number:02}",
                "sample_id": range(8),
                "tokens": np.exp(actual) * T_MAX,
            }
            frames.append(pd.DataFrame({**about, "actual": actual, "predicted": predicted}))
    return pd.concat(frames, ignore_index=True)


def pairs(seed=0, count=600):
    """Human pairs that the reward head ranks rightly more often than the scorers."""
    rng, frames = np.random.default_rng([seed, 2]), []
    for method, (train, test) in {"reward head": (0.8, 0.71), Q: (0.63, 0.62), FUDGE: (0.62, 0.61)}.items():
        split = np.where(np.arange(count) < count // 2, "train", "test")
        right = rng.random(count) < np.where(split == "train", train, test)
        about = {"method": method, "split": split, "conversation": np.arange(count) // 2}
        frames.append(pd.DataFrame({**about, "right": right.astype(float)}))
    return pd.concat(frames, ignore_index=True)
