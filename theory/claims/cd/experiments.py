"""The experiments of Mudgal et al., which need models that are not public."""

import numpy as np

from theory.ledger import Evidence, claim


@claim(
    "cd.experiments",
    paper="cd",
    where="sections 4 and 5, experiments 1 to 8",
    kind="experiment",
    statement="In reward or win rate against KL(π‖p), blockwise CD-Q beats PPO, DPO and IPO; it is on par with "
    "best-of-K on the length of responses, though not on helpfulness and summaries; its scorer serves other base "
    "models unchanged.",
    verdict="not-testable-here",
    assumptions="The base, scorer and judge models (PaLM 2-XXS, XS, S and L) are not public, and training scorers and "
    "aligned baselines on public models of comparable size is too large for this machine. The exact laws and costs of "
    "the rules compared are checked by the other cd.* claims.",
)
def experiments(rng: np.random.Generator) -> Evidence:
    none: Evidence = iter(())
    yield from none
