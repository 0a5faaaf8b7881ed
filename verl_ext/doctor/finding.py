"""What the doctor reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

LEVELS = ("ok", "note", "warning", "fault")


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    level: str
    """ok; note: a fact; warning: the run may work; fault: it will not, or not as meant."""
    part: str
    """versions, plug-in, machine, data, model, configuration, tasks."""
    message: str
    fix: str = ""
    """What to do."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        mark = {"ok": "ok     ", "note": "       ", "warning": "WARNING", "fault": "FAULT  "}[self.level]
        return f"{mark} {self.part:<14} {self.message}" + (f"\n{'':<23}→ {self.fix}" if self.fix else "")


def ok(part: str, message: str) -> Finding:
    return Finding("ok", part, message)


def note(part: str, message: str) -> Finding:
    return Finding("note", part, message)


def warning(part: str, message: str, fix: str) -> Finding:
    return Finding("warning", part, message, fix)


def fault(part: str, message: str, fix: str) -> Finding:
    return Finding("fault", part, message, fix)
