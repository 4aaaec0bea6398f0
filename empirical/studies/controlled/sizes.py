"""How much of the eight experiments is run: prompts, answers and the sweeps of every knob."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Counts of one run.

    prompts of each task; answers to each at a setting that chooses among candidates, and single of one that does not,
    which costs a candidate's share; pool: answers of the base (and of a DPO policy) to each, from which best-of-K is
    taken; opponents: further answers of the base, against which wins are counted; max_new: T_max; block: M where a
    figure is not about it. K of blocks (experiments name some more) and of best-of-K; M of experiments 6 and 8;
    strengths: lambda in units of one over the reward's standard deviation within a prompt; weights: of the length
    against helpfulness, in standard deviations of either; betas: of trained policies, as many as there are adapters, at
    most so many; tuned: how many of DPO's, the strongest first, are themselves chosen from. rows: texts a step of the
    engine; resamples: of the bootstrap over prompts.
    """

    prompts: int
    answers: int
    single: int
    pool: int
    opponents: int
    max_new: int = 64
    block: int = 16
    K: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    K_answers: tuple[int, ...] = (2, 4, 8, 16, 32, 50)
    M: tuple[int, ...] = (1, 4, 8, 16, 32)
    strengths: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    weights: tuple[float, ...] = (0.25, 0.5, 1.0)
    budgets: tuple[int, ...] = (4, 8, 16)
    betas: int = 4
    tuned: int = 3
    rows: int = 64
    resamples: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if max(*self.K_answers, *self.budgets) > self.pool:
            raise ValueError(f"The best of {max(self.K_answers)} cannot be taken from a pool of {self.pool} answers.")
        if self.max_new < 1 or min(self.prompts, self.answers, self.single, self.opponents, *self.K, *self.M) < 1:
            raise ValueError("Every count of a run must be at least 1.")


SMOKE = Size(
    prompts=3, answers=2, single=3, pool=16, opponents=4, max_new=6, block=2, K=(1, 4), K_answers=(4, 8, 16), M=(2, 4),
    strengths=(1.0,), weights=(0.5,), betas=2, rows=32, resamples=100,
)  # fmt: skip
"""For tiny random models, in seconds."""
LIVE = Size(
    prompts=2, answers=2, single=2, pool=16, opponents=8, max_new=32, K=(1, 4), K_answers=(4, 8, 16), M=(16, 32),
    strengths=(2.0,), weights=(0.5,), betas=1, tuned=1,
)  # fmt: skip
"""Every method once or twice, in minutes on two cores: shows that the code makes such rows, and decides nothing."""
STANDARD = Size(
    prompts=12, answers=2, single=8, pool=64, opponents=16, K=(1, 2, 4, 8, 16), weights=(0.25, 0.5), tuned=1
)  # fmt: skip
"""For the tables that ship: 1.3 million tokens if no answer ends early, some two hours of a core."""
PAPER = Size(prompts=40, answers=16, single=64, pool=256, opponents=32)
"""49 million tokens: days of two cores."""
SIZES = {"live": LIVE, "standard": STANDARD, "paper": PAPER}
