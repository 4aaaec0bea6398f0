"""Why mutants may live: the reasons of survivors.toml, each known by the change it explains."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from tests.mutation.mutants import Change, Outcome


@dataclass(frozen=True)
class Triage:
    """Why survivors live: `reasons` by module and change, `everywhere` by a fragment of a line and what it becomes."""

    reasons: Mapping[tuple[str, Change], str]
    everywhere: Mapping[Change, str]

    def explains(self, module: str, change: Change) -> bool:
        was, now = change
        return (module, change) in self.reasons or any(
            now == was[:at] + other + was[at + len(part) :]
            for part, other in self.everywhere
            for at in range(len(was))
            if was.startswith(part, at)
        )

    def unexplained(self, outcome: Outcome) -> list[str]:
        """The names of the survivors that have no reason."""
        return [name for name, change in outcome.survivors.items() if not self.explains(outcome.module, change)]


def read_triage(text: str) -> Triage:
    """The triage of a TOML text. Raises ValueError where a reason is empty or an entry is given twice."""
    reasons: dict[tuple[str, Change], str] = {}
    everywhere: dict[Change, str] = {}
    tables = tomllib.loads(text)
    if tables.keys() - {"survivor", "everywhere"}:
        raise ValueError(f"unknown tables: {sorted(tables)}")
    for entry in [*tables.get("survivor", []), *tables.get("everywhere", [])]:
        module, was, now, reason = (entry.get(name, "").strip() for name in ("module", "was", "now", "reason"))
        change = (was, now)
        key = (module, change)
        if was == now or not all((was, now, reason)) or key in reasons or change in everywhere:
            raise ValueError(f"a survivor is listed twice, without its change or without a reason: {key}")
        if "module" in entry:
            reasons[key] = reason
        else:
            everywhere[change] = reason
    return Triage(reasons, everywhere)
