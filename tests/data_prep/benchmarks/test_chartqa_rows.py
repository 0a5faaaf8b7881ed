import json
from pathlib import Path

import pytest
from raw_rows_a import FORMS

from data_prep.benchmarks.chartqa import convert, load
from data_prep.source import Options, SetAside

TEST = Options(split="test")


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"type": "human_test"}, "human"),
        ({"type": "augmented_test"}, "augmented"),
        ({"type": "human"}, "human"),
        ({"human_or_machine": 0}, "human"),
        ({"human_or_machine": 1}, "augmented"),
        ({"split": "test_human"}, "human"),
        ({"split": "test_augmented"}, "augmented"),
    ],
)
def test_halves_have_one_name_in_every_form(row, kind):
    (question,) = convert({"question": "?", "answer": "1", "image": b"", **row}, TEST)
    assert question.info == {"type": kind}


@pytest.mark.parametrize(
    ("label", "truth"),
    [("14%", "14%"), ("1,234", "1,234"), (["14"], "14"), (["Yes", "No"], "[Yes, No]"), ("[1, 2]", "[1, 2]"), (0, "0")],
)
def test_labels_are_kept_as_they_are_written(label, truth):
    (question,) = convert({"query": "?", "label": label, "image": b"", "type": "human"}, TEST)
    assert question.ground_truth == truth


@pytest.mark.parametrize("label", ["", None, [], [""]])
def test_rows_without_answer(label):
    with pytest.raises(SetAside, match="no answer"):
        convert({"query": "?", "label": label, "image": b"", "type": "human"}, TEST)


def test_a_row_of_neither_half_is_set_aside():
    with pytest.raises(SetAside, match="neither human nor augmented"):
        convert({"query": "?", "label": "1", "image": b"", "type": "robot"}, TEST)


def test_the_authors_folder_has_the_half_in_the_name_of_the_file(tmp_path):
    form = next(form for form in FORMS if form.id == "chartqa-files")
    folder = form.write(tmp_path / "ChartQA Dataset")
    (folder / "test" / "test_augmented.json").write_text(json.dumps([{"imgname": "9.png", "query": "?", "label": "2"}]))
    for given in (tmp_path, folder, folder / "test"):
        rows = list(load(given, TEST))
        assert [row["type"] for row in rows] == ["test_human", "test_augmented"]
        assert Path(rows[0]["image"]).is_file()
    assert [row["imgname"] for row in load(folder / "test" / "test_augmented.json", TEST)] == ["9.png"]
