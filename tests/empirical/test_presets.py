"""Presets: the counts they promise."""

import subprocess
import sys

from empirical.presets import PRESETS


def test_the_default_preset_meets_its_floor():
    """31 schemes x at least 32 texts x 32 new tokens; the papers' preset 2,000 texts of 256 tokens."""
    size = PRESETS["default"]
    assert size.prompts * size.samples >= 32
    assert size.max_new >= 32
    paper = PRESETS["paper"]
    assert (paper.prompts * paper.samples, paper.max_new) == (2000, 256)
    assert not PRESETS["smoke"].real


def test_settings_carry_the_seed_and_the_counts():
    settings = PRESETS["smoke"].settings(7)
    assert (settings.seed, settings.samples, settings.corpora) == (7, PRESETS["smoke"].samples, 200)


def test_no_preset_costs_an_import_of_torch():
    code = "import sys, paper_repro; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
