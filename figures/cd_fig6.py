"""Figure 6 of Mudgal et al. (later version) on a real model: two scorers added up at decoding time."""

import pandas as pd
from matplotlib.figure import Figure

from figures import frontiers, style

COLUMNS = {"cd_fig6": ("weight", *frontiers.WIN, *frontiers.TOKENS), "cd_findings": frontiers.FINDINGS}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Blockwise CD-FUDGE for helpfulness and harmlessness, less a weight times the length's scorer (Mudgal et al., "
    "figure 6). The paper: alone it makes answers longer; the second scorer keeps their length, at some cost in win "
    "rate." + frontiers.JUDGED + frontiers.ESTIMATED
)


def _name(weight: float) -> str:
    return "HH alone" if weight == 0 else f"HH − {weight:g} × length"


@style.styled(COLUMNS)
def draw(rows: pd.DataFrame, findings: pd.DataFrame) -> Figure:
    """Draw the table cd_fig6, and what cd_findings says of it."""
    figure, above = frontiers.frame(findings, 6)
    panels = above.subplots(1, 2)
    for axes, y, title in zip(panels, ("win", "tokens"), ("a  Win rate", "b  Length"), strict=True):
        frontiers.draw_base(axes, rows, y)
        frontiers.draw_lines(axes, frontiers.by_column(rows, "weight", _name), y)
        axes.set(title=title)
    frontiers.legend(above, panels[0], (rows["kl_kind"] == "estimate").any())
    return figure
