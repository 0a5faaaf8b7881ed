from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_prep import mix, mix_write
from data_prep.dataset_files import PASS_RATE, TableWriter, schema_problems
from data_prep.offline import OfflineSource
from data_prep.schema import SCHEMA, make_row, to_table

TASKS = [("arithmetic", "math_vqa"), ("bar_value", "chart_vqa"), ("field_read", "document")]


def row(name: str, index: int, images: list[bytes] | None = None, task: int = 0, **changed) -> dict:
    task_name, category = TASKS[task]
    images = [f"{name} {index}".encode()] if images is None else images
    values = {
        "data_source": name, "task": task_name, "category": category, "index": index, "ground_truth": "6",
        "prompt": "<image>" * len(images) + f"2 x 3? {index}", "info": {}, "images": images or None,
    }  # fmt: skip
    return make_row(**{**values, **changed})


def write(path: Path, rows: list[dict], rates: list[float | None] | None = None) -> Path:
    table = to_table(rows)
    if rates is not None:
        table = table.append_column(PASS_RATE, pa.array(rates, pa.float64()))
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table, path, row_group_size=100)
    return path


def source(folder: Path, name: str, count: int, **changed) -> Path:
    return write(folder / f"{name}.parquet", [row(name, index, **changed) for index in range(count)])


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    mix.add_arguments(parser)
    return mix.run(parser.parse_args([*map(str, words)]))


def read(path: Path) -> list[dict]:
    return pq.read_table(path).to_pylist()


def names(path: Path) -> dict[str, int]:
    return dict(Counter(each["data_source"] for each in read(path)))


def test_everything_is_mixed_once_in_a_shuffled_order(tmp_path):
    offline = [OfflineSource().row("train", index) for index in range(30)]
    rows = [row("b", 0, [b"one", b"two"]), row("b", 1, [])]
    rows += [row("b", 2, [], videos=["a.mp4", ["1.png", "2.png"]], prompt="<video><video>2 x 3?")]
    one, two = write(tmp_path / "one.parquet", offline), write(tmp_path / "two.parquet", rows)
    assert run(one, two, "--out", tmp_path / "out") == 0
    mixed = read(tmp_path / "out/train.parquet")
    assert mixed != offline + rows
    key = json.dumps
    assert sorted(key(each, default=repr) for each in mixed) == sorted(
        key(each, default=repr) for each in offline + rows
    )
    schema = pq.read_schema(tmp_path / "out/train.parquet")
    assert not schema_problems(schema) and schema.metadata == SCHEMA.metadata
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mixture.json", "train.parquet"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a={a}:1", "b={b}:3", "--rows", "40"], {"a": 10, "b": 30}),
        (["a={a}:1", "b={b}:3"], {"a": 20, "b": 60}),
        (["{a}:0.5", "{b}:0.5"], {"a": 60, "b": 60}),
        (["{a}:10rows", "{b}:7rows"], {"a": 10, "b": 7}),
        (["{a}", "{b}", "--rows", "12"], {"a": 6, "b": 6}),
        (["{a}:1", "{b}:9", "--temperature", "2", "--rows", "40"], {"a": 10, "b": 30}),
        (["{a}", "{b}"], {"a": 60, "b": 60}),
        (["{a}:1", "{b}:2", "--rows", "150", "--repeat"], {"a": 50, "b": 100}),
    ],
)
def test_weights_counts_and_temperature(tmp_path, words, expected):
    files = {name: source(tmp_path, name, 60) for name in "ab"}
    run(*(word.format(**files) for word in words), "--out", tmp_path / "out")
    assert names(tmp_path / "out/train.parquet") == expected


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_sources_from_a_file_beside_them(tmp_path, suffix):
    source(tmp_path, "a", 60), source(tmp_path, "b", 60)
    content = {"first": {"path": "a.parquet", "weight": 1}, "second": {"path": "b.parquet", "weight": 2}}
    (tmp_path / f"mix.{suffix}").write_text(json.dumps(content))
    run(tmp_path / f"mix.{suffix}", "--rows", 30, "--out", tmp_path / "out")
    assert names(tmp_path / "out/train.parquet") == {"a": 10, "b": 20}
    mixture = json.loads((tmp_path / "out/mixture.json").read_text())
    assert mixture["splits"]["train"]["sources"] == {"first": 10, "second": 20}


def test_a_folder_stands_for_its_training_file(tmp_path):
    write(tmp_path / "set/train.parquet", [row("a", index) for index in range(5)])
    write(tmp_path / "set/val.parquet", [row("a", index) for index in range(5, 9)])
    run(tmp_path / "set", "--out", tmp_path / "out")
    assert sorted(each["extra_info"]["index"] for each in read(tmp_path / "out/train.parquet")) == [0, 1, 2, 3, 4]


def test_categories_and_tasks_in_balance(tmp_path):
    rows = [row("a", index, task=0 if index < 80 else 1) for index in range(100)]
    rows += [row("b", index, task=2) for index in range(60)]
    path = write(tmp_path / "a.parquet", rows)
    run(path, "--balance", "category", "--rows", 30, "--out", tmp_path / "out")
    categories = Counter(each["ability"] for each in read(tmp_path / "out/train.parquet"))
    assert set(categories.values()) == {10}
    run(path, "--balance", "task", "--out", tmp_path / "most")
    tasks = Counter(each["extra_info"]["task"] for each in read(tmp_path / "most/train.parquet"))
    assert tasks == {"arithmetic": 21, "bar_value": 20, "field_read": 20}, "the first takes the row that is left over"


def test_the_held_out_split_shares_no_image_video_or_prompt_with_training(tmp_path, capsys):
    """Three questions per image; text-only rows that differ in case and spaces; the same video twice."""
    rows = [row("a", index, [b"picture %d" % (index // 3)]) for index in range(90)]
    rows += [row("b", index, [], prompt=f"What  is {index // 2}?" if index % 2 else f"what is {index // 2}?")
             for index in range(40)]  # fmt: skip
    rows += [row("c", index, [], prompt="<video>?", videos=[f"{index // 2}.mp4"]) for index in range(20)]
    path = write(tmp_path / "a.parquet", rows)
    assert run(path, "--held-out", 30, "--out", tmp_path / "out") == 0
    train, val = (read(tmp_path / f"out/{name}.parquet") for name in ("train", "val"))

    def contents(split: list[dict]) -> set:
        found = set()
        for each in split:
            found |= {image["bytes"] for image in each["images"] or []} | set(each["videos"] or [])
            if not each["images"] and not each["videos"]:
                found.add(" ".join(each["prompt"][0]["content"].lower().split()))
        return found

    assert len(val) == 30 and not contents(train) & contents(val)
    assert contents(train) | contents(val) == contents(rows)
    mixture = json.loads((tmp_path / "out/mixture.json").read_text())
    shadowed = mixture["shares_an_image_with_a_held_out_row"]
    assert shadowed == 150 - len(train) - len(val) > 0
    assert f"{shadowed} that share an image, video or prompt with a held-out row" in capsys.readouterr().out


def test_the_seed_alone_decides(tmp_path):
    path = source(tmp_path, "a", 60)
    for out, seed in (("x", 1), ("y", 1), ("z", 2)):
        run(path, "--rows", 20, "--held-out", 5, "--seed", seed, "--out", tmp_path / out)
    files = {out: (tmp_path / out / "train.parquet").read_bytes() for out in "xyz"}
    assert files["x"] == files["y"] != files["z"]


def test_many_buckets_give_the_same_file(tmp_path, monkeypatch):
    path = source(tmp_path, "a", 120)
    run(path, "--out", tmp_path / "one")
    monkeypatch.setattr(mix_write, "BUCKET_BYTES", 10_000)
    run(path, "--out", tmp_path / "many")
    assert read(tmp_path / "one/train.parquet") == read(tmp_path / "many/train.parquet")


def test_copies_have_indices_of_their_own(tmp_path):
    path = source(tmp_path, "a", 10)
    run(path, "--rows", 25, "--repeat", "--out", tmp_path / "out")
    mixed = read(tmp_path / "out/train.parquet")
    indices = [each["extra_info"]["index"] for each in mixed]
    assert len(set(indices)) == 25 and set(range(20)) < set(indices) < set(range(30))
    assert {each["images"][0]["bytes"]: each["extra_info"]["index"] % 10 for each in mixed} == {
        f"a {index}".encode(): index for index in range(10)
    }


def test_copies_take_no_held_out_rows_name(tmp_path):
    path = source(tmp_path, "a", 10)
    run(path, "--rows", 25, "--repeat", "--held-out", 1, "--out", tmp_path / "out")
    train, val = ({each["extra_info"]["index"] for each in read(tmp_path / f"out/{name}.parquet")}
                  for name in ("train", "val"))  # fmt: skip
    assert len(train) == 25 and not train & val and not train & {index + 10 for index in val}


def test_pass_rates_are_kept_and_chosen_by(tmp_path):
    rated = write(tmp_path / "a.parquet", [row("a", index) for index in range(5)], [0.0, 0.25, 0.5, 1.0, None])
    plain = source(tmp_path, "b", 2)
    run(rated, plain, "--out", tmp_path / "both")
    rates = {(each["data_source"], each["extra_info"]["index"]): each["pass_rate"] for each in read(
        tmp_path / "both/train.parquet")}  # fmt: skip
    assert rates[("a", 1)] == 0.25 and rates[("a", 4)] is None and rates[("b", 0)] is None
    run(rated, "--pass-rate", 0.25, 0.5, "--out", tmp_path / "some")
    assert sorted(each["extra_info"]["index"] for each in read(tmp_path / "some/train.parquet")) == [1, 2]
    left_out = json.loads((tmp_path / "some/mixture.json").read_text())["sources"]["a"]["left_out"]
    assert left_out == {"pass rate out of range": 2, "without pass rate": 1}
    with pytest.raises(ValueError, match=r"b\.parquet has no column pass_rate"):
        run(rated, plain, "--pass-rate", 0, 1, "--out", tmp_path / "none")


def test_unverifiable_rows_stay_out(tmp_path, capsys):
    path = write(tmp_path / "a.parquet", [row("a", 0), row("a/unverifiable", 1)])
    run(path, "--out", tmp_path / "out")
    assert names(tmp_path / "out/train.parquet") == {"a": 1}
    assert "left out of a: 1 unverifiable" in capsys.readouterr().out


def test_mixture_says_what_went_in(tmp_path, capsys):
    a, b = source(tmp_path, "a", 30), source(tmp_path, "b", 60, task=1)
    run(f"{a}:1", f"{b}:3", "--rows", 40, "--held-out", 4, "--out", tmp_path / "out")
    mixture = json.loads((tmp_path / "out/mixture.json").read_text())
    assert mixture["asked"]["settings"]["seed"] == 0 and list(mixture["asked"]["hashes"]["a"]) == [str(a)]
    assert mixture["sources"]["b"]["share_asked"] == mixture["sources"]["b"]["share"] == 0.75
    split = mixture["splits"]["train"]
    assert split["categories"] == {"chart_vqa": 30, "math_vqa": 10} and split["tasks"]["bar_value"] == 30
    assert mixture["splits"]["val"]["sources"] == {"a": 1, "b": 3}
    assert "  b                                   30  75.0 %       3  75.0 %" in capsys.readouterr().out


def test_the_same_command_again_does_nothing_and_another_is_refused(tmp_path, capsys):
    path, out = source(tmp_path, "a", 60), tmp_path / "out"
    run(path, "--rows", 20, "--held-out", 2, "--out", out)
    before = (out / "train.parquet").stat().st_mtime_ns
    run(path, "--rows", 20, "--held-out", 2, "--out", out)
    assert "nothing to do" in capsys.readouterr().out and (out / "train.parquet").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="holds a mixture of other sources or settings"):
        run(path, "--rows", 21, "--out", out)
    (out / "train.parquet").write_bytes(b"damaged")
    run(path, "--rows", 20, "--held-out", 2, "--out", out)
    assert len(read(out / "train.parquet")) == 20
    run(path, "--rows", 21, "--out", out, "--force")
    assert len(read(out / "train.parquet")) == 21 and not (out / "val.parquet").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupt_or_full_disk_keeps_the_old_files_and_leaves_nothing_else(tmp_path, monkeypatch, error):
    path, out = source(tmp_path, "a", 300), tmp_path / "out"
    run(path, "--out", out)
    before = {each.name: each.read_bytes() for each in out.iterdir()}
    calls = []

    def write_then_fail(self, table):
        calls.append(table)
        raise error

    monkeypatch.setattr(TableWriter, "write", write_then_fail)
    with pytest.raises(error if isinstance(error, type) else OSError):
        run(path, "--seed", 1, "--out", out, "--force")
    assert calls and {each.name: each.read_bytes() for each in out.iterdir()} == before


def test_the_same_index_twice_is_refused_and_both_rows_named(tmp_path):
    one, two = (write(tmp_path / f"{name}.parquet", [row("same", index) for index in (start, 7)])
                for name, start in (("one", 1), ("two", 2)))  # fmt: skip
    with pytest.raises(
        ValueError, match=r"two\.parquet, row 1 has the data_source and index that .*one\.parquet, row 1"
    ):
        run(one, two, "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{a}:1", "{b}:1", "--rows", "100"], "source b: the mixture takes 50 training rows, there are 10 .*--repeat"),
        (["{a}:70rows"], "source a: the mixture takes 70 training rows, there are 60"),
        (["{a}", "--held-out", "70"], "source a: the mixture takes 70 held-out rows, there are 60"),
        (["{a}", "--held-out", "60"], "no row is left for training"),
        (["{a}:1", "{b}"], "source b has no weight and others have one"),
        (["{a}:1rows", "{b}:2"], "either all sources have a number of rows or none"),
        (["{a}:1rows", "--rows", "2"], "leave nothing to --rows"),
        (["{a}", "{a}"], "two sources have the name 'a'"),
        (["{a}:0"], "the weight of source a is 0"),
        (["{a}:1.5rows"], "no whole number of rows"),
        (["{a}", "--temperature", "0"], "temperature is 0"),
        (["{a}", "--rows", "0"], "rows is 0"),
        (["{a}", "--held-out", "-1"], "held-out is -1"),
        (["{a}", "--repeat"], "--repeat needs --rows"),
        (["{a}", "--pass-rate", "1", "0"], "empty range"),
        (["nowhere.parquet"], "nowhere.parquet is not there"),
        (["{bad}"], "column videos is missing"),
        (["{cut}"], "cut off, or no parquet file"),
        (["{typo}"], "unknown key 'wieght' .nearest: 'weight'"),
        (["{list}"], "must be an object of sources"),
    ],
)
def test_bad_input(tmp_path, words, message):
    files = {"a": source(tmp_path, "a", 60), "b": source(tmp_path, "b", 10)}
    files |= {name: tmp_path / f"{name}.parquet" for name in ("bad", "cut")}
    pq.write_table(pq.read_table(files["a"]).drop_columns("videos"), files["bad"])
    files["cut"].write_bytes(files["a"].read_bytes()[:-100])
    files |= {name: tmp_path / f"{name}.yaml" for name in ("typo", "list")}
    files["typo"].write_text("a: {path: a.parquet, wieght: 1}")
    files["list"].write_text("[a.parquet]")
    with pytest.raises(ValueError, match=message):
        run(*(word.format(**files) for word in words), "--out", tmp_path / "out")
    assert not (tmp_path / "out" / "train.parquet").exists()


def test_the_folder_of_a_source_is_no_place_for_the_mixture(tmp_path):
    write(tmp_path / "set/train.parquet", [row("a", 0)])
    with pytest.raises(ValueError, match="is the folder of the source"):
        run(tmp_path / "set", "--out", tmp_path / "set", "--force")
