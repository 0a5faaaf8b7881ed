"""OneThinker's rows: a fixture of each problem type in the published schema, through the command line."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from PIL import Image

from data_prep.__main__ import main
from data_prep.check_rows import Rules, row_problems
from data_prep.onethinker import SOURCE, unwrapped
from data_prep.source import Options, SetAside

BOX = [577, 232, 899, 786]
POINTS = {
    "positive_points": [[600, 300], [700, 500], [800, 700]],
    "negative_points": [[100, 100], [200, 900], [950, 50]],
}


def raw(number, problem_type, answer, *, task_type=None, options=(), video=None, question="What is it?", **more):
    mark, kind = ("<video>", "video") if video else ("<image>", "image")
    row = {
        "problem_id": number, "problem": f"{mark} {question}", "data_type": kind, "problem_type": problem_type,
        "options": list(options), "data_source": "made", "answer": f"<answer>{answer}</answer>",
        ("videos" if video else "images"): video or ["./images/a.png"], "problem_reserved_text": question,
    }  # fmt: skip
    return {**row, **({"task_type": task_type} if task_type else {}), **more}


OPTIONS = ("A. a cat", "B. a dog")
FRAMES = ["./frames/1.png", "./frames/2.png", "./frames/3.png", "./frames/4.png"]
ROWS = [
    raw(1, "multiple choice", "B", options=[*OPTIONS], pass_rate=0.5, task_type="general_vqa_science_stem"),
    raw(2, "numerical", "40.33", task_type="chart_figure_qa", pass_rate=0.0),
    raw(3, "regression", "0.0", task_type="spatial_reasoning", pass_rate=1.0),
    raw(4, "math", r"$$\pi $$", task_type="math_reasoning", pass_rate=None),
    raw(5, "OCR", "u ( x - x _ { 0 } ) = 0", task_type="ocr", pass_rate=0.25),
    raw(6, "open-ended", "A man repairs a bicycle.", pass_rate=0.99),
    raw(7, "spatial grounding", json.dumps({"boxes": BOX}), task_type="spatial_grounding"),
    raw(8, "temporal grounding", '{"time": [12.3, 25.7]}', video=["./a.mp4"]),
    raw(9, "spatial-temporal grounding", json.dumps({"time": [8, 10], "boxes": {"9": BOX, "10": BOX}}), video=[FRAMES]),
    raw(10, "tracking", json.dumps({"boxes": {"1": BOX, "2": BOX}}), video=["a.mp4"]),
    raw(11, "segmentation", json.dumps({"boxes": BOX, **POINTS})),
    raw(12, "segmentation", json.dumps({"time": 4.5, "boxes": BOX, **POINTS}), video=[FRAMES]),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "data"
    for name in ("images/a.png", *FRAMES):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 80), "red").save(path)
    (folder / "a.mp4").write_bytes(b"only its path goes into a row")
    (folder / "onethinker_rl_train.json").write_text(json.dumps(ROWS))
    return folder


def prepare(folder, out, *options) -> list[dict]:
    assert main(["prepare", "onethinker", "--input", str(folder), "--out", str(out), "--workers", "1", *options]) == 0
    return pq.read_table(next(out.glob("*.parquet"))).to_pylist()


def test_all_problem_types_become_rows_whose_gold_scores_one(folder, tmp_path):
    rows = prepare(folder, tmp_path / "out")
    assert not (tmp_path / "out" / "set_aside.jsonl").read_text()
    assert [row["extra_info"]["task"] for row in rows] == [
        "multiple_choice", "numerical", "regression", "math", "ocr", "open_ended", "spatial_grounding",
        "temporal_grounding", "spatial_temporal_grounding", "tracking", "segmentation", "segmentation",
    ]  # fmt: skip
    assert [row["ability"] for row in rows] == [
        "general_vqa", "chart_vqa", "spatial_reasoning", "math_vqa", "document", "general_vqa", *["grounding"] * 6,
    ]  # fmt: skip
    assert [problem for row in rows for problem in row_problems(row, Rules())] == []
    text = rows[0]["prompt"][0]["content"]
    assert text.startswith("<image>What is it?\nOptions:\nA. a cat\nB. a dog\nFirst think")
    assert "4.5" in rows[11]["prompt"][0]["content"] and '"time"' not in rows[10]["prompt"][0]["content"]


def test_videos_are_absolute_paths_or_frames(folder, tmp_path):
    rows = prepare(folder, tmp_path / "out")
    path, frames = (json.loads(rows[place]["videos"][0]) for place in (7, 8))
    assert path == {
        "video": str(folder / "a.mp4"),
        "min_pixels": 4096,
        "max_pixels": 65536,
        "fps": 2.0,
        "max_frames": 128,
    }
    assert frames["video"] == [str(folder / name) for name in FRAMES] and frames["sample_fps"] == 2.0
    assert rows[7]["prompt"][0]["content"].startswith("<video>What is it?") and rows[7]["images"] is None


@pytest.mark.parametrize(
    ("options", "indices"),
    [
        (["--types", "math", "ocr"], [4, 5]),
        (["--categories", "chart_vqa", "document"], [2, 5]),
        (["--pass-rate", "0.01", "0.99", "--types", "multiple choice", "numerical", "regression", "math", "ocr",
          "open-ended"], [1, 5, 6]),
        (["--limit", "2"], [1, 2]),
    ],
)  # fmt: skip
def test_filters(folder, tmp_path, options, indices):
    rows = prepare(folder, tmp_path / "out", *options)
    types = {row["problem_id"]: row["problem_type"] for row in ROWS}
    found = [json.loads(row["extra_info"]["info"])["problem_type"] for row in rows]
    assert found == [types[index] for index in indices]


def test_a_pass_rate_that_is_not_there_is_named(folder, tmp_path, capsys):
    command = ["prepare", "onethinker", "--input", str(folder), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert main([*command, "--types", "tracking", "--pass-rate", "0", "1"]) == 2
    assert "onethinker_rl_train.json: row 9: column 'pass_rate' is missing" in capsys.readouterr().err


def test_two_workers_write_the_same_bytes(folder, tmp_path):
    prepare(folder, tmp_path / "one")
    prepare(folder, tmp_path / "two", "--workers", "2")
    assert (tmp_path / "one" / "train.parquet").read_bytes() == (tmp_path / "two" / "train.parquet").read_bytes()


def test_validation_files_hold_bare_nan(folder, tmp_path):
    row = {**raw(330, "math", "7", task_type="math_reasoning"), "id": "x"}
    del row["options"]
    text = json.dumps([row]).replace('"id": "x"', '"id": "x", "explanation": NaN, "choices": NaN, "options": NaN')
    (folder / "sample_val_math.json").write_text(text)
    assert prepare(folder, tmp_path / "out", "--split", "val")[0]["reward_model"]["ground_truth"] == "7"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"answer": "<answer></answer>"}, "no single answer"),
        ({"answer": "<answer>A</answer><answer>B</answer>"}, "no single answer"),
        ({"answer": None}, "no single answer"),
        ({"answer": "<answer>E</answer>"}, "the answer is not an option"),
        ({"answer": "<answer>BC</answer>", "options": []}, "the answer is not a letter"),
        *[
            ({"problem_type": type_, "answer": f"<answer>{answer}</answer>"}, "the answer is not a number")
            for type_, answer in [("numerical", "3/4"), ("numerical", "January"), ("regression", "2.5 m")]
        ],
        ({"problem_type": "poetry"}, "unknown problem type"),
        ({"data_type": "audio"}, "unknown data type"),
        ({"problem_type": "spatial grounding", "answer": "[1, 2"}, "the answer is not JSON"),
        ({"problem_type": "spatial grounding", "answer": "[1, 2]"}, "the answer is not an object"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(change, reason):
    with pytest.raises(SetAside, match=reason):
        list(SOURCE.convert({**ROWS[0], **change}, Options(split="train")))


def test_an_answer_without_tags_is_taken_as_it_is():
    assert unwrapped(" 7 ") == "7" and unwrapped("<answer>\n a\nb </answer>\n") == "a\nb"


@pytest.mark.parametrize(
    ("question", "options", "added"),
    [
        ("Which?\n(A) a cat\n(B) a dog", OPTIONS, False),
        ("Which? A. a cat B. a dog", OPTIONS, False),
        ("Is it a cat or a dog?", OPTIONS, True),
        ("Which? A. a catfish B. a dogfish", OPTIONS, True),
        ("Which margin?", ("A) The left one.", "B) The right one."), True),
        ("Which margin?\nA) The left one.\nB) The right one.", ("A) The left one.", "B) The right one."), False),
    ],
)
def test_options_are_added_unless_they_stand_in_the_question_behind_their_letters(question, options, added):
    row = raw(1, "multiple choice", "B", options=options, question=question)
    expected = "\n".join([f"<image>{question}", *(["Options:", *options] if added else [])])
    assert next(iter(SOURCE.convert(row, Options(split="train")))).text == expected


def test_rows_of_different_sources_may_share_an_id():
    ids = {SOURCE.identify({**ROWS[0], **change}) for change in ({}, {"data_source": "other"}, {"problem_id": 2})}
    assert len(ids) == 3
