"""Prepared parquet files: found, opened, read in batches and written, at constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from data_prep.schema import SCHEMA
from data_prep.writer import ROW_GROUP, open_parquet

PASS_RATE = pa.field("pass_rate", pa.float64())
"""The one column that a prepared file may have beside the schema's: see `passrate`."""
BATCH = 64
"""Rows in memory at a time."""


def parquet_files(path: Path, prefer: str | None = None) -> list[Path]:
    """A file itself; of a folder the file named `prefer`, or, without one, all its parquet files by name."""
    if path.is_dir():
        preferred = path / f"{prefer}.parquet"
        found = [preferred] if prefer and preferred.is_file() else sorted(path.glob("*.parquet"))
        if not found:
            raise ValueError(f"{path} holds no parquet file")
        return found
    if not path.is_file():
        raise ValueError(f"{path} is not there")
    return [path]


def open_any(path: Path) -> pq.ParquetFile:
    """A parquet file of whatever columns; ValueError naming it if it is none, or cut off."""
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError:
        raise ValueError(f"{path} is not there") from None
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read (cut off, or no parquet file?): {error}") from error


def open_prepared(path: Path) -> pq.ParquetFile:
    """A parquet file in the row schema, with or without a pass rate; ValueError naming the columns that differ."""
    file = open_any(path)
    if problems := schema_problems(file.schema_arrow):
        raise ValueError(
            f"{path} is not in the row schema: {'; '.join(problems)}; python -m data_prep prepare makes it"
        )
    return file


def schema_problems(schema: pa.Schema) -> list[str]:
    """How columns differ from the row schema, in a sentence each; [] if they do not."""
    wanted = {field.name: field for field in SCHEMA}
    problems = [f"column {name} is missing" for name in wanted if name not in schema.names]
    for field in schema:
        expected = wanted.get(field.name, PASS_RATE if field.name == PASS_RATE.name else None)
        if expected is None:
            problems.append(f"column {field.name} is not in the schema")
        elif field.type != expected.type or field.nullable != expected.nullable:
            found, right = (f"{each.type}{'' if each.nullable else ' not null'}" for each in (field, expected))
            problems.append(f"column {field.name} is {found}, not {right}")
    return problems


def read_batches(
    file: pq.ParquetFile, path: Path, *, columns: Sequence[str] | None = None, group: int | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """(place of its first row in the file, batch) over the file or one row group; ValueError naming damaged rows."""
    sizes = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
    for at in range(len(sizes)) if group is None else [group]:
        place = sum(sizes[:at])
        try:
            for batch in file.iter_batches(BATCH, row_groups=[at], columns=columns):
                yield place, batch
                place += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            last = sum(sizes[: at + 1]) - 1
            raise ValueError(f"{path}: rows {place} to {last} cannot be read (damaged file?): {error}") from error


class TableWriter:
    """Writes tables to `path`.partial in row groups of 256; `finish`, then `publish` gives the file its name."""

    def __init__(self, path: Path, *, pass_rate: bool) -> None:
        self.path = path
        self.partial = path.with_name(path.name + ".partial")
        self.schema = SCHEMA.append(PASS_RATE) if pass_rate else SCHEMA
        self._waiting: list[pa.Table] = []
        self._file: pq.ParquetWriter | None = None

    def __enter__(self) -> TableWriter:
        self._file = open_parquet(self.partial, self.schema)
        return self

    def write(self, table: pa.Table) -> None:
        """Add rows; without a pass rate they get null where the file has that column."""
        if PASS_RATE.name in self.schema.names and PASS_RATE.name not in table.column_names:
            table = table.append_column(PASS_RATE, pa.nulls(len(table), PASS_RATE.type))
        self._waiting.append(table.select(self.schema.names).cast(self.schema))
        while sum(map(len, self._waiting)) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        assert self._file is not None
        whole = pa.concat_tables(self._waiting)
        self._file.write_table(whole.slice(0, ROW_GROUP))
        rest = whole.slice(ROW_GROUP)
        self._waiting = [rest] if len(rest) else []

    def finish(self) -> None:
        """Complete the partial file, not yet under its final name."""
        assert self._file is not None
        while self._waiting:
            self._flush()
        self._file.close()

    def publish(self) -> None:
        """Give the finished file its final name, in one step."""
        self.partial.replace(self.path)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None and self._file.is_open:
            self._file.close()
        self.partial.unlink(missing_ok=True)
