"""Table 1 of Mudgal et al. on a real model: the share of human pairs that reward and prefix scorers rank rightly."""

import pandas as pd
from matplotlib.figure import Figure

from figures import frontiers, style

COLUMNS = {
    "cd_table1": ("method", "split", "accuracy", "low", "high", "pairs", "reported"),
    "cd_findings": frontiers.FINDINGS,
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Pairs of Anthropic HH ranked as people did, by the reward head and by prefix scorers used as classifiers (Mudgal "
    "et al., table 1, hollow diamonds). The paper: scorers are weaker than their reward. Here the harmless test file "
    "alone, split by conversation, and heads on SmolLM2-135M in place of PaLM 2-XXS."
)
SPLITS = ("train", "test")


@style.styled(COLUMNS)
def draw(rows: pd.DataFrame, findings: pd.DataFrame) -> Figure:
    """Draw the table cd_table1, and what cd_findings says of it."""
    figure, above = frontiers.frame(findings, 1, 1.9, "table")
    panels = above.subplots(1, 2, sharex=True, sharey=True)
    for letter, axes, split in zip("ab", panels, SPLITS, strict=True):
        some = rows[rows["split"] == split].reset_index(drop=True)
        heights = range(len(some))[::-1]
        axes.axvline(0.5, color=style.GREY, linewidth=0.6)
        axes.hlines(heights, some["low"], some["high"], color=style.INK, linewidth=1.4)
        axes.plot(some["accuracy"], heights, "o", color=style.INK, markersize=4, label="measured here")
        axes.plot(some["reported"], heights, "D", color="#D55E00", fillstyle="none", markersize=6, label="reported")
        axes.set(title=f"{letter}  {split.capitalize()} pairs, {some['pairs'].max():,.0f}", xlabel="ranked rightly")
        axes.set_yticks(heights, labels=some["method"])
        axes.set_ylim(-0.6, len(some) - 0.4)
    frontiers.legend(above, panels[0], False)
    return figure
