from __future__ import annotations

import pytest

from reward_fns.registry import verify

INFO = {"choices": {"A": "left", "B": "a blue bus", "C": "right", "D": "A"}}


@pytest.mark.parametrize(
    ("answer", "truth", "right", "why"),
    [
        ("B", "B", True, "the letter"),
        ("b", "B", True, "alone, either case"),
        ("B.", "B", True, "with a dot"),
        ("(B)", "B", True, "in brackets"),
        ("**B**", "B", True, "Markdown"),
        (r"\boxed{B}", "B", True, "boxed"),
        (r"$\boxed{\text{B}}$", "B", True, "boxed text"),
        ("Ｂ", "B", True, "full width folds to ASCII"),
        ("\u200bB\u200b", "B", True, "zero-width characters"),
        ("B. a blue bus", "B", True, "letter and its text"),
        ("(B) a blue bus", "B", True, "the same"),
        ("**B.** a blue bus", "B", True, "the same"),
        ("B a blue bus", "B", True, "the same"),
        ("b) a blue bus", "B", True, "a small letter and its text"),
        ("B, a blue bus", "B", True, "a comma"),
        ("B!", "B", True, "an exclamation mark"),
        ("b) right", "B", False, "a small letter and another text"),
        ("a blue bus", "B", True, "the exact text"),
        ("A blue bus.", "B", True, "text wins over an article"),
        ("Left", "A", True, "the exact text in another case"),
        ("C: it is further right", "C", True, "an explanation"),
        ("C", "B", False, "another letter"),
        ("В", "B", False, "Cyrillic"),
        ("BB", "B", False, "two letters in one word"),
        ("Because", "B", False, "a word"),
        ("Below", "B", False, "a word"),
        ("The answer is B", "B", False, "no letter at the start"),
        ("not B", "B", False, "negated"),
        ("B is not right", "B", False, "negated behind"),
        ("B. No, C", "B", False, "two letters"),
        ("B or C", "B", False, "two letters"),
        ("B, C", "B", False, "two letters"),
        ("B/C", "B", False, "two letters"),
        ("B or right", "B", False, "a hedge by an option's text"),
        ("B, or maybe left", "B", False, "a hedge"),
        ("B maybe c", "B", False, "a hedge in lower case"),
        ("(B) (C)", "B", False, "two letters"),
        ("A. left B. a blue bus C. right", "A", False, "a dump of the options"),
        ("A. left B. a blue bus C. right", "C", False, "a dump of the options"),
        ("A B C D", "A", False, "letter soup"),
        ("ABCD", "B", False, "letter soup"),
        ("B. left", "B", False, "letter and text disagree"),
        ("B. left", "A", False, "letter and text disagree"),
        ("A big bus", "A", False, "an article"),
        ("left a blue bus right", "B", False, "all texts"),
        ("E", "B", False, "no such option"),
        ("", "B", False, "nothing"),
    ],
)
def test_choice(answer: str, truth: str, right: bool, why: str) -> None:
    verdict = verify("relation", answer, truth, INFO)
    assert (verdict.official, verdict.reward) == (float(right), float(right)), why
    assert bool(verdict.note) is not right


def test_an_option_whose_text_is_another_letter() -> None:
    assert verify("relation", "A", "A", INFO).reward == 1.0
    assert verify("relation", "D", "D", INFO).reward == 1.0


def test_options_as_a_list_with_their_letters() -> None:
    info = {"options": ["A. Yes", "B. No"]}
    assert verify("relation", "No", "B", info).reward == 1.0


@pytest.mark.parametrize("truth", ["", "AB", "E"])
def test_a_truth_that_is_no_option_is_an_error(truth: str) -> None:
    with pytest.raises(ValueError, match="ground_truth"):
        verify("relation", "A", truth, INFO)


@pytest.mark.parametrize(
    ("texts", "answer", "truth", "reward", "why"),
    [
        (["AA", "Aa", "aa"], "A", "B", 0, "options that differ in case are different options"),
        (["AA", "Aa", "aa"], "Aa", "B", 1, "the very text"),
        (["AA", "Aa", "aa"], "aA", "B", 0, "a text that fits several"),
        (["(0, 1)", "[0, 1]"], "A", "B", 0, "brackets are part of an interval"),
        (["(0, 1)", "[0, 1]"], "[0, 1]", "B", 1, "the very text"),
        (["(0, 1)", "[0, 1]"], "0, 1", "B", 0, "a text that fits several"),
        (["left", "left", "up"], "A", "B", 1, "the same option twice"),
        (["left", "left", "up"], "Left.", "B", 1, "the same option twice"),
        (["b", "l", "r"], "B.", "B", 1, "a letter with a dot, not the text of A"),
        (["b", "l", "r"], "B:", "A", 0, "with a colon"),
        (["b", "l", "r"], "b", "A", 1, "the very text"),
        (["C", "A", "D"], "(C).", "C", 1, "in brackets"),
        (["C", "A", "D"], "C.", "A", 0, "not the text of A"),
    ],
)
def test_options_that_look_alike(texts: list[str], answer: str, truth: str, reward: float, why: str) -> None:
    assert verify("relation", answer, truth, {"choices": dict(zip("ABC", texts, strict=False))}).reward == reward, why


def test_an_option_that_is_missing_is_none() -> None:
    assert verify("relation", "None", "A", {"choices": {"A": "left", "B": None}}).reward == 0
    with pytest.raises(ValueError, match="ground_truth"):
        verify("relation", "A", "B", {"choices": {"A": "left", "B": None}})
