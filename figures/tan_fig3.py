"""Figure 3 of Tan et al.: the secret reward of an aligned model, with equation 4's sign and with the sign turned."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style, tan_fig2
from figures.tan_fig2 import LEVELS, panels

COLUMNS = {
    **{table.replace("tan_", "tan_emp_secret_"): columns for table, columns in tan_fig2.COLUMNS.items()},
    "tan_emp_sign": ("reward", "quantity", "value", "low", "high"),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "The trade-off under the secret reward log p_plus − log p (Tan et al., figure 3 and equation 4). The released code "
    "takes log p − log p_plus, which turns every correlation round."
)
SLIP = "log p - log p_plus (released code)"


@style.styled(COLUMNS)
def draw(
    rows: pd.DataFrame, schemes: pd.DataFrame, tradeoff: pd.DataFrame, covariance: pd.DataFrame, signs: pd.DataFrame
) -> Figure:
    """Draw the tables of TABLES, under the global law; raises ValueError if they hold more than one triple."""
    figure, (a, b, c, d), tradeoff = panels("figure 3", rows, schemes, tradeoff, covariance, (5.3, 1.3))
    a.set_ylabel("log p$_+$ − log p (nats)")
    b.set_ylabel("mean log p$_+$ − log p (nats)")
    _signs(c, tradeoff, signs)
    d.set_xlabel("covariance (nats²)")
    return figure


def _signs(axes: Axes, tradeoff: pd.DataFrame, signs: pd.DataFrame) -> None:
    style.correlations(axes, tradeoff, LEVELS)
    turned = signs[signs["reward"] == SLIP].set_index("quantity").loc[list(LEVELS)]
    heights = [height - 0.22 for height in range(len(LEVELS))[::-1]]
    axes.hlines(heights, turned["low"], turned["high"], color=style.PALE, linewidth=1.4)
    axes.plot(turned["value"], heights, "x", color=style.GREY, markersize=5, label="sign turned")
    axes.set(title="c  Correlation, with either sign", xlabel="correlation")
    axes.set_ylim(bottom=-1.6)  # a strip of its own for the legend
    axes.legend(loc="lower center", ncols=3, borderaxespad=0, columnspacing=1.0, handletextpad=0.7)
