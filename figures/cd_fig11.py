"""Figure 11 of Mudgal et al. (later version) on a real model: equal budgets of answers."""

import pandas as pd
from matplotlib.figure import Figure

from figures import frontiers, style

COLUMNS = {"cd_fig11": (*frontiers.REWARD, "value"), "cd_findings": frontiers.FINDINGS}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Length reward against KL at equal budgets of K answers: blockwise CD-Q, by the size of blocks, and best-of-K on "
    "DPO policies, by their strength (Mudgal et al., figure 11). The paper: blocks win at every K, and by more as K "
    "grows." + frontiers.STANDS_IN + frontiers.ESTIMATED
)


@style.styled(COLUMNS)
def draw(rows: pd.DataFrame, findings: pd.DataFrame) -> Figure:
    """Draw the table cd_fig11, and what cd_findings says of it."""
    figure, above = frontiers.frame(findings, 11)
    budgets = sorted(rows["value"].dropna().unique())
    panels = above.subplots(1, len(budgets), sharey=True, squeeze=False)[0]
    for letter, axes, K in zip("abcdef", panels, budgets, strict=False):  # noqa: N806
        frontiers.draw_base(axes, rows, "reward")
        frontiers.draw_lines(axes, frontiers.by_method(rows[rows["value"] == K]), "reward")
        axes.set(title=f"{letter}  K = {K:g}", ylabel="")
    panels[0].set_ylabel(frontiers.YS["reward"])
    frontiers.legend(above, panels[0], (rows["kl_kind"] == "estimate").any())
    return figure
