import math

import pytest
from raw_rows_a import MMBENCH_ROWS

from data_prep.benchmarks.mmbench import convert
from data_prep.source import Options, SetAside
from reward_fns.aggregate import benchmark_table

DEV = Options(split="dev")


def one(row):
    (question,) = convert(row, DEV)
    return question


def test_rolls_of_a_question_share_their_group_and_their_circular_figure():
    made = [one(row) for row in MMBENCH_ROWS]
    assert [question.info["group"] for question in made] == ["7", "7", "8"]
    right = (1, 0, 1)
    rows = [
        {"data_source": "mmbench", "index": at, "acc": acc, "info": {**question.info, "choices": None}}
        for at, (question, acc) in enumerate(zip(made, right, strict=True))
    ]
    figure = next(figure for figure in benchmark_table(rows) if figure.is_primary)
    assert (figure.name, figure.value) == ("circular", 0.5)


def test_the_hint_stands_before_the_question_and_missing_options_are_left_out():
    assert one(MMBENCH_ROWS[0]).text == "Look at the legs.\nWhich one can fly?\nA. dog\nB. duck\nC. cow"
    row = {**MMBENCH_ROWS[2], "hint": math.nan, "C": math.nan, "D": "None", "answer": "D"}
    assert one(row).text == "Which one can fly?\nA. dog\nB. hen\nD. None"


def test_answers_of_the_test_split_are_not_there():
    with pytest.raises(SetAside, match="no answer"):
        convert({**MMBENCH_ROWS[0], "answer": None, "split": "test"}, Options(split="test"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"answer": "D"}, "not a letter of the options"),
        ({"index": "first"}, "the index is not a number"),
        ({"B": None, "C": None}, "fewer than two options"),
    ],
)
def test_rows_that_cannot_be_used(changes, reason):
    with pytest.raises(SetAside, match=reason):
        convert({**MMBENCH_ROWS[0], **changes}, DEV)


def test_rows_of_another_split_are_not_asked_for():
    assert convert({**MMBENCH_ROWS[0], "split": "test"}, DEV) == []
