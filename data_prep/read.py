"""Raw rows of a data set, streamed: from a file, from a folder in any of the forms that users have, or from the hub."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from data_prep.read_folder import data_files
from data_prep.read_text import json_rows, jsonl_rows, tsv_rows
from data_prep.source import Options, Source

BATCH = 32
CHUNK = 1 << 20


class RawRow(NamedTuple):
    """A row as the data set has it."""

    file: str
    """File, or hub id."""
    place: int
    """Place in the file, from 0."""
    values: Mapping[str, Any]


def parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a parquet file, a batch in memory at a time."""
    try:
        # Page by page and group by group: otherwise pyarrow holds what it has read until the end of the file.
        with pq.ParquetFile(path, buffer_size=CHUNK, pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(BATCH, row_groups=[group], use_threads=False):
                    yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read (cut off, or no parquet file?): {error}") from error


def arrow_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of an arrow file, as a stream (what `datasets` saves) or with an index."""
    try:
        with pa.memory_map(str(path)) as source:
            try:
                batches: Any = pa.ipc.open_stream(source)
            except pa.ArrowInvalid:
                file = pa.ipc.open_file(source)
                batches = (file.get_batch(at) for at in range(file.num_record_batches))
            for batch in batches:
                for start in range(0, batch.num_rows, BATCH):
                    yield from batch.slice(start, BATCH).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read (cut off, or no arrow file?): {error}") from error


def csv_rows(path: Path) -> Iterator[dict[str, Any]]:
    return tsv_rows(path, ",")


READERS: dict[str, Callable[[Path], Iterator[dict[str, Any]]]] = {
    ".parquet": parquet_rows,
    ".arrow": arrow_rows,
    ".json": json_rows,
    ".jsonl": jsonl_rows,
    ".tsv": tsv_rows,
    ".csv": csv_rows,
}


def local_rows(path: Path, source: Source, options: Options) -> Iterator[RawRow]:
    """The raw rows of a split in a file or folder; ValueError naming what is there instead."""
    files, own = data_files(path, source, options.split, options.variant, suffixes=tuple(READERS))
    if own and source.load is not None:
        yield from _numbered(str(path), source.load(path, options))
        return
    for file in files:
        yield from _numbered(str(file), READERS[file.suffix.lower()](file))


def hub_rows(source: Source, options: Options, revision: str | None = None) -> Iterator[RawRow]:
    """The raw rows of a split from the hub, images as they are stored."""
    from data_prep.read_hub import stream

    for name, rows in stream(source, options, revision):
        yield from _numbered(name, rows)


def _numbered(file: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[RawRow]:
    for place, row in enumerate(rows):
        yield RawRow(file, place, {name: None if _is_nan(value) else value for name, value in row.items()})


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
