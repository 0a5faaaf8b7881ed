from __future__ import annotations

import random

import pyarrow.parquet as pq
import pytest

from data_prep.schema import SCHEMA, make_row
from data_prep.writer import ROW_GROUP, RowWriter


def row(index: int, truth: str = "1", image: bytes = b"x") -> dict:
    return make_row(
        data_source="offline/arithmetic", task="arithmetic", category="math_vqa", index=index,
        prompt="<image>Q", ground_truth=truth, info={}, images=[image],
    )  # fmt: skip


def write(path, rows) -> dict:
    with RowWriter(path) as writer:
        for item in rows:
            writer.write(item)
        summary = writer.finish()
        writer.publish()
    return summary


def test_rows_stream_in_row_groups(tmp_path):
    rows = [row(i) for i in range(ROW_GROUP + 3)]
    summary = write(tmp_path / "a.parquet", rows)
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert file.schema_arrow.equals(SCHEMA)
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [ROW_GROUP, 3]
    assert file.read().to_pylist() == rows
    assert (summary["rows"], summary["tasks"]) == (ROW_GROUP + 3, {"arithmetic": ROW_GROUP + 3})


def test_the_content_hash_sees_truth_image_and_order(tmp_path):
    variants = [[row(0), row(1)], [row(1), row(0)], [row(0), row(1, truth="2")], [row(0), row(1, image=b"y")], [row(0)]]
    hashes = [write(tmp_path / "a.parquet", rows)["content_sha256"] for rows in variants]
    assert len(set(hashes)) == len(variants)
    assert write(tmp_path / "b.parquet", variants[0])["content_sha256"] == hashes[0]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("finished", [False, True])
def test_leaving_early_keeps_the_old_file_and_no_partial(tmp_path, error, finished):
    path = tmp_path / "a.parquet"
    write(path, [row(0)])
    before = path.read_bytes()
    with pytest.raises(error), RowWriter(path) as writer:
        writer.write(row(1))
        if finished:
            writer.finish()
        raise error
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.parquet"]


def test_a_bad_row_is_named_and_nothing_is_left(tmp_path):
    bad = {**row(5), "ability": "grounding"}
    with pytest.raises(ValueError, match="row 5 of offline/arithmetic"):
        write(tmp_path / "a.parquet", [row(0), bad])
    assert not list(tmp_path.iterdir())


def test_a_repeated_image_is_stored_once_per_row_group(tmp_path):
    noise = random.Random(0).randbytes(100_000)
    write(tmp_path / "a.parquet", [row(number, image=noise) for number in range(50)])
    assert (tmp_path / "a.parquet").stat().st_size < 120_000
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() == [row(number, image=noise) for number in range(50)]


def test_large_images_end_a_row_group_early(tmp_path, monkeypatch):
    monkeypatch.setattr("data_prep.writer.GROUP_BYTES", 1000)
    write(tmp_path / "a.parquet", [row(number, image=bytes([number]) * 400) for number in range(7)])
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    assert [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)] == [3, 3, 1]
