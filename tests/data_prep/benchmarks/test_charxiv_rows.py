import pytest
from raw_rows_a import CHARXIV_OWN, FORMS, charxiv

from data_prep.benchmarks.charxiv import convert, load
from data_prep.source import Options, SetAside
from reward_fns.registry import verify

VAL = Options(split="val")


def one(row):
    (question,) = convert({"image": b"", **row}, VAL)
    return question


@pytest.mark.parametrize(
    ("answer", "instruction"),
    [
        ("25", "The answer is an exact integer."),
        ("0.5", "The answer is a number with 1 decimal place."),
        ("0.25", "The answer is a number with 2 decimal places."),
    ],
)
def test_category_4_asks_for_the_decimals_of_its_gold(answer, instruction):
    question = one(charxiv(0, "How large is the gap?", answer, 4))
    assert question.text == f"How large is the gap?\n{instruction}"
    assert question.info["question"] == "How large is the gap?"


def test_every_form_asks_the_same_question():
    forms = [form for form in FORMS if form.benchmark == "charxiv"]
    texts = [[one(row).text for row in form.rows] for form in forms]
    assert len(texts) == 3 and texts[0] == texts[1] == texts[2]


def test_the_category_of_the_hub_is_the_type_of_the_answer_not_the_source_of_the_question():
    row = next(form for form in FORMS if form.id == "charxiv-hub").rows[3]
    assert row["reasoning_q_source"] == 3 and one(row).info["inst_category"] == 4


@pytest.mark.parametrize(
    "row", [*CHARXIV_OWN, charxiv(0, "How does it go?", "upwards", 2), charxiv(0, "Is it so?", "Yes", 2)]
)
def test_unverifiable_is_what_the_verifier_says(row):
    question = one(row)
    verdict = verify("charxiv", question.ground_truth, question.ground_truth, question.info)
    assert question.unverifiable == (verdict.official is None)


def test_some_rows_of_category_2_are_unverifiable_and_some_are_not():
    assert one(charxiv(0, "How does it go?", "upwards", 2)).unverifiable
    assert not one(CHARXIV_OWN[1]).unverifiable


@pytest.mark.parametrize(("answer", "kind"), [("0.1", "number"), ("30, 40", "text"), ("10^-2", "text")])
def test_pairs_and_powers_are_not_asked_for_as_one_number(answer, kind):
    assert one(charxiv(0, "?", answer, 3)).kind == kind


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"answer": ""}, "no answer"), ({"answer": None}, "no answer"), ({"inst_category": 5}, "inst_category")],
)
def test_rows_that_cannot_be_used(changes, reason):
    with pytest.raises(SetAside, match=reason):
        one({**CHARXIV_OWN[0], **changes})


def test_the_authors_file_lacks_the_paths_of_the_images(tmp_path):
    form = next(form for form in FORMS if form.id == "charxiv-files")
    folder = form.write(tmp_path)
    for given in (folder, folder / "data" / "reasoning_val.json"):
        assert [row["image"] for row in load(given, VAL)] == [str(folder / name) for name in form.images]
