"""Guidance by evidence on real models: the rules of `theory.guidance`, drawn with and without the evidence at once.

rule = Guidance("free", 1.0)
jobs = guided_jobs(model, with_evidence, without_evidence, 8, 32, rule)
answers = guided(model, jobs)
"""

from empirical.guidance.engine import guided
from empirical.guidance.jobs import GuidedAnswer, GuidedJob, guided_jobs
from empirical.guidance.rules import Guidance

__all__ = ["Guidance", "GuidedAnswer", "GuidedJob", "guided", "guided_jobs"]
