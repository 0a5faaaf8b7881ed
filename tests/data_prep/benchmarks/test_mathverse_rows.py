import pytest
from raw_rows_a import MATHVERSE_ROWS, mathverse

from data_prep.benchmarks.mathverse import convert
from data_prep.source import Options, SetAside

IMAGE = Options(split="testmini", variant="image")
TEXT_ONLY = Options(split="testmini", variant="text_only")


def one(row, options=IMAGE):
    (question,) = convert(row, options)
    return question


@pytest.mark.parametrize(
    ("row", "gold", "repaired"),
    [
        (mathverse(1, "B"), "B", ""),
        (mathverse(1, "(C)"), "C", "option to its letter"),
        (mathverse(1, "B "), "B", "white space"),
        (mathverse(1, "50°"), "B", "option to its letter"),
        (mathverse(1, "118掳", choice=False), "118°", "degree sign"),
        (mathverse(1, "35掳 ", choice=False), "35°", "white space, degree sign"),
        (mathverse(1, "2191.7 metres", choice=False), "2191.7 metres", ""),
        (mathverse(1, "56.55 units $^{3}$", choice=False), "56.55 units $^{3}$", ""),
    ],
)
def test_noise_is_mended_where_that_is_certain(row, gold, repaired):
    question = one(row)
    assert (question.ground_truth, question.unverifiable) == (gold, False)
    assert question.repaired == (f"gold: {repaired}" if repaired else "")


@pytest.mark.parametrize(
    "row",
    [
        mathverse(1, "C\nD"),
        mathverse(1, "False"),
        mathverse(1, "E"),
        mathverse(1, r"090^\circ T"),
        mathverse(1, "The sides are equal because the angles are", choice=False),
    ],
)
def test_golds_that_no_rule_can_judge_are_kept_apart_and_never_score_zero_in_silence(row):
    assert one(row).unverifiable


def test_the_version_without_text_asks_for_the_image_and_keeps_its_choices():
    question = one(MATHVERSE_ROWS[1])
    assert question.text == "Answer the question that the image shows."
    assert question.info["choices"] == {"A": "40°", "B": "50°", "C": "60°"}


def test_the_variant_without_images():
    row = mathverse(5, "A", "Text Only")
    assert one(row, TEXT_ONLY).images == []
    assert convert(row, IMAGE) == [] and convert(MATHVERSE_ROWS[0], TEXT_ONLY) == []


def test_a_query_of_the_harness_loses_its_instruction():
    row = MATHVERSE_ROWS[0]
    assert one({**row, "question": row["query_wo"]}).text == row["question"]


def test_rows_without_answer():
    with pytest.raises(SetAside, match="no answer"):
        convert(mathverse(1, ""), IMAGE)
