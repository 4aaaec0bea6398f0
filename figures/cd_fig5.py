"""Figure 5 of Mudgal et al. (later version) on a real model: quality of summaries against KL."""

import pandas as pd
from matplotlib.figure import Figure

from figures import frontiers, style

COLUMNS = {"cd_fig5": frontiers.WIN, "cd_findings": frontiers.FINDINGS}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Win rate of summaries against KL (Mudgal et al., figure 5). The paper: best-of-K before blockwise CD-Q before IPO."
    + frontiers.JUDGED
    + " Short passages of our own stand in for TL;DR, a head trained on FineGrainedRLHF for its reward."
    + frontiers.ESTIMATED
)


@style.styled(COLUMNS)
def draw(rows: pd.DataFrame, findings: pd.DataFrame) -> Figure:
    """Draw the table cd_fig5, and what cd_findings says of it."""
    return frontiers.standard(rows, findings, 5, "win", "Summaries: win rate against KL")[0]
