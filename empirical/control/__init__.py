"""Controlled decoding of real models: tokenwise p e^(lambda V), blockwise best-of-K, best-of-K of whole answers.

jobs = token_jobs(model, "Name a fruit.", 8, 64, Control(lam=2.0))
answers = tokenwise(model, scorer, jobs)
answers = blockwise(model, scorer, block_jobs(model, "Name a fruit.", 8, 64, K=4, M=16))
answers = best_of(model, reward, block_jobs(model, "Name a fruit.", 8, 64, K=4))
"""

from empirical.control.asking import BlockJob, Chosen, block_jobs, token_jobs
from empirical.control.policies import best_of, blockwise, tokenwise
from empirical.engines.jobs import Answer, Control, Job

__all__ = [
    "Answer", "BlockJob", "Chosen", "Control", "Job", "best_of", "block_jobs", "blockwise", "token_jobs", "tokenwise",
]  # fmt: skip
