import pytest
from raw_rows_a import mathvision

from data_prep.benchmarks.mathvision import convert
from data_prep.source import Options, SetAside
from reward_fns.registry import verify

TEST = Options(split="test")


def one(row):
    (question,) = convert({**row, "image": b""}, TEST)
    return question


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("\x0crac{36}{13}", r"\frac{36}{13}"),
        (r"\boxed{12}", "12"),
        (r"$\boxed{3}$", "3"),
        (r"$2\sqrt{3}$", r"2\sqrt{3}"),
        ("69{degrees}", "69"),
        ("$1$ or $2$", "$1$ or $2$"),
    ],
)
def test_wrapped_and_broken_golds_are_mended(answer, gold):
    question = one(mathvision(1, answer, []))
    assert question.ground_truth == gold
    assert bool(question.repaired) == (answer != gold)


@pytest.mark.parametrize("answer", ["6", "11 ", "525/2", "1:2"])
def test_other_golds_are_not_touched(answer):
    question = one(mathvision(1, answer, []))
    assert (question.ground_truth, question.repaired) == (answer.strip(), "")
    assert not question.unverifiable


def test_degrees_may_be_written_or_not():
    question = one(mathvision(60, "69{degrees}", []))
    for answer in ("69", r"69^\circ"):
        assert verify("mathvision", answer, question.ground_truth, question.info).reward == 1


@pytest.mark.parametrize("identity", [59, 434])
def test_a_letter_without_options_is_unverifiable(identity):
    assert one(mathvision(identity, "B", [])).unverifiable


def test_bare_letters_are_no_option_lines():
    assert one(mathvision(1, "B", list("ABCDE"))).text == "How many squares are there?"
    question = one(mathvision(1, "B", ["1", "2", "3", "4", "5"]))
    assert question.text == "How many squares are there?\nA. 1\nB. 2\nC. 3\nD. 4\nE. 5"
    assert question.info["choices"] == ["1", "2", "3", "4", "5"]
    assert (question.info["subject"], question.info["level"]) == ("counting", 2)


@pytest.mark.parametrize(
    ("answer", "options", "reason"),
    [
        ("", [], "no answer"),
        ("6", ["1", "2"], "not a letter of the options"),
        ("C", ["1", "2"], "not a letter of the options"),
        ("A", ["1"], "fewer than two options"),
    ],
)
def test_rows_that_cannot_be_used(answer, options, reason):
    with pytest.raises(SetAside, match=reason):
        one(mathvision(1, answer, options))
