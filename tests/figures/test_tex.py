"""What is written for LaTeX: every special character is escaped, every cell is there, and a TeX system takes it."""

import re
import shutil
import subprocess

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from figures import tex

TEX = shutil.which("pdflatex")


@given(st.text(st.sampled_from("ab &%#_{}~^\\<>|−ε₊"), max_size=12))
def test_no_special_character_is_left_bare(text):
    bare = re.sub(r"\\(textbackslash|textasciitilde|textasciicircum)\{\}|\\[&%$#_{}]|\$[^$]*\$", "", tex.escaped(text))
    assert not set(bare) & set("&%$#_{}~^\\<>|")
    assert bare.isascii()


def test_mathematics_stays_as_it_is():
    assert tex.escaped("KL from $P_G$ & 5 %") == r"KL from $P_G$ \& 5 \%"


def test_booktabs_holds_every_cell():
    made = tex.booktabs(["a_b", "x", "y"], [["one & two", -0.51234, None], ["−ε", 1.5e-12, 3.0]])
    lines = made.splitlines()
    assert lines[0] == r"\begin{tabular}{lrl}"
    assert [line for line in lines if line in (r"\toprule", r"\midrule", r"\bottomrule")] == [
        r"\toprule", r"\midrule", r"\bottomrule",
    ]  # fmt: skip
    assert r"a\_b & x & y \\" in lines
    assert r"one \& two & $-0.512$ & -- \\" in lines
    assert r"$-$$\varepsilon$ & $1.5 \cdot 10^{-12}$ & 3 \\" in lines
    assert all(line.count(" & ") == 2 for line in lines if line.endswith(r"\\"))


def results(folder):
    (folder / "tables").mkdir(parents=True)
    row = {"quantity": "corpus_pearson_all", "value": -0.92, "low": -0.95, "high": float("nan"), "reported": -0.92}
    pd.DataFrame([row]).to_csv(folder / "tables" / "tan_fig1.csv", index=False)
    claim = {"id": "tan.a_1", "where": "theorem 1", "verdict": "holds", "statement": "r ≥ 50 % of log p₊ & more"}
    pd.Series([claim]).to_json(folder / "ledger.json", orient="records")
    return folder


def test_ledger_and_results_are_written(tmp_path):
    paths = tex.write(results(tmp_path))
    assert [path.name for path in paths] == ["ledger.tex", "tan_fig1.tex"]
    ledger, table = (path.read_text(encoding="utf-8") for path in paths)
    assert r"tan.a\_1 & theorem 1 & holds & r $\geq$ 50 \% of log p$_{+}$ \& more \\" in ledger
    assert r"corpus\_pearson\_all & $-0.92$ & $-0.95$ & -- & $-0.92$ \\" in table
    assert tex.write(tmp_path / "none") == []


@pytest.mark.skipif(TEX is None, reason="no TeX system")
def test_a_tex_system_sets_tables_and_pictures(tmp_path):
    figure = Figure(figsize=(3, 2))
    figure.subplots().set(title="50 % of p₊_A ≥ ε", xlabel="KL(P_G || P_G⁻)")
    tex.save(figure, tmp_path / "picture.pgf")
    parts = [*(f"latex/{path.stem}" for path in tex.write(results(tmp_path))), "picture.pgf"]
    page = r"\documentclass{article}\usepackage{booktabs,longtable,pgf}\begin{document}%s\end{document}"
    (tmp_path / "page.tex").write_text(page % "\n\n".join(rf"\input{{{part}}}" for part in parts), encoding="utf-8")
    subprocess.run([TEX, "-interaction=nonstopmode", "-halt-on-error", "page"], cwd=tmp_path, check=True)
    assert (tmp_path / "page.pdf").is_file()


def test_without_a_tex_system_pgf_is_one_sentence_and_the_texts_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    figure = Figure()
    figure.suptitle("a_b")
    with pytest.raises(ValueError, match="install TeX Live or leave out --pgf"):
        tex.save(figure, tmp_path / "picture.pgf")
    assert not list(tmp_path.iterdir())
    assert figure.get_suptitle() == "a_b"
