"""Figure 3 of Mudgal et al. (later version) on a real model: length against KL, every method."""

import pandas as pd
from matplotlib.figure import Figure

from figures import frontiers, style

COLUMNS = {"cd_fig3": (*frontiers.REWARD, "value"), "cd_findings": frontiers.FINDINGS}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Length reward against KL (Mudgal et al., figure 3). The paper: blockwise CD-Q on par with best-of-K and with far "
    "fewer candidates, tokenwise control next, then PPO, DPO and IPO." + frontiers.STANDS_IN + frontiers.ESTIMATED
)


@style.styled(COLUMNS)
def draw(rows: pd.DataFrame, findings: pd.DataFrame) -> Figure:
    """Draw the table cd_fig3, and what cd_findings says of it."""
    figure, axes = frontiers.standard(rows, findings, 3, "reward", "Length: reward against KL")
    frontiers.label_points(axes, rows, "reward", [("blockwise", "CD-Q", 6.0), ("best-of-K", "", 50.0)])
    return figure
