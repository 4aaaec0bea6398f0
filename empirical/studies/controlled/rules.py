"""The registered rules of the eight experiments: `empirical/controlled.toml`, read as `empirical.preregistration`."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from empirical.preregistration import Condition, Sentence, Summary


@cache
def registered() -> dict[str, Any]:
    """The file `controlled.toml` as it stands."""
    return tomllib.loads(files("empirical").joinpath("controlled.toml").read_text(encoding="utf-8"))


def sentences() -> list[Sentence]:
    """The registered sentences, in the paper's order; `triple` is the experiment."""
    made = []
    for one in registered()["sentence"]:
        conditions = tuple(Condition(**condition) for condition in one["conditions"])
        plain = {key: one[key] for key in ("id", "where", "statement")}
        made.append(Sentence(**plain, triple=one["experiment"], conditions=conditions, why=one.get("why", "")))
    return made


def summaries() -> list[Summary]:
    """The experiments that are several sentences together."""
    return [Summary(**one | {"all": tuple(one["all"])}) for one in registered()["summary"]]
