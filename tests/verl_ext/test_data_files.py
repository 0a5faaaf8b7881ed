"""Poisoned rows are named before Ray starts where that is cheap, and when they are fetched where it is not."""

import copy

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from data_prep.offline import OfflineSource
from verl_ext.data_files import file_problems, refuse_rows

ROWS = [OfflineSource().row("train", index) for index in range(4)]


def written(path, change=lambda rows: None):
    """Four rows, changed, without the schema's promises, as a damaged or hand-made file has them."""
    rows = copy.deepcopy(ROWS)
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def setter(row, **fields):
    return lambda rows: rows[row].update(fields)


def test_good_rows_pass(tmp_path):
    assert file_problems(written(tmp_path / "a.parquet")) == []


@pytest.mark.parametrize(
    "change, says",
    [
        (setter(2, reward_model=None), "reward_model.ground_truth is missing"),
        (setter(2, reward_model={"style": "rule", "ground_truth": None}), "reward_model.ground_truth is missing"),
        (setter(2, prompt=None), "prompt is empty"),
        (setter(2, prompt=[]), "prompt is empty"),
        (setter(2, extra_info=None, data_source="nowhere"), "unknown task 'nowhere'"),
        (setter(2, data_source=None, extra_info=None), "unknown task ''"),
        (lambda rows: rows[2]["extra_info"].update(task="cooking"), "unknown task 'cooking'"),
        (lambda rows: rows[2]["extra_info"].update(category="video"), "video is an unknown category"),
    ],
)
def test_a_poisoned_row_is_named_with_the_fix(tmp_path, change, says):
    (problem,) = file_problems(written(tmp_path / "a.parquet", change))
    assert "a.parquet, row 2: " in problem and says in problem and "data_prep check" in problem


def test_many_are_counted(tmp_path):
    def all_of(rows):
        for row in rows:
            row["reward_model"] = None
        rows += copy.deepcopy(rows)

    problems = file_problems(written(tmp_path / "a.parquet", all_of))
    assert len(problems) == 6 and problems[-1].endswith("3 rows more")


def test_a_reward_of_the_users_own_needs_no_task_of_ours(tmp_path):
    path = written(tmp_path / "a.parquet", setter(1, extra_info=None, data_source="gsm8k", reward_model=None))
    assert file_problems(path, judged_by_us=False) == []


def test_prompts_may_stand_in_another_column(tmp_path):
    path = written(tmp_path / "a.parquet", lambda rows: [row.update(messages=row.pop("prompt")) for row in rows])
    assert "no column prompt" in file_problems(path)[0]
    assert file_problems(path, prompt="messages") == []


def test_files_that_cannot_be_read(tmp_path):
    cut = written(tmp_path / "cut.parquet")
    cut.write_bytes(cut.read_bytes()[:-100])
    assert "cannot be read" in file_problems(cut)[0]
    assert "is not there" in file_problems(tmp_path / "none.parquet")[0]
    pq.write_table(pa.table({"prompt": ["a"]}), tmp_path / "bare.parquet")
    assert "no column data_source, reward_model" in file_problems(tmp_path / "bare.parquet")[0]


def test_a_run_is_refused_for_either_file_and_remote_ones_are_passed(tmp_path):
    good, bad = written(tmp_path / "a.parquet"), written(tmp_path / "b.parquet", setter(0, prompt=None))
    reward = {"reward_manager": {"name": "verl_ext"}, "custom_reward_function": {"path": None}}

    def run(train, val):
        refuse_rows(OmegaConf.create({"data": {"train_files": train, "val_files": val}, "reward": reward}))

    run([str(good), "hdfs://far/away.parquet"], str(good))
    for train, val in ((str(bad), str(good)), ([str(good)], [str(bad)])):
        with pytest.raises(ValueError, match=r"b\.parquet, row 0: prompt is empty"):
            run(train, val)


def spoil(part):
    def change(rows):
        image = rows[2]["images"][0]["bytes"]
        rows[2]["images"][0]["bytes"] = b"no image" if part == "head" else image[: len(image) // 2]

    return change


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_broken_image_is_named_by_its_row(tmp_path, part):
    from verl_ext.named_rows import NamedRows
    from verl_ext.tiny_model.build import build_processor
    from verl_ext.tiny_model.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(row["prompt"][0]["content"] for row in ROWS)
    settings = OmegaConf.create({"cache_dir": str(tmp_path / "cache"), "filter_overlong_prompts": False})
    path = written(tmp_path / "a.parquet", spoil(part))
    rows = NamedRows(str(path), tokenizer, settings, build_processor(tokenizer))
    assert rows[1]["raw_prompt"]
    source, index = ROWS[2]["data_source"], ROWS[2]["extra_info"]["index"]
    with pytest.raises(ValueError, match=rf"row 2 of .*a\.parquet \({source}/{index}\) cannot be made a prompt"):
        rows[2]


def test_rows_that_verls_filter_drops_are_counted(tmp_path, caplog):
    from verl_ext.named_rows import NamedRows
    from verl_ext.tiny_model.build import build_processor
    from verl_ext.tiny_model.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(row["prompt"][0]["content"] for row in ROWS)
    processor = build_processor(tokenizer)
    settings = {"cache_dir": str(tmp_path / "cache"), "filter_overlong_prompts": True, "max_prompt_length": 4096}
    settings |= {"filter_overlong_prompts_workers": None}
    path = written(tmp_path / "a.parquet", spoil("head"))
    assert len(NamedRows(str(path), tokenizer, OmegaConf.create(settings), processor)) == 3
    assert "1 of 4 rows are left out" in caplog.text and "max_prompt_length=4096" in caplog.text
