"""Every figure of an exact world draws from its tables, whole or at the size of a test."""

from figures import FIGURES, redraw
from toy.experiments import EXPERIMENTS

# Of studies of real models, tested by themselves.
REAL = {"tan_fig2", "tan_fig3", "tan_decomposition", "tan_prediction", "tan_adapters"}
REAL |= {name for name in FIGURES if name.startswith(("cd_", "chang_"))}


def test_figures_draw_from_small_tables(tmp_path):
    (tmp_path / "tables").mkdir()
    for run in EXPERIMENTS.values():
        for name, table in run(0, True).items():
            table.to_csv(tmp_path / "tables" / f"{name}.csv", index=False)
    assert set(redraw(tmp_path)) == set(FIGURES) - REAL
    assert all((tmp_path / "figures" / f"{name}.pdf").is_file() for name in set(FIGURES) - REAL)


def test_no_table_no_figure(tmp_path):
    (tmp_path / "tables").mkdir()
    assert redraw(tmp_path) == []
