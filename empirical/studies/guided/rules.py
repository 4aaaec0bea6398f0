"""The registered rules of the guidance study: `empirical/guided.toml`, read as `empirical.preregistration`."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from empirical.preregistration import Condition, Sentence, Summary


@cache
def registered() -> dict[str, Any]:
    """The file `guided.toml` as it stands."""
    return tomllib.loads(files("empirical").joinpath("guided.toml").read_text(encoding="utf-8"))


def sentences() -> list[Sentence]:
    """The registered sentences, in their order."""
    made = []
    for one in registered()["sentence"]:
        conditions = tuple(Condition(**condition) for condition in one["conditions"])
        plain = {key: one[key] for key in ("id", "where", "statement")}
        made.append(Sentence(**plain, triple="evidence", conditions=conditions, why=one.get("why", "")))
    return made


def summaries() -> list[Summary]:
    """Sentences taken together."""
    return [Summary(**one | {"all": tuple(one["all"])}) for one in registered()["summary"]]
