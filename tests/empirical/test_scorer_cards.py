"""The shipped scorers' README: every figure of the cards, what a card lacks, and that it is the one that ships."""

import json

from empirical import scorer_cards
from empirical.shipped import shipped

STRETCH = {"prefixes": 9, "slope": 0.987, "low": 0.5, "high": 1.5}
CARD = {
    "prompts": {"train": 7, "check": 2, "test": 1},
    "answers": 4,
    "minutes": {"states": 1.5, "training": 0.2},
    "measured": {
        "length": {"share": 0.25, "calibration": [{"first": 1, **STRETCH}, {"first": 5, **STRETCH, "low": None}]},
        "preference": {"share": None, "calibration": [{"first": 1, **STRETCH, "slope": None}]},
    },
}


def test_one_row_a_scorer_and_reward(tmp_path):
    (tmp_path / "one-q").mkdir()
    (tmp_path / "one-q" / "card.json").write_text(json.dumps(CARD), encoding="utf-8")
    scorer_cards.main(tmp_path)
    text = (tmp_path / "README.md").read_text("utf-8")
    assert text.startswith(scorer_cards.HEAD)
    assert text.splitlines()[-2:] == [
        "| `one-q` | length | 7 / 2 / 1 | 4 | 0.25 | 0.99 [0.50, 1.50] | 0.99 | - | 1.5 + 0.2 |",
        "| `one-q` | preference | 7 / 2 / 1 | 4 | - | - | - | - | 1.5 + 0.2 |",
    ]


def test_what_ships_says_what_its_cards_say():
    folder = shipped("scorers")
    cards = {path.parent.name: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*/card.json"))}
    assert cards
    assert (folder / "README.md").read_text("utf-8") == scorer_cards.HEAD + scorer_cards.table(cards)
