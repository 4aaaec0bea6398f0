"""Figure 10 of Mudgal et al. (later version) on a real model: blocks on a DPO policy."""

import pandas as pd
from matplotlib.figure import Figure

from figures import frontiers, style

COLUMNS = {"cd_fig10": (*frontiers.WIN, "value"), "cd_findings": frontiers.FINDINGS}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Win rate in helpfulness and harmlessness against KL of blockwise CD-Q on the base and on a DPO policy (Mudgal et "
    "al., figure 10). The paper: together they trade best at large KL, and K = 8 does what K = 32 does alone. KL of "
    "both is the blocks' plus the mean of log d / p, not the sum of two KLs, which bounds nothing."
    + frontiers.JUDGED
    + frontiers.ESTIMATED
)


@style.styled(COLUMNS)
def draw(rows: pd.DataFrame, findings: pd.DataFrame) -> Figure:
    """Draw the table cd_fig10, and what cd_findings says of it."""
    figure, axes = frontiers.standard(rows, findings, 10, "win", "Blocks on a DPO policy: win rate against KL")
    frontiers.label_points(axes, rows, "win", [("blockwise", "CD-Q", 32.0), ("DPO + blockwise", "CD-Q", 8.0)])
    return figure
