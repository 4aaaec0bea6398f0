"""Figure 13 of Mudgal et al. (later version) on a real model: prefix scorers foretell the length of whole answers."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from figures import frontiers, style

COLUMNS = {"cd_fig13": ("scorer", "actual", "predicted"), "cd_findings": frontiers.FINDINGS}
TABLES = tuple(COLUMNS)
CAPTION = (
    "The length of whole answers of the base, in order, and what either scorer says of them once it has read them "
    "(Mudgal et al., figure 13). The paper: CD-FUDGE is much noisier than CD-Q." + frontiers.STANDS_IN
)
COLOURS = {"CD-Q": "#009E73", "CD-FUDGE": "#CC79A7"}


@style.styled(COLUMNS)
def draw(rows: pd.DataFrame, findings: pd.DataFrame) -> Figure:
    """Draw the table cd_fig13, one panel a scorer, and what cd_findings says of it."""
    figure, above = frontiers.frame(findings, 13)
    panels = above.subplots(1, len(COLOURS), sharey=True)
    for letter, axes, (scorer, colour) in zip("ab", panels, COLOURS.items(), strict=True):
        ordered = rows[rows["scorer"] == scorer].sort_values(["actual", "predicted"])
        rank = np.arange(1, len(ordered) + 1)
        axes.plot(rank, ordered["predicted"], ".", color=colour, markersize=2.5, alpha=0.6, label="predicted")
        axes.plot(rank, ordered["actual"], color=style.INK, linewidth=1.4, label="actual")
        noise = float((ordered["predicted"] - ordered["actual"]).std(ddof=0))
        axes.set(title=f"{letter}  {scorer}: noise {noise:.2f}", xlabel="answers, in the order of their length")
    panels[0].set_ylabel("log(T / T_max)")
    frontiers.legend(above, panels[0], False)
    return figure
