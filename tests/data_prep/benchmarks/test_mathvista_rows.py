import pytest
from raw_rows_a import MATHVISTA_OWN, MATHVISTA_TSV

from data_prep.benchmarks.mathvista import convert
from data_prep.source import Options, SetAside
from reward_fns.registry import verify

TESTMINI = Options(split="testmini")


def one(row):
    (question,) = convert(row, TESTMINI)
    return question


@pytest.mark.parametrize(
    ("own", "harness"), [(MATHVISTA_OWN[0], MATHVISTA_TSV[0]), (MATHVISTA_OWN[3], MATHVISTA_TSV[1])]
)
def test_the_harness_asks_the_same_question_as_the_authors(own, harness):
    left, right = one(own), one(harness)
    assert (left.text, left.kind, left.ground_truth, left.info) == (
        right.text,
        right.kind,
        right.ground_truth,
        right.info,
    )


def test_wording_has_unit_decimals_and_options():
    assert one(MATHVISTA_OWN[0]).text == "How long is the rod? (Unit: m) (Answer with 1 decimal place.)"
    assert one(MATHVISTA_OWN[3]).text == "Which is true?\nA. Nothing.\nB. It would increase."


@pytest.mark.parametrize("precision", [2.0, 2, "2", "2.0", None])
def test_precision_is_a_whole_number_in_every_form(precision):
    row = {**MATHVISTA_OWN[0], "precision": precision, "answer": "1.25"}
    assert one(row).info["precision"] == 2 and isinstance(one(row).info["precision"], int)


def test_a_gold_with_a_trailing_zero_would_never_be_right_officially():
    info = one(MATHVISTA_OWN[4]).info
    assert verify("mathvista", "1.50", "1.50", info).official == 0
    question = one(MATHVISTA_OWN[4])
    assert question.repaired and verify("mathvista", "1.50", question.ground_truth, info).official == 1


def test_a_letter_instead_of_the_choice_is_looked_up():
    assert one({**MATHVISTA_OWN[3], "answer": "B"}).ground_truth == "It would increase."


def test_choices_that_differ_by_a_space_stay_right():
    question = one(MATHVISTA_OWN[5])
    assert [verify("mathvista", letter, "yes", question.info).reward for letter in "ABC"] == [0, 1, 1]


def test_a_gold_off_its_own_precision_is_unverifiable():
    assert one({**MATHVISTA_OWN[0], "answer": "1.27"}).unverifiable


@pytest.mark.parametrize(
    ("choices", "answer"), [(["C", "A", "D", "B"], "C"), (["y = f(x)", "y = g(x)", "y = 2"], "y = f(x)")]
)
def test_choices_that_the_scorer_reads_as_letters_are_judged_by_the_letter(choices, answer):
    question = one({**MATHVISTA_OWN[3], "choices": choices, "answer": answer})
    assert not question.unverifiable and question.ground_truth == answer


@pytest.mark.parametrize(
    ("row", "changes", "reason"),
    [
        (0, {"answer": ""}, "no answer"),
        (0, {"answer_type": "sound"}, "unknown answer_type"),
        (3, {"answer": "It would sing."}, "not a letter of the options"),
        (3, {"choices": "['It would sing.']", "answer": "A"}, "fewer than two options"),
    ],
)
def test_rows_that_cannot_be_used(row, changes, reason):
    with pytest.raises(SetAside, match=reason):
        convert({**MATHVISTA_OWN[row], **changes}, TESTMINI)
