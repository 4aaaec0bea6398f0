"""Figure 9 of Mudgal et al. (later version) on a real model: the size of the blocks."""

import pandas as pd
from matplotlib.figure import Figure

from figures import frontiers, style

COLUMNS = {"cd_fig9": ("M", *frontiers.WIN), "cd_findings": frontiers.FINDINGS}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Win rate in helpfulness and harmlessness against KL by the size of blocks (Mudgal et al., figure 9). The paper: "
    "the smaller the blocks, the worse the trade-off." + frontiers.JUDGED + frontiers.ESTIMATED
)


@style.styled(COLUMNS)
def draw(rows: pd.DataFrame, findings: pd.DataFrame) -> Figure:
    """Draw the table cd_fig9, and what cd_findings says of it: KL as the paper counts it, and as estimated."""
    figure, above = frontiers.frame(findings, 9)
    panels = above.subplots(1, 2, sharey=True)
    blocks = rows[rows["method"] == "blockwise"]
    lines = frontiers.by_column(blocks, "M", lambda size: f"M = {size:g}")
    titles = ("a  KL by the bound", "b  KL as estimated")
    for axes, kind, title in zip(panels, ("bound", "estimate"), titles, strict=True):
        frontiers.draw_base(axes, rows, "win")
        some = [frontiers.Line(one.rows[one.rows["kl_kind"] == kind], one.mark) for one in lines]
        frontiers.draw_lines(axes, [frontiers.solid(one) for one in some], "win")
        axes.set(title=title)
    panels[1].set_ylabel("")
    frontiers.legend(above, panels[1], False, 6)
    return figure
