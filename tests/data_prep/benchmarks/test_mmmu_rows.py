import pytest
from raw_rows_a import MMMU_ROWS, _mmmu_tsv

from data_prep.benchmarks.mmmu import SOURCE, SUBJECTS, convert
from data_prep.source import Options, SetAside

VALIDATION = Options(split="validation")


def one(row, options=VALIDATION):
    (question,) = convert(row, options)
    return question


def test_images_stand_where_their_tags_stood():
    question = one(MMMU_ROWS[1])
    assert question.text == (
        "Which of these is a bone, given <image>?\nA. <image>\nB. <image>\nC. none of image 1"
    )  # a later tag of an image names it
    assert [image["path"] for image in question.images] == ["1.png", "2.png", "3.png"]


def test_options_that_are_images_keep_different_texts_for_the_verifier():
    from reward_fns.registry import verify

    question = one(MMMU_ROWS[1])
    assert question.info["choices"]["A"] != question.info["choices"]["B"]
    assert verify("mmmu", "B", question.ground_truth, question.info).reward == 0


def test_images_without_a_tag_stand_in_front():
    row = {**MMMU_ROWS[0], "question": "Which city?", "image_2": MMMU_ROWS[1]["image_2"]}
    question = one(row)
    assert question.text.startswith("<image><image>Which city?")
    row = {**row, "question": "Which city of <image 2>?"}
    question = one(row)
    assert question.text.startswith("<image>Which city of <image>?")
    assert [image["path"] for image in question.images] == ["1.png", "2.png"]


def test_seven_images_in_one_cell_of_the_harness():
    row = {**MMMU_ROWS[0], "question": "".join(f"<image {at}>" for at in range(7, 0, -1))}
    row |= {f"image_{at}": MMMU_ROWS[1]["image_1"] for at in range(1, 8)}
    question = one(_mmmu_tsv(row, 1))
    assert len(question.images) == 7 and question.text.count("<image>") == 7


def test_open_golds_are_always_lists_and_any_of_them_is_right():
    question = one(MMMU_ROWS[2])
    assert (question.kind, question.ground_truth) == ("open", ["24/7", "3.429"])
    assert one({**MMMU_ROWS[2], "answer": "3.5"}).ground_truth == ["3.5"]


def test_subjects():
    assert [one(row).info["subject"] for row in MMMU_ROWS] == ["Geography", "Basic_Medical_Science", "Math", "Music"]
    assert len(set(SUBJECTS)) == 30 and SOURCE.hub[0].configs == SUBJECTS


def test_rows_of_another_split_are_not_asked_for():
    assert convert(_mmmu_tsv(MMMU_ROWS[0], 1, split="dev"), VALIDATION) == []
    assert one(_mmmu_tsv(MMMU_ROWS[0], 1, split="dev"), Options(split="dev"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"answer": "?"}, "no answer"),
        ({"answer": None}, "no answer"),
        ({"answer": "C"}, "not a letter of the options"),
        ({"options": "[]"}, "fewer than two options"),
        ({"options": "['a', 'b"}, "fewer than two options"),
        ({"options": "[open('x')]"}, "not a list"),
        ({"question": "What is <image 2>?"}, "a tag of an image that the row lacks"),
    ],
)
def test_rows_that_cannot_be_used(changes, reason):
    with pytest.raises(SetAside, match=reason):
        convert({**MMMU_ROWS[0], **changes}, VALIDATION)


def test_an_open_gold_that_the_official_rule_never_accepts_is_unverifiable():
    assert one({**MMMU_ROWS[2], "answer": "x = 5"}).unverifiable
