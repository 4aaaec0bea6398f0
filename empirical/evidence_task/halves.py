"""Which items the study answers, and which anything may be trained on."""

from collections.abc import Sequence

from empirical.evidence_task.item import Item


def halves(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """Of each kind every other item, the first among them; and the rest."""
    seen: dict[str, int] = {}
    studied, free = list[Item](), list[Item]()
    for item in items:
        place = seen.get(item.kind, 0)
        (studied, free)[place % 2].append(item)
        seen[item.kind] = place + 1
    return studied, free


def taken(items: Sequence[Item], each: int) -> list[Item]:
    """The first so many of each kind, in the items' order."""
    counts: dict[str, int] = {}
    kept = []
    for item in items:
        counts[item.kind] = counts.get(item.kind, 0) + 1
        if counts[item.kind] <= each:
            kept.append(item)
    return kept
