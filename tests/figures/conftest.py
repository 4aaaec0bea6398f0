"""What every figure is asked: labels inside, nothing on top of anything else."""

from collections.abc import Callable

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def assert_apart() -> Callable[..., None]:
    """Fail where a panel, its labels included, leaves the figure's width or overlaps another one or a given artist."""

    def check(figure: Figure, *artists) -> None:
        figure.draw_without_rendering()
        boxes = [axes.get_tightbbox() for axes in figure.axes] + [artist.get_window_extent() for artist in artists]
        for i, box in enumerate(boxes):
            assert box.x0 >= figure.bbox.x0 - 1  # a pixel of rounding
            assert box.x1 <= figure.bbox.x1 + 1
            assert not any(box.shrunk(0.97, 0.97).overlaps(other.shrunk(0.97, 0.97)) for other in boxes[:i])

    return check
