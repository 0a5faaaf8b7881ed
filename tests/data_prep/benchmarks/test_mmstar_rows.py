import pytest
from raw_rows_a import MMSTAR_ROWS

from data_prep.benchmarks.mmstar import convert
from data_prep.source import Options, SetAside

VAL = Options(split="val")


def one(row):
    (question,) = convert(row, VAL)
    return question


def test_options_are_read_out_of_the_question_which_stays_as_it_is():
    question = one(MMSTAR_ROWS[0])
    assert question.text == MMSTAR_ROWS[0]["question"]
    assert question.info["choices"] == {"A": "a cup, red", "B": "a ball", "C": "a tree", "D": "a dog"}
    assert one(MMSTAR_ROWS[1]).info["choices"] == {"A": "2", "B": "4", "C": "6", "D": "8"}


@pytest.mark.parametrize("text", ["Options: see the image", "Which letter, A: or B:?", "Options: B: x, C: y"])
def test_a_question_that_cannot_be_taken_apart_is_kept_without_choices(text):
    question = one({**MMSTAR_ROWS[0], "question": text})
    assert question.text == text and "choices" not in question.info


def test_options_in_columns_are_not_repeated_where_the_question_has_them():
    columns = {"A": "a cup, red", "B": "a ball", "C": "a tree", "D": "a dog"}
    assert one({**MMSTAR_ROWS[0], **columns}).text == MMSTAR_ROWS[0]["question"]


@pytest.mark.parametrize(("answer", "reason"), [(None, "no answer"), ("E", "not a letter"), ("a ball", "not a letter")])
def test_rows_that_cannot_be_used(answer, reason):
    with pytest.raises(SetAside, match=reason):
        convert({**MMSTAR_ROWS[0], "answer": answer}, VAL)
