"""What alignment bought and what it paid: reward gained against KL spent, and how far adapters are from the optimum."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style

COLUMNS = {
    "tan_adapters": ("reward", "method", "beta", "quantity", "value", "low", "high"),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Adapters trained at several strengths of the KL penalty, by policy gradient and by preference optimisation. At "
    "p e^(r / beta) / Z the share of the possible gain and the correlation of log(aligned / prior) with the reward are "
    "1: short trainings of small adapters do not come near it. Bars are 95 % intervals over prompts."
)
PPO, DPO = style.METHODS["PPO", ""], style.METHODS["DPO", ""]
METHODS = {
    "rloo": ("o", "#0072B2", "policy gradient (RLOO)"),
    "ppo": (PPO.marker, PPO.colour, "clipped policy gradient (PPO)"),
    "dpo": (DPO.marker, DPO.colour, "preference optimisation (DPO)"),
    "online-dpo": ("^", "#009E73", "on-line DPO"),
    "online-ipo": ("v", "#CC79A7", "on-line IPO"),
}
NAMES = {"finegrained": "Summaries"}
TO_OPTIMUM = {
    "share_of_optimum": ("Gain reached", "share of the possible gain"),
    "correlation_on_prior": ("Reward learnt", "correlation with the reward"),
}


@style.styled(COLUMNS)
def draw(adapters: pd.DataFrame) -> Figure:
    """Draw a row of panels for each reward that adapters were trained with.

    Raises ValueError on a method without a mark.
    """
    unknown = set(adapters["method"]) - set(METHODS)
    if unknown:
        raise ValueError(f"no mark for the methods {', '.join(sorted(unknown))}.")
    rewards, letters = sorted(adapters["reward"].unique()), iter("abcdefghijklmnopqrstuvwxyz")
    figure = Figure(figsize=(style.DOUBLE, 2.3 * len(rewards) + 0.4))
    panels = figure.subplots(len(rewards), 3, squeeze=False)
    betas, kls = sorted(adapters["beta"].unique()), adapters.loc[adapters["quantity"] == "kl", "value"]
    for row, reward in zip(panels, rewards, strict=True):
        mine = adapters[adapters["reward"] == reward]
        wide = mine.pivot(index=["method", "beta"], columns="quantity", values=["value", "low", "high"])
        _gain(row[0], wide, kls)
        name = NAMES.get(reward, reward.capitalize())
        row[0].set(title=f"{next(letters)}  {name}: bought and paid", ylabel="mean reward gained")
        for axes, (quantity, (short, label)) in zip(row[1:], TO_OPTIMUM.items(), strict=True):
            _against_beta(axes, wide, quantity, betas)
            axes.set(title=f"{next(letters)}  {short}", ylabel=label)
    shown = {label: handle for row in panels for handle, label in zip(*row[0].get_legend_handles_labels(), strict=True)}
    figure.legend(list(shown.values()), list(shown), loc="outside lower center", ncols=2)
    return figure


def _gain(axes: Axes, wide: pd.DataFrame, kls: pd.Series) -> None:
    for method, some in _by_method(wide):
        marker, colour, label = METHODS[method]
        kl, gain = some["value"]["kl"], some["value"]["gain"]
        xerr, yerr = _bars(some, "kl"), _bars(some, "gain")
        axes.errorbar(kl, gain, yerr, xerr, marker, color=colour, markersize=4, lw=0.8, label=label)
        for (_, beta), x, y in zip(some.index, kl, gain, strict=True):
            axes.annotate(f"β = {beta:g}", (x, y), (4, -8), textcoords="offset points", fontsize=6, color=colour)
    axes.axhline(0, color=style.GREY, lw=0.6, ls=":")
    # One range for all rewards, whole decades, with room for the last label.
    low, high = np.floor(np.log10(kls.min())), np.log10(kls.max()) + 0.6
    axes.set(xscale="log", xlabel="KL(aligned, prior), nats an answer", xlim=(10**low, 10**high))
    decades = 10 ** np.arange(low, np.floor(high) + 1)
    axes.set_xticks(decades, [f"{decade:g}" for decade in decades])


def _against_beta(axes: Axes, wide: pd.DataFrame, quantity: str, betas: list[float]) -> None:
    for method, some in _by_method(wide):
        marker, colour, _ = METHODS[method]
        apart = 1 + 0.03 * (list(METHODS).index(method) - 2)  # where betas coincide
        beta = some.index.get_level_values("beta") * apart
        axes.errorbar(
            beta, some["value"][quantity], _bars(some, quantity), fmt=f"{marker}-", color=colour, markersize=4, lw=0.8
        )
    axes.axhline(1, color=style.GREY, lw=0.6, ls=":")
    axes.axhline(0, color=style.GREY, lw=0.6, ls=":")
    if wide["value"][quantity].isna().all():
        axes.annotate("aimed at another law", (0.5, 0.5), xycoords="axes fraction", ha="center", color=style.GREY)
    axes.set(xscale="log", xlabel="β (stronger alignment to the left)", xlim=(betas[0] / 1.3, betas[-1] * 1.3))
    axes.set_xticks(betas, [f"{beta:g}" for beta in betas])
    axes.minorticks_off()


def _by_method(wide: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    present = wide.index.get_level_values("method")
    return [(method, wide[present == method].sort_index()) for method in METHODS if method in present]


def _bars(some: pd.DataFrame, quantity: str) -> list[pd.Series]:
    value = some["value"][quantity]
    return [(value - some["low"][quantity]).clip(lower=0), (some["high"][quantity] - value).clip(lower=0)]
