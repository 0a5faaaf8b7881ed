"""Writes drawn rows in their order: copied once from the sources into buckets on disk, then bucket by bucket in order.

Memory holds one bucket and one batch of a source; every source is read once, whatever the order.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_prep.dataset_files import PASS_RATE, TableWriter, open_prepared, read_batches
from data_prep.mix_draw import Pick
from data_prep.schema import SCHEMA

BUCKET_BYTES = 32_000_000
ROW_BYTES = 2_000
"""of a row beside its images, roughly"""
MAX_BUCKETS = 500
PLACE = pa.field("place", pa.int64())


def write_rows(picks: Sequence[Pick], writer: TableWriter, progress: Any) -> None:
    """Write the rows of `picks` in their order."""
    total = sum(pick.row.size + ROW_BYTES for pick in picks)
    buckets = min(1 + total // BUCKET_BYTES, MAX_BUCKETS, len(picks))
    schema = writer.schema.append(PLACE)
    with _scratch(writer.partial.with_name(writer.path.name + ".scratch")) as folder:
        files = [folder / f"{number}.arrow" for number in range(buckets)]
        with ExitStack() as stack:
            sinks = [stack.enter_context(pa.OSFile(str(path), "wb")) for path in files]
            streams = [stack.enter_context(pa.ipc.new_stream(sink, schema)) for sink in sinks]
            for table in _taken(picks, schema, progress):
                number = pa.array([place * buckets // len(picks) for place in table[PLACE.name].to_pylist()])
                for bucket in set(number.to_pylist()):
                    streams[bucket].write_table(table.filter(pa.compute.equal(number, bucket)))
        for path in files:
            with pa.OSFile(str(path), "rb") as source, pa.ipc.open_stream(source) as stream:
                table = stream.read_all()
            path.unlink()
            writer.write(table.take(pa.compute.sort_indices(table[PLACE.name])))
            progress.update(len(table))


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _taken(picks: Sequence[Pick], schema: pa.Schema, progress: Any) -> Iterator[pa.Table]:
    """The drawn rows, batch by batch of the sources, with their places in the mixture."""
    wanted: dict[Path, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, pick in enumerate(picks):
        wanted[pick.row.file][pick.row.row].append(place)
    for path, rows in wanted.items():
        for start, batch in read_batches(open_prepared(path), path):
            places = [(at, place) for at in range(batch.num_rows) for place in rows.get(start + at, ())]
            if places:
                table = pa.Table.from_batches([batch]).take([at for at, _ in places])
                if PASS_RATE.name in schema.names and PASS_RATE.name not in table.column_names:
                    table = table.append_column(PASS_RATE, pa.nulls(len(table), PASS_RATE.type))
                table = _with_indices(table, [picks[place].index for _, place in places])
                table = table.append_column(PLACE, pa.array([place for _, place in places], PLACE.type))
                yield table.select(schema.names).cast(schema)
                progress.update(len(places))


def _with_indices(table: pa.Table, indices: list[int]) -> pa.Table:
    """`extra_info.index` replaced: copies of a row have their own."""
    field = SCHEMA.field("extra_info")
    parts = table["extra_info"].combine_chunks().flatten()
    parts[field.type.get_field_index("index")] = pa.array(indices, pa.int64())
    column = pa.StructArray.from_arrays(parts, fields=list(field.type))
    return table.set_column(table.column_names.index("extra_info"), field, column)
