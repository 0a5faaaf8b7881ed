"""OneThinker's question types with text answers: official is its reward's rule, reward the same idea hardened.

The truth itself always scores 1: their rules refuse some of their own golds (math "B", one-word open answers).
Source of the rules: OneThinker, EasyR1/verl/reward_function/onethinker_reward.py; its paper's code agrees but where
said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from . import stemmer
from .choice import options_of, read_letter, same_option, truth_letter
from .normalize import plain
from .number import parse_number, truth_number
from .symbolic import decide, in_worker, same_bare_number
from .text import similarity
from .verdict import Verdict

MAX_RAW_CHARS = 5_000
_MATHRULER_DROPPED = re.compile(r"\\[$%!,]|[$%\s]|\\(?:left|right)(?![a-z])|\^(?:\\circ|\{\\circ\})|\\(?=[()\[\]])")
_MATHRULER_COMMAND = re.compile(r"\\(?:boxed|text|mathrm|textbf|textit|emph|underline|fbox|framebox)(?=\{)")
_FORMULA_MARKS = frozenset("()[]=+<>^_|")
_PARSEABLE = re.compile(r"[0-9$\\\[]")

Verifier = Callable[[str, Any, Mapping[str, Any]], Verdict]
_Figure = tuple[float, float, Any, str]
"""official, reward, parsed, note."""


def _training(
    judge: Callable[[str, str, Mapping[str, Any]], _Figure],
    check: Callable[[str, Mapping[str, Any]], Any] = lambda truth, info: None,
) -> Verifier:
    """`check` raises ValueError for a truth that `judge` cannot use: before the truth itself is right."""

    def verify(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
        truth = str(ground_truth).strip()
        if not truth:
            raise ValueError("ground_truth is empty")
        check(truth, info)
        if answer.strip() == truth:
            return Verdict(1.0, 1.0, truth)
        official, reward, parsed, note = judge(answer.strip(), truth, info)
        return Verdict(official, reward, parsed, "" if reward == 1 else note)

    return verify


def _multiple_choice(answer: str, truth: str, info: Mapping[str, Any]) -> _Figure:
    """Official: mathruler's grade_answer, which takes a letter alone, in brackets, in LaTeX, in either case."""
    options = options_of(info)
    gold = truth_letter(truth, options)
    letter, why = read_letter(answer, options)
    right = same_option(letter, gold, options)
    return float(_mathruler_letter(answer) == gold.lower()), float(right), letter, why or f"{letter} is not {gold}"


def _mathruler_letter(answer: str) -> str:
    """What grade_answer compares for letters: "(B)", "b" and \\boxed{B} are B; "B.", "**B**" and "B. text" are not.

    The text of its normalisation (dollar and percent signs, degrees, braces, brackets, LaTeX text commands, a short
    left side of an equation); not its units and its algebra, which find a B in "B meters" and "B*1" as well.
    """
    text = _MATHRULER_DROPPED.sub("", answer)
    left, _, right = text.rpartition("=")
    text = right if len(left) <= 2 else text
    text = _MATHRULER_COMMAND.sub("", text).replace("{", "").replace("}", "")
    while len(text) > 1 and text[0] in "([" and text[-1] in ")]":
        text = text[1:-1]
    return text.lower()


def _numerical(answer: str, truth: str, info: Mapping[str, Any]) -> _Figure:
    """Official: floats equal after rounding to 2 decimals. Reward: the same within 1 %, a near miss up to 0.5.

    Rounding alone makes 0.004 equal 0.001. A near miss earns 0.5 at no error, falling to 0 at 5 %; whole golds that can
    be years earn none.
    """
    gold, given = _published_float(truth), _published_float(answer)
    official = gold is not None and given is not None and round(gold, 2) == round(given, 2)
    number, wanted = parse_number(answer), truth_number(truth)
    if number is None or number.percent != wanted.percent:
        return float(official), 0.0, None, "not one plain number"
    if number.value == wanted.value:
        return float(official), 1.0, str(number.value), ""
    error = float(abs(number.value - wanted.value) / abs(wanted.value)) if wanted.value else 1.0
    if official and error <= 0.01:
        return 1.0, 1.0, str(number.value), ""
    year = wanted.value == int(wanted.value) and 1500 <= wanted.value <= 2100
    near = 0.0 if year else 0.5 * max(0.0, 1 - error / 0.05)
    return float(official), near, str(number.value), f"relative error {error:.3g}"


def _regression(answer: str, truth: str, info: Mapping[str, Any]) -> _Figure:
    """Official: mean relative accuracy, the share of thresholds 0.5 … 0.05 above the relative error (float32).

    Reward: 1 - 2 * relative error, so that 5 % is not yet as good as 0; a gold of 0 only by 0.
    """
    gold, given = _published_float(truth), _published_float(answer)
    official = 0.0 if gold is None or given is None else _mean_relative_accuracy(given, gold)
    number, wanted = parse_number(answer), truth_number(truth)
    if number is None or number.percent != wanted.percent:
        return official, 0.0, None, "not one plain number"
    if wanted.value == 0:
        return official, float(number.value == 0), str(number.value), "not 0"
    error = float(abs(number.value - wanted.value) / abs(wanted.value))
    return official, max(0.0, 1 - 2 * error), str(number.value), f"relative error {error:.3g}"


def _published_float(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def _mean_relative_accuracy(given: float, gold: float) -> float:
    import numpy as np

    with np.errstate(all="ignore"):
        predicted, target = np.float32(given), np.float32(gold)
        error = np.abs(predicted - target) / (np.abs(target) + np.float32(1e-8))
        thresholds = np.float32(1) - (0.5 + 0.05 * np.arange(10)).astype(np.float32)
        return float(np.mean(error < thresholds))


def _ocr(answer: str, truth: str, info: Mapping[str, Any]) -> _Figure:
    """Official: 1 - word error rate, at least 0, case kept. Reward: half that, half similarity without white space.

    For formulas similarity alone, as their spaces carry nothing ("x _ { 0 }" and "x_{0}"): golds with LaTeX, or of
    single characters among which are brackets or signs of mathematics ("( C )", not "a / b").
    """
    from rapidfuzz.distance import Levenshtein

    wanted, given = truth.split(), answer.split()
    words = max(0.0, 1 - Levenshtein.distance(wanted, given) / len(wanted))
    left, right = "".join(given), "".join(wanted)
    letters = similarity(left, right, max(len(left), len(right)))
    formula = "\\" in truth or "{" in truth or (max(map(len, wanted)) == 1 and not _FORMULA_MARKS.isdisjoint(truth))
    reward = letters if formula else 0.5 * words + 0.5 * letters
    return words, reward, answer, f"similarity {letters:.2f}"


def _open_ended(answer: str, truth: str, info: Mapping[str, Any]) -> _Figure:
    """Official and reward: mean F of ROUGE-1, -2 and -L with stemming (the paper's code returns 0: no import)."""
    mean = rouge(truth, answer)
    return mean, 1.0 if plain(answer) == plain(truth) else min(mean, 0.99), answer, f"ROUGE {mean:.2f}"


def rouge(truth: str, answer: str) -> float:
    """rouge_score's figure, with a stemmer and a longest common subsequence that do not take seconds."""
    from rapidfuzz.distance import LCSseq
    from rouge_score.tokenize import tokenize

    gold, given = (tokenize(text, stemmer) for text in (truth, answer))
    scores = [_f_measure(LCSseq.similarity(gold, given), len(gold), len(given))]
    for size in (1, 2):
        grams = [Counter(zip(*(tokens[at:] for at in range(size)), strict=False)) for tokens in (gold, given)]
        scores.append(_f_measure((grams[0] & grams[1]).total(), grams[0].total(), grams[1].total()))
    return sum(scores) / 3


def _f_measure(shared: int, gold: int, given: int) -> float:
    return 2 * shared / (gold + given) if shared else 0.0


def _math(answer: str, truth: str, info: Mapping[str, Any]) -> _Figure:
    """Official: math-verify on the raw texts. Reward: `symbolic.equivalent`. Both in one call of a worker."""
    question, published = decide(answer, truth), _published_math(answer, truth)
    if question.right is not None and published is not None:
        return float(published), float(question.right), answer, question.why
    formulas = (question.gold, question.given) if question.right is None else (None, None)
    texts = (truth, answer) if published is None else (None, None)
    found = in_worker("judge", *formulas, *texts, timeout=float(info.get("verify_timeout", 1)))
    if isinstance(found, str):
        return float(published or 0), float(question.right or 0), answer, found
    right = found[0] if question.right is None else question.right
    return float(found[1] if published is None else published), float(right), answer, question.why or "not equal"


def _published_math(answer: str, truth: str) -> bool | None:
    """math-verify's verdict on the raw texts where it is certain without it: None if it must be asked."""
    if len(answer) + len(truth) > MAX_RAW_CHARS:
        return False
    # It finds nothing to compare in a text without a digit or a delimiter.
    if not (_PARSEABLE.search(answer) and _PARSEABLE.search(truth)):
        return False
    return same_bare_number(truth, answer)


verify_multiple_choice = _training(_multiple_choice, lambda truth, info: truth_letter(truth, options_of(info)))
verify_numerical = _training(_numerical, lambda truth, info: truth_number(truth))
verify_regression = _training(_regression, lambda truth, info: truth_number(truth))
verify_ocr = _training(_ocr)
verify_open_ended = _training(_open_ended)
verify_math = _training(_math)
