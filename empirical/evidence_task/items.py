"""The embedded items, and items of the user's own: read from TOML and validated at the border."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from empirical.errors import InputError, first_line
from empirical.evidence_task.fitness import repeated, unfit
from empirical.evidence_task.item import Item, Kind

TEXTS = ("id", "kind", "topic", "passage", "question", "template")
LISTS = ("answers", "common")
OPTIONAL = {"common"}


def own_items() -> tuple[Item, ...]:
    """The 150 embedded items, 50 of each kind, in their order."""
    return items_of(files("empirical.evidence_task").joinpath("items.toml").read_text(encoding="utf-8"), "items.toml")


def items_from(path: Path) -> tuple[Item, ...]:
    """The items of a TOML file in the embedded one's form; raises InputError where it cannot be read or is unfit."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(f"Cannot read items from {path} ({first_line(problem)}); pass a UTF-8 TOML file.") from problem
    return items_of(text, str(path))


def items_of(text: str, where: str) -> tuple[Item, ...]:
    """The items of a TOML text; raises InputError, which names the item, what is wrong with it, and `where` it is."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise InputError(f"{where} is not valid TOML ({first_line(problem)}); mend it there.") from problem
    rows = table.pop("item", None)
    if table or not isinstance(rows, list) or not rows:
        raise InputError(f"{where} must hold [[item]] tables and nothing else; see the embedded items.toml.")
    items = tuple(_item(row, f"Item {number} of {where}") for number, row in enumerate(rows, start=1))
    for item in items:
        if wrong := unfit(item):
            raise InputError(f"Item {item.id!r} of {where} is unfit: {wrong}.")
    if wrong := repeated(items):
        raise InputError(f"{where} repeats itself: {wrong}.")
    return items


def _item(row: Any, name: str) -> Item:
    if not isinstance(row, Mapping):
        raise InputError(f"{name} is not a table.")
    wanted = {*TEXTS, *LISTS}
    if odd := sorted(set(row) - wanted) or sorted(wanted - OPTIONAL - set(row)):
        raise InputError(f"{name} has missing or unknown fields: {', '.join(odd)}.")
    for field in TEXTS:
        if not _is_text(row[field]):
            raise InputError(f"The field {field} of {name} is not a text without space around it.")
    for field in LISTS:
        value = row.get(field, [])
        if not isinstance(value, list) or not all(map(_is_text, value)) or (field not in OPTIONAL and not value):
            raise InputError(f"The field {field} of {name} is not a list of texts.")
    if row["kind"] not in get_args(Kind):
        raise InputError(f"The kind of {name} is {row['kind']!r}, not one of {', '.join(get_args(Kind))}.")
    fields: dict[str, Any] = {field: tuple(value) if field in LISTS else value for field, value in row.items()}
    return Item(**fields)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and value == value.strip()
