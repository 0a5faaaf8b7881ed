"""Every form in which a user has a data set gives the same raw rows."""

from __future__ import annotations

import base64
import json
import random
import tracemalloc

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_prep.read import hub_rows, local_rows
from data_prep.read_text import json_rows, jsonl_rows, tsv_rows
from data_prep.source import Hub, Options, Source

ROWS = [{"id": f"q{number}", "question": f'say "{number}"\tand\nmore', "answer": None if number == 1 else "é"}
        for number in range(40)]  # fmt: skip
SOURCE = Source(
    name="fruit", title="", splits=("val", "test"), convert=lambda row, options: [], tsv=("Fruit_VAL",),
    files=("fruit_{split}.json",), hub=[Hub(id="owner/fruit", config="en", splits={"val": "validation"})],
)  # fmt: skip
VAL = Options(split="val")


def values(path, source=SOURCE, options=VAL):
    return [dict(row.values) for row in local_rows(path, source, options)]


def parquet(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


def arrow_stream(path):
    table = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)
    return path


def arrow_file(path):
    table = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    return path


def text(path, content):
    path.write_text(content, encoding="utf-8")
    return path


def tsv(path, rows=ROWS):
    cells = lambda row: ["" if cell is None else '"' + cell.replace('"', '""') + '"' for cell in row.values()]  # noqa: E731
    return text(path, "\n".join(["\t".join(rows[0]), *("\t".join(cells(row)) for row in rows)]) + "\n")


FILES = {
    "parquet": lambda folder: parquet(folder / "x.parquet"),
    "arrow stream": lambda folder: arrow_stream(folder / "x.arrow"),
    "arrow file": lambda folder: arrow_file(folder / "x.arrow"),
    "json list": lambda folder: text(folder / "x.json", json.dumps(ROWS, indent=1)),
    "json by id": lambda folder: text(
        folder / "x.json", json.dumps({row["id"]: {k: row[k] for k in row if k != "id"} for row in ROWS})
    ),
    "json with data": lambda folder: text(folder / "x.json", json.dumps({"version": 1, "data": ROWS})),
    "jsonl": lambda folder: text(folder / "x.jsonl", "\n\n".join(json.dumps(row) for row in ROWS) + "\n"),
    "tsv": lambda folder: tsv(folder / "x.tsv"),
}


@pytest.mark.parametrize("form", FILES)
def test_a_file_of_any_form(tmp_path, form):
    assert values(FILES[form](tmp_path)) == ROWS


def test_nan_is_none_everywhere(tmp_path):
    assert [row["a"] for row in json_rows(text(tmp_path / "a.json", '[{"a": NaN}, {"a": -Infinity}]'))] == [None, None]
    assert list(jsonl_rows(text(tmp_path / "a.jsonl", '{"a": NaN}'))) == [{"a": None}]
    assert [row["a"] for row in tsv_rows(text(tmp_path / "a.tsv", "a\tb\n\t1\nnan\t1\nNone\t1\n"))] == [
        None,
        None,
        "None",
    ]
    pq.write_table(pa.table({"a": [float("nan"), 1.0]}), tmp_path / "a.parquet")
    assert values(tmp_path / "a.parquet") == [{"a": None}, {"a": 1.0}]


def test_an_image_cell_may_be_the_index_of_another_row(tmp_path):
    images = {name: base64.b64encode(name.encode() * 60).decode() for name in "ab"}
    rows = [{"index": "1", "image": images["a"]}, {"index": "2", "image": "1"}, {"index": "3", "image": "4"},
            {"index": "4", "image": images["b"]}, {"index": "1000002", "image": "1"},
            {"index": "9", "image": "77"}]  # fmt: skip
    found = [row["image"] for row in tsv_rows(tsv(tmp_path / "a.tsv", rows))]
    assert found == [images["a"], images["a"], images["b"], images["b"], images["a"], "77"]


FOLDERS = {
    "authors' files": lambda folder: text(folder / "fruit_val.json", json.dumps(ROWS)),
    "harness": lambda folder: tsv(folder / "Fruit_VAL.tsv"),
    "harness in LMUData": lambda folder: tsv(folder / "data" / "Fruit_VAL.tsv"),
    "hub layout": lambda folder: parquet(folder / "data" / "validation-00000-of-00001.parquet"),
    "hub layout with config": lambda folder: (
        parquet(folder / "cn" / "validation-00000-of-00001.parquet").write_bytes(b"another language"),
        parquet(folder / "en" / "validation-00000-of-00001.parquet"),
    ),
    "folder by split": lambda folder: parquet(folder / "val" / "0000.parquet"),
    "name with split": lambda folder: text(folder / "Fruit_val.jsonl", "\n".join(map(json.dumps, ROWS))),
    "saved to disk": lambda folder: datasets.DatasetDict(
        {"val": datasets.Dataset.from_list(ROWS), "test": datasets.Dataset.from_list(ROWS[:1])}
    ).save_to_disk(folder),
    "card": lambda folder: (
        parquet(folder / "part7.parquet"),
        text(folder / "README.md", "---\nconfigs:\n- config_name: cn\n  data_files:\n  - {split: validation, path: n}\n"
             "- config_name: en\n  data_files:\n  - split: validation\n    path: part*.parquet\n---\n#\n"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FOLDERS)
def test_a_folder_of_any_form(tmp_path, form):
    (tmp_path / "data").mkdir()
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet").write_bytes(b"of another split")
    FOLDERS[form](tmp_path)
    assert values(tmp_path) == ROWS


def test_a_folder_without_the_split_names_what_is_there(tmp_path):
    parquet(tmp_path / "data" / "train-00000-of-00001.parquet")
    with pytest.raises(
        ValueError, match=r"no rows of split 'val' of fruit: looked for .*Fruit_VAL.tsv.* found data/train"
    ):
        values(tmp_path)
    with pytest.raises(ValueError, match=r"is not there"):
        values(tmp_path / "none")
    with pytest.raises(ValueError, match=r"\.zip is not one of \.parquet"):
        values(text(tmp_path / "a.zip", ""))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '[{"a": 1}, {"a": 2', r"a\.json: row 1: .*cut off"),
        ("a.json", '[{"a": 1}, 3]', r"a\.json: row 1: expected an object, got int"),
        ("a.json", "", r"a\.json: row 0: expected '\['"),
        ("a.jsonl", '{"a": 1}\n{"a"', r"a\.jsonl: line 2"),
        ("a.jsonl", '{"a": 1}\n[]', r"a\.jsonl: line 2: expected an object, got list"),
        ("a.tsv", "a\tb\n1\t2\n3", r"a\.tsv: row 1 has 1 cells for 2 columns"),
        ("a.parquet", "PAR1", r"a\.parquet cannot be read"),
        ("a.arrow", "no", r"a\.arrow cannot be read"),
    ],
)
def test_a_damaged_file_is_named_with_its_row(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message):
        values(text(tmp_path / name, content))


def test_a_json_list_is_read_in_pieces(tmp_path):
    big = "x" * 200_000
    path = text(tmp_path / "a.json", json.dumps([{"id": number, "text": big} for number in range(100)]))
    tracemalloc.start()
    assert sum(1 for _ in json_rows(path)) == 100
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 2


@pytest.mark.parametrize("group", [20, 400])
def test_a_parquet_file_is_read_in_pieces(tmp_path, group):
    noise = random.Random(0)
    table = pa.table({"image": [noise.randbytes(100_000) for _ in range(400)]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=group, write_batch_size=10, use_dictionary=False)
    del table
    before, peak = pa.total_allocated_bytes(), 0
    for row in local_rows(tmp_path / "a.parquet", SOURCE, VAL):
        assert len(row.values["image"]) == 100_000
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert peak < 12_000_000


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A repository as on the hub: a card that names the files of two configurations, images inside the parquet."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "repository"
    for config, answers in (("en", ["apple", "pear"]), ("fr", ["pomme"])):
        (folder / config).mkdir(parents=True)
        features = datasets.Features({"answer": datasets.Value("string"), "image": datasets.Image()})
        rows = [{"answer": answer, "image": {"bytes": answer.encode(), "path": "a.png"}} for answer in answers]
        datasets.Dataset.from_list(rows, features=features).to_parquet(folder / config / "validation-0.parquet")
    configs = "".join(
        f"- config_name: {name}\n  data_files:\n  - split: validation\n    path: {name}/*.parquet\n"
        for name in ("en", "fr")
    )
    text(folder / "README.md", f"---\nconfigs:\n{configs}---\n")
    return folder


@pytest.mark.parametrize(
    ("home", "answers"),
    [({"config": "en"}, ["apple", "pear"]), ({"config": "fr"}, ["pomme"]),
     ({"configs": ["fr", "en"]}, ["pomme", "apple", "pear"])],
)  # fmt: skip
def test_the_hub_through_datasets(hub, home, answers):
    source = Source(name="fruit", title="", splits=("val",), convert=lambda row, options: [],
                    hub=[Hub(id=str(hub), splits={"val": "validation"}, **home)])  # fmt: skip
    rows = list(hub_rows(source, VAL))
    assert [row.values["answer"] for row in rows] == answers
    assert [row.values["image"]["bytes"] for row in rows] == [answer.encode() for answer in answers], "not decoded"


def test_without_a_network_the_message_names_the_input_option(monkeypatch):
    monkeypatch.setattr(
        "datasets.load_dataset", lambda *args, **kwargs: (_ for _ in ()).throw(ConnectionError("no route"))
    )
    with pytest.raises(ValueError, match=r"owner/fruit/en@validation cannot be read.*no route.*--input PATH"):
        list(hub_rows(SOURCE, VAL))
