"""Figure 4 of Mudgal et al. (later version) on a real model: helpfulness and harmlessness against KL, every method."""

import pandas as pd
from matplotlib.figure import Figure

from figures import frontiers, style

COLUMNS = {"cd_fig4": frontiers.WIN, "cd_findings": frontiers.FINDINGS}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Win rate in helpfulness and harmlessness against KL (Mudgal et al., figure 4). The paper: blockwise control helps "
    "much, tokenwise control little more than PPO, DPO and IPO, and none matches best-of-K."
    + frontiers.JUDGED
    + frontiers.ESTIMATED
)


@style.styled(COLUMNS)
def draw(rows: pd.DataFrame, findings: pd.DataFrame) -> Figure:
    """Draw the table cd_fig4, and what cd_findings says of it."""
    return frontiers.standard(rows, findings, 4, "win", "Helpfulness and harmlessness: win rate against KL")[0]
