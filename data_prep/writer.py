"""The one parquet writer: streams rows at constant memory, and a file appears under its name only when complete."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_prep.schema import SCHEMA, check_row

ROW_GROUP = 256


class RowWriter:
    """Writes checked rows to `path`.partial in row groups of 256.

    `finish`, then `publish` gives the file its name; leaving the context without that deletes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(path.name + ".partial")
        self._rows = 0
        self._tasks: Counter[str] = Counter()
        self._categories: Counter[str] = Counter()
        self._buffer: list[dict[str, Any]] = []
        self._hash = hashlib.sha256()
        self._file: pq.ParquetWriter | None = None

    def __enter__(self) -> RowWriter:
        self._file = pq.ParquetWriter(self.partial, SCHEMA, compression="zstd")
        return self

    def write(self, row: Mapping[str, Any]) -> None:
        """Add one row; ValueError naming row and field when it does not fit."""
        check_row(row)
        self._hash.update(_fingerprint(row))
        self._buffer.append(dict(row))
        self._rows += 1
        self._tasks[row["extra_info"]["task"]] += 1
        self._categories[row["extra_info"]["category"]] += 1
        if len(self._buffer) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        assert self._file is not None
        if self._buffer:
            self._file.write_table(pa.Table.from_pylist(self._buffer, schema=SCHEMA))
            self._buffer = []

    def finish(self) -> dict[str, Any]:
        """Complete the partial file, not yet under its final name; returns its counts and hashes.

        `content_sha256` covers the rows in order (all fields and image bytes), not how parquet packs them.
        """
        self._flush()
        assert self._file is not None
        self._file.close()
        return {
            "rows": self._rows,
            "tasks": dict(sorted(self._tasks.items())),
            "categories": dict(sorted(self._categories.items())),
            "content_sha256": self._hash.hexdigest(),
            "file_sha256": file_sha256(self.partial),
        }

    def publish(self) -> None:
        """Give the finished file its final name, in one step."""
        self.partial.replace(self.path)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None and self._file.is_open:
            self._file.close()
        self.partial.unlink(missing_ok=True)


def _fingerprint(row: Mapping[str, Any]) -> bytes:
    parts = [json.dumps({key: row[key] for key in SCHEMA.names if key != "images"}, sort_keys=True).encode()]
    for image in row["images"] or []:
        parts.append(hashlib.sha256(image["bytes"]).digest())
    return hashlib.sha256(b"\0".join(parts)).digest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
