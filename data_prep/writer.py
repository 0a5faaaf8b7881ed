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

from data_prep.schema import SCHEMA, check_row, to_table

ROW_GROUP = 256
GROUP_BYTES = 32 << 20
"""Image bytes after which a row group ends early, so that memory does not depend on how large images are."""


IMAGE_BYTES = "images.list.element.bytes"


def open_parquet(path: Path, schema: pa.Schema = SCHEMA) -> pq.ParquetWriter:
    """A writer that stores images as they are, since they are compressed, and the same image of a row group once."""
    codecs = {name: "none" if name == IMAGE_BYTES else "zstd" for field in schema for name in _leaves(field)}
    # Statistics would hold the least and the greatest image of every row group.
    described = [name for name in codecs if name != IMAGE_BYTES]
    return pq.ParquetWriter(
        path, schema, compression=codecs, dictionary_pagesize_limit=2 * GROUP_BYTES, write_statistics=described
    )


def _leaves(field: pa.Field) -> list[str]:
    """Parquet's names of the columns of a field."""
    if pa.types.is_struct(field.type):
        return [f"{field.name}.{name}" for child in field.type for name in _leaves(child)]
    if pa.types.is_list(field.type):
        return [f"{field.name}.list.{name}" for name in _leaves(pa.field("element", field.type.value_type))]
    return [field.name]


class RowWriter:
    """Writes checked rows to `path`.partial in row groups of 256 rows or 32 MB of images.

    `finish`, then `publish` gives the file its name; leaving the context without that deletes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(path.name + ".partial")
        self._rows = 0
        self._tasks: Counter[str] = Counter()
        self._categories: Counter[str] = Counter()
        self._buffer: list[dict[str, Any]] = []
        self._bytes = 0
        self._hash = hashlib.sha256()
        self._file: pq.ParquetWriter | None = None

    def __enter__(self) -> RowWriter:
        self._file = open_parquet(self.partial)
        return self

    def write(self, row: Mapping[str, Any]) -> None:
        """Add one row; ValueError naming row and field when it does not fit."""
        check_row(row)
        self._hash.update(_fingerprint(row))
        self._buffer.append(dict(row))
        self._rows += 1
        self._tasks[row["extra_info"]["task"]] += 1
        self._categories[row["extra_info"]["category"]] += 1
        self._bytes += sum(len(image["bytes"] or "") for image in row["images"] or [])
        if len(self._buffer) >= ROW_GROUP or self._bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        assert self._file is not None
        if self._buffer:
            self._file.write_table(to_table(self._buffer))
            self._buffer, self._bytes = [], 0

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
        parts.append(hashlib.sha256(image["bytes"] or image["path"].encode()).digest())
    return hashlib.sha256(b"\0".join(parts)).digest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
