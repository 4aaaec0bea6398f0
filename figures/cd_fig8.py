"""Figure 8 of Mudgal et al. (later version) on a real model: the scorer of helpfulness on another base."""

import pandas as pd
from matplotlib.figure import Figure

from figures import frontiers, style

COLUMNS = {"cd_fig8": (*frontiers.WIN, "base"), "cd_findings": frontiers.FINDINGS}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Win rate in helpfulness and harmlessness against KL on a base that the scorer was not trained for (Mudgal et al., "
    "figure 8). The paper: blockwise CD-Q on par with that base's own best-of-K."
    + frontiers.JUDGED
    + " The other base is named in the title; an adapter moves it less than the paper's PaLM 2-XS."
    + frontiers.ESTIMATED
)


@style.styled(COLUMNS)
def draw(rows: pd.DataFrame, findings: pd.DataFrame) -> Figure:
    """Draw the table cd_fig8, and what cd_findings says of it."""
    title = f"Helpfulness and harmlessness on another base, {rows['base'].iloc[0]}"
    return frontiers.standard(rows, findings, 8, "win", title)[0]
