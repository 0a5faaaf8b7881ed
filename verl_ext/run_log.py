"""`metrics.jsonl` in the run folder: one JSON object a step, appended across resumes.

verl's own `file` logger opens its file anew, so that a resumed run erases the earlier steps.
"""

from __future__ import annotations

import json
import math
import numbers
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class RunLog:
    def __init__(self, run_dir: str | Path) -> None:
        self.path = Path(run_dir) / "metrics.jsonl"
        self.last_step = -1
        self._provisional: tuple[int, int] | None = None

    def open(self, *, resume_step: int, trains: bool = True) -> None:
        """Keep the steps up to `resume_step`; later ones, and a line torn by an interrupt, will be computed anew.

        A run that starts from step 0 starts an empty file. One that only validates (`trains` false) leaves what is
        there, and adds no step before its end.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not trains and (end := last(self.path)) is not None:
            self.last_step = end["step"]
            return
        kept = []
        if resume_step > 0 and self.path.exists():
            kept = [entry for entry in read(self.path) if entry["step"] <= resume_step]
        self.last_step = max((entry["step"] for entry in kept), default=-1)
        part = self.path.with_suffix(".part")
        part.write_text("".join(json.dumps(entry) + "\n" for entry in kept))
        os.replace(part, self.path)

    def write(self, step: int, metrics: Mapping[str, Any], *, provisional: bool = False) -> None:
        """Append a step's numbers (and histograms, which are mappings); a step already there stays as it is.

        What is `provisional` is replaced when the same step is written again.
        """
        earlier = self._provisional if self._provisional and self._provisional[0] == step else None
        if step <= self.last_step and not earlier:
            return
        values = {name: _plain(value) for name, value in metrics.items() if isinstance(value, numbers.Number | Mapping)}
        with self.path.open("a") as file:
            if earlier:
                file.truncate(earlier[1])
            self._provisional = (step, file.seek(0, os.SEEK_END)) if provisional else None
            file.write(json.dumps({"step": step} | values) + "\n")
        self.last_step = step


def read(path: str | Path) -> list[dict[str, Any]]:
    """Entries of a `metrics.jsonl`; a last line torn by an interrupt is left out."""
    entries = []
    lines = Path(path).read_text().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise ValueError(f"{path}, line {number} is not JSON: {error}") from error
    return entries


def last(path: str | Path) -> dict[str, Any] | None:
    """The last whole entry of a `metrics.jsonl`, read from its end, so that a long run costs no more than a short one;
    None where there is none."""
    if not Path(path).exists():
        return None
    with Path(path).open("rb") as file:
        end, size = file.seek(0, os.SEEK_END), 1 << 16
        while True:
            file.seek(max(0, end - size))
            # What follows the last newline is being written; what stands before the first one may be cut.
            lines = file.read(size).split(b"\n")[:-1]
            whole = lines if size >= end else lines[1:]
            if whole:
                return json.loads(whole[-1])
            if size >= end:
                return None
            size *= 2


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    number = float(value)
    # JSON has no NaN; null keeps the key and says that there was no value.
    return number if math.isfinite(number) else None
