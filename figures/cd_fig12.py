"""Figure 12 of Mudgal et al. (later version) on a real model: blocks and best-of-K, both on DPO policies, K = 4."""

import pandas as pd
from matplotlib.figure import Figure

from figures import frontiers, style

COLUMNS = {"cd_fig12": frontiers.WIN, "cd_findings": frontiers.FINDINGS}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Win rate in helpfulness and harmlessness against KL of blockwise CD-Q and of best-of-K, both with K = 4 on DPO "
    "policies of several strengths (Mudgal et al., figure 12). The paper: on par."
    + frontiers.JUDGED
    + frontiers.ESTIMATED
)


@style.styled(COLUMNS)
def draw(rows: pd.DataFrame, findings: pd.DataFrame) -> Figure:
    """Draw the table cd_fig12, and what cd_findings says of it."""
    return frontiers.standard(rows, findings, 12, "win", "On DPO policies, K = 4: win rate against KL")[0]
