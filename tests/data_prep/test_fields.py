import math
from random import Random

import pytest

from data_prep import fields
from data_prep.source import Options, SetAside


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("['one', 'two, three']", ["one", "two, three"]),
        ('["it\'s", "b"]', ["it's", "b"]),
        ('["a", null]', ["a", None]),
        ("[1, 2.5]", [1, 2.5]),
        ("[]", []),
        (("a", "b"), ["a", "b"]),
        ("plain", ["plain"]),
        ("[0, 1)", ["[0, 1)"]),
        (3, [3]),
        (None, []),
        (math.nan, []),
        (" ", []),
        (r"['\sqrt{2}', 'x']", [r"\sqrt{2}", "x"]),
    ],
)
def test_lists_come_as_lists_or_in_texts(value, expected):
    assert fields.as_list(value) == expected


@pytest.mark.parametrize("value", ["[__import__('os')]", "['a', 'b]", "[" * 50 + "]" * 50, "[" + "1," * 60_000 + "]"])
def test_a_text_that_is_no_list_is_neither_run_nor_taken(value):
    with pytest.raises(SetAside, match="not a list"):
        fields.as_list(value)


def test_arrays_are_lists():
    import numpy as np

    assert fields.as_list(np.array(["a", "b"])) == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["cat", "dog"], {"A": "cat", "B": "dog"}),
        (["A. cat", "B. dog"], {"A": "cat", "B": "dog"}),
        (["(A) cat", "(B) dog"], {"A": "cat", "B": "dog"}),
        (["A. Smith", "B. Jones", "E. Miller"], {"A": "A. Smith", "B": "B. Jones", "C": "E. Miller"}),
        (["A", "B"], {"A": "A", "B": "B"}),
        ([1, 2.5], {"A": "1", "B": "2.5"}),
    ],
)
def test_options_get_letters(options, expected):
    assert fields.letters(options) == expected


@pytest.mark.parametrize(("options", "reason"), [([], "fewer"), (["x"], "fewer"), (["x"] * 27, "more than 26")])
def test_options_that_are_none(options, reason):
    with pytest.raises(SetAside, match=reason):
        fields.letters(options)


def test_option_columns_leave_out_what_is_missing():
    raw = {"A": "1", "B": "two", "C": math.nan, "D": None}
    assert fields.option_columns(raw) == {"A": "1", "B": "two"}
    assert fields.option_columns({"A": "x", "B": "None", "C": "nan"}) == {"A": "x", "B": "None"}
    with pytest.raises(KeyError):
        fields.option_columns({"question": "?"})
    with pytest.raises(SetAside, match="fewer than two"):
        fields.option_columns({"A": "x", "B": None})


@pytest.mark.parametrize("value", ["B", "b", " (B) ", "B."])
def test_gold_letters(value):
    assert fields.gold_letter(value, {"A": "1", "B": "2"}) == "B"


@pytest.mark.parametrize(
    ("value", "reason"), [(None, "no answer"), ("", "no answer"), ("C", "not a letter"), ("AB", "not")]
)
def test_golds_that_are_no_letter(value, reason):
    with pytest.raises(SetAside, match=reason):
        fields.gold_letter(value, {"A": "1", "B": "2"})


@pytest.mark.parametrize(("value", "expected"), [("0", "A"), (1, "B"), ("1.0", "B"), (1.0, "B")])
def test_letters_of_places(value, expected):
    assert fields.index_letter(value, {"A": "x", "B": "y"}) == expected


@pytest.mark.parametrize("value", ["2", -1, "B", True, 0.5, None])
def test_places_that_are_none(value):
    with pytest.raises(SetAside):
        fields.index_letter(value, {"A": "x", "B": "y"})


@pytest.mark.parametrize(
    ("value", "expected"), [("7", 7), (7.0, 7), ("7.0", 7), ("v_7", "v_7"), (7, 7), ("1.5", "1.5")]
)
def test_ids_that_look_like_numbers(value, expected):
    assert fields.whole(value) == expected


def test_a_form_feed_survives_as_half_of_a_command():
    assert fields.text(" \x0crac{1}{2} \n") == "\x0crac{1}{2}"
    assert fields.text(math.nan) == fields.text(None) == ""


def test_numbered_image_tags():
    value = "See <image 1> and <image2>, <image 1>"
    assert fields.image_tags(value) == [1, 2, 1]
    assert fields.drop_image_tags("How many?\n<image1>\nGive one.") == "How many?\nGive one."


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What?\nOptions: A: a cup, red, B: a ball", {"A": "a cup, red", "B": "a ball"}),
        ("What?\nChoices:\nA:40°\nB:50°\nC:60°", {"A": "40°", "B": "50°", "C": "60°"}),
        ("Choices: one?\nChoices:\n(A) 2, 3\n(B) 4", {"A": "2, 3", "B": "4"}),
        ("Choices:\nA：1\nB：2", {"A": "1", "B": "2"}),
        ("Choices:\nA:\nB:\nC:", {}),
        ("Options: A: only one", {}),
        ("Options: see A: or B:", {}),
        ("A: 1, B: 2", {}),
    ],
)
def test_options_inside_a_question(question, expected):
    assert fields.inline_options(question) == expected


def test_a_line_of_instructions_is_taken_off_and_a_question_that_has_none_is_not():
    assert fields.after_hint("Hint: Please answer, e.g., A.\nQuestion: How many?\nChoices:\n(A) 1") == (
        "How many?\nChoices:\n(A) 1"
    )
    for question in ("Please count.", "How many?\nQuestion: none", "According to the figure, how many?\nA: 1"):
        assert fields.after_hint(question) == question


def test_images_of_a_cell():
    assert fields.image_list("['QUJD', 'REVG']") == ["QUJD", "REVG"]
    assert fields.image_list("QUJD") == ["QUJD"]
    assert fields.image_list(None) == []


@pytest.mark.parametrize(
    ("said", "wanted", "other"),
    [("val", "validation", False), ("validation", "val", False), ("dev", "val", True), (None, "val", False)],
)
def test_rows_of_other_splits(said, wanted, other):
    assert fields.other_split({"split": said}, Options(split=wanted)) is other


def test_any_text_is_a_list_or_set_aside():
    random = Random(0)
    for _ in range(2000):
        value = "[" + "".join(random.choice("[](){}',\"\\ab1.:\n{-") for _ in range(random.randrange(12))) + "]"
        try:
            assert isinstance(fields.as_list(value), list)
        except SetAside as error:
            assert "not a list" in str(error)
