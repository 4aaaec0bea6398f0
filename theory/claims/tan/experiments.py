"""The experiments of Tan et al. at the scale at which they were run."""

import numpy as np

from theory.ledger import Evidence, claim


@claim(
    "tan.sec6-7",
    paper="tan",
    where="sections 6 and 7, figures 2 and 3",
    kind="experiment",
    statement="With 7B models aligned by RLHF and by DPO, log p and reward correlate positively over strings "
    "and strongly negatively over corpora pooled across sampling adaptors.",
    verdict="not-testable-here",
    assumptions="The 7B models and their texts are too large for this machine; tan.fig2 holds what was measured on a "
    "small real triple. The text gives a rank correlation for strings and Pearson's for corpora, two metrics that can "
    "differ in sign on one law (new.metric-switch).",
)
def experiments(rng: np.random.Generator) -> Evidence:
    none: Evidence = iter(())
    yield from none
