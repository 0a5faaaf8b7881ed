"""What is finished of a split, in numbered parts, so that an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from data_prep.convert import Outcome
from data_prep.folder import write_whole
from data_prep.read import RawRow
from data_prep.schema import SCHEMA, to_table

PART = 1024
"""Raw rows of a part."""
BATCH = 32


@dataclass
class Tally:
    """What has been counted so far, kept with every part."""

    raw: int = 0
    """Raw rows read."""
    rows: int = 0
    """Rows written; the next one's `extra_info.index`."""
    unverifiable: int = 0
    skipped: int = 0
    """Raw rows without a question: not asked for."""
    filtered: int = 0
    repaired: Counter[str] = field(default_factory=Counter)
    set_aside: Counter[str] = field(default_factory=Counter)

    @staticmethod
    def of(values: dict[str, Any]) -> Tally:
        counters = {name: Counter(values[name]) for name in ("repaired", "set_aside")}
        return Tally(**{**values, **counters})


class Parts:
    """The finished parts in a folder: `00000.arrow` with rows, then `00000.json` with the rest of it."""

    def __init__(self, folder: Path, made_with: dict[str, Any]) -> None:
        """Keeps what was made with the same arguments, else starts anew."""
        self.folder = folder
        self.tally = Tally()
        self.seen: set[bytes] = set()
        settings = folder / "made_with.json"
        if not settings.is_file() or json.loads(settings.read_text()) != made_with:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_whole(settings, json.dumps(made_with))
        self.count = 0
        while (path := self._path(self.count, "json")).is_file():
            kept = json.loads(path.read_text())
            self.tally = Tally.of(kept["tally"])
            self.seen |= {bytes.fromhex(each) for each in kept["seen"]}
            self.count += 1

    def _path(self, number: int, suffix: str) -> Path:
        return self.folder / f"{number:05}.{suffix}"

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows of the finished parts, in order."""
        for number in range(self.count):
            with pa.OSFile(str(self._path(number, "arrow"))) as file, pa.ipc.open_stream(file) as batches:
                for batch in batches:
                    yield from batch.to_pylist()

    def set_aside(self) -> Iterator[dict[str, Any]]:
        """What was set aside, in order."""
        for number in range(self.count):
            yield from json.loads(self._path(number, "json").read_text())["set_aside"]

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class PartWriter:
    """Writes one part; it counts as finished after `finish`."""

    def __init__(self, parts: Parts, limit: int | None) -> None:
        self.parts = parts
        self.limit = limit
        self.raw = 0
        self._set_aside: list[dict[str, Any]] = []
        self._seen: list[bytes] = []
        self._waiting: list[dict[str, Any]] = []
        self._path = parts._path(parts.count, "arrow")
        self._file: Any = None

    def __enter__(self) -> PartWriter:
        self._file = pa.ipc.new_stream(str(self._path), SCHEMA)
        return self

    @property
    def full(self) -> bool:
        """Whether the wanted rows are there."""
        return self.limit is not None and self.parts.tally.rows >= self.limit

    def add(self, raw: RawRow, outcome: Outcome) -> None:
        """Take over what became of a raw row, unless an earlier one has its id."""
        tally = self.parts.tally
        self.raw += 1
        tally.raw += 1
        asked_for = bool(outcome.rows or outcome.set_aside or outcome.filtered)
        if outcome.id is not None and asked_for:
            key = hashlib.blake2b(outcome.id.encode(), digest_size=8).digest()
            if key in self.parts.seen:
                outcome = Outcome(outcome.id, set_aside=[("duplicate id", outcome.id[:200])])
            self.parts.seen.add(key)
            self._seen.append(key)
        tally.filtered += outcome.filtered
        tally.skipped += not asked_for
        tally.repaired.update(outcome.repaired)
        for reason, detail in outcome.set_aside:
            tally.set_aside[reason] += 1
            self._set_aside.append(
                {"id": outcome.id, "reason": reason, "detail": detail, "file": raw.file, "row": raw.place}
            )
        for row in outcome.rows:
            if self.full:
                return
            row["extra_info"]["index"] = tally.rows
            tally.rows += 1
            tally.unverifiable += row["data_source"].endswith("/unverifiable")
            self._waiting.append(row)
            if len(self._waiting) >= BATCH:
                self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._file.write_table(to_table(self._waiting))
            self._waiting = []

    def finish(self) -> None:
        self._flush()
        self._file.close()
        record = {
            "tally": vars(self.parts.tally),
            "seen": [key.hex() for key in self._seen],
            "set_aside": self._set_aside,
        }
        # Last: with it the part counts as finished.
        write_whole(self.parts._path(self.parts.count, "json"), json.dumps(record, ensure_ascii=False))
        self.parts.count += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
