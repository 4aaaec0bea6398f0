"""The marks of the adapters' figure stand where the table says."""

import numpy as np
import pandas as pd
import pytest

from figures import tan_adapters


@pytest.fixture
def adapters():
    rows = [
        (f"{reward}-{method}-{beta:g}", reward, method, beta, quantity, value, value - 0.1, value + 0.2)
        for place, reward in enumerate(("preference", "sentiment"))
        for method in ("rloo", "dpo")
        for beta in (0.1, 0.3, 1.0)
        for quantity, value in {
            "kl": 0.2 / beta + place,
            "gain": 0.1 / beta,
            "share_of_optimum": 0.3 + 0.1 * place,
            "correlation_on_prior": 0.5 - 0.2 * beta,
        }.items()
    ]
    return pd.DataFrame(rows, columns=["adapter", "reward", "method", "beta", "quantity", "value", "low", "high"])


def test_every_adapter_is_where_its_card_says(adapters):
    figure = tan_adapters.draw(adapters)
    panels = figure.axes
    assert len(panels) == 6
    assert [axes.get_title(loc="left")[0] for axes in panels] == list("abcdef")
    for first, place in ((0, 0), (3, 1)):
        points = [line.get_xydata() for line in panels[first].containers[0].lines[:1]]
        np.testing.assert_allclose(points[0], [(0.2 / beta + place, 0.1 / beta) for beta in (0.1, 0.3, 1.0)])
        assert sum("β = " in text.get_text() for text in panels[first].texts) == 6
    shares = panels[4].containers[0].lines[0].get_xydata()[:, 1]
    np.testing.assert_allclose(shares, 0.4)
    bars = panels[4].containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose([sorted(bar[:, 1]) for bar in bars], [[0.3, 0.6]] * 3)


def test_rewards_share_their_axes_and_one_legend_names_all_methods(adapters):
    """Also where a reward has one adapter alone, whose method aims at another law."""
    other = adapters[(adapters.reward == "sentiment") & (adapters.method == "dpo") & (adapters.beta == 0.3)]
    law = other.quantity.isin(tan_adapters.TO_OPTIMUM)
    other = other.assign(reward="finegrained", method="online-ipo", value=other.value.mask(law))
    figure = tan_adapters.draw(pd.concat([adapters, other]))
    assert figure.axes[0].get_title(loc="left") == "a  Summaries: bought and paid"
    for column in range(3):
        assert len({axes.get_xlim() for axes in figure.axes[column::3]}) == 1
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(named) == sorted(tan_adapters.METHODS[name][2] for name in ("rloo", "dpo", "online-ipo"))
    said = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert [axes for axes, texts in enumerate(said) if "aimed at another law" in texts] == [1, 2]


def test_a_method_without_a_mark(adapters):
    with pytest.raises(ValueError, match="no mark for the methods grpo"):
        tan_adapters.draw(adapters.replace("rloo", "grpo"))
