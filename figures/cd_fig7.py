"""Figure 7 of Mudgal et al. (later version) on a real model: the length's scorer on another base."""

import pandas as pd
from matplotlib.figure import Figure

from figures import frontiers, style

COLUMNS = {"cd_fig7": (*frontiers.REWARD, "base"), "cd_findings": frontiers.FINDINGS}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Length reward against KL on a base that the scorer was not trained for (Mudgal et al., figure 7). The paper: "
    "blockwise CD-Q on par with that base's own best-of-K."
    + frontiers.STANDS_IN
    + " The other base is named in the title; an adapter moves it less than the paper's PaLM 2-S."
    + frontiers.ESTIMATED
)


@style.styled(COLUMNS)
def draw(rows: pd.DataFrame, findings: pd.DataFrame) -> Figure:
    """Draw the table cd_fig7, and what cd_findings says of it."""
    title = f"Length on another base, {rows['base'].iloc[0]}"
    return frontiers.standard(rows, findings, 7, "reward", title)[0]
