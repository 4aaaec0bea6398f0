"""What is drawn is judged at a stated size: a rule of thumb needs a reason in not_moved.toml."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.statistical.randomised import ROOT

REASONS = tomllib.loads(Path(__file__).with_name("not_moved.toml").read_text(encoding="utf-8"))["files"]
NUMBER = "[0-9]+|two|three|four|five|six|seven|eight|ten"
RULE = re.compile(
    r"standard errors?\b|chisquare|chi2_contingency|kstest|\.pvalue|\b[0-9.]+ sd\b|binomial tail below|% noise"
    rf"|(?<![0-9.-])\b({NUMBER}) (standard |binomial )?deviations",
    re.IGNORECASE,
)


def by_rule_of_thumb(text):
    return RULE.search(text) is not None


def judged(folder=ROOT / "tests"):
    """The test files with a rule of thumb, but for the helper's own."""
    paths = [path for path in sorted(folder.rglob("test_*.py")) if path.parent.name != "statistical"]
    return {path.relative_to(ROOT).as_posix() for path in paths if by_rule_of_thumb(path.read_text(encoding="utf-8"))}


def test_every_rule_of_thumb_has_its_reason():
    assert judged() == set(REASONS)
    assert all(len(reason) > 40 for reason in REASONS.values())


@pytest.mark.parametrize(
    "line",
    [
        "assert abs(z.mean() - exact) < 5 * z.std() / 100  # five standard errors",
        "assert stats.chisquare(counts, expected).pvalue > 1e-3",
        'assert kstest(first, "uniform").pvalue > 1e-6',
        "# 5 deviations of a share of .25 over 10,000 draws.",
        "shares agree within five binomial deviations",
        "# 175 of 200 is 3 sd below",
    ],
)
def test_what_was_usual_is_seen(line):
    assert by_rule_of_thumb(line)


@pytest.mark.parametrize(
    "line", ["within a deviation of the mean", "np.std(x)", "the second deviation", "1e-12: rounding"]
)
def test_other_words_are_not(line):
    assert not by_rule_of_thumb(line)
