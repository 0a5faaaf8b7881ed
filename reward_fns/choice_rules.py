"""How the benchmarks themselves read a letter: the official figures of multiple-choice tasks, quirks kept.

Each reader returns the letter, or None where the source would ask a language model or draw a random option.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .choice import options_of, read_letter, same_option, truth_letter
from .verdict import Verdict

Reader = Callable[[str, Mapping[str, str]], str | None]

_VLMEVALKIT_PUNCTUATION = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_REFUSALS: tuple[str, ...] = ("Sorry, I can't help with images of people yet.", "I can't process this file.")
_REFUSALS += ("I'm sorry, but without the image provided", "Cannot determine the answer")
_NO_TEXT = "\0"
"""Text of an option that a row does not give: contained in no answer."""

# VLMEvalKit, EASI's matching_func.py. Its optional prefixes of brackets and spaces are left out where they cannot
# change the letter that is found: they make the patterns quadratic.
_EASI_OPENED = re.compile(r"<\s*answer\b[^>]*>\s*([A-J])", re.IGNORECASE)
_EASI_CLOSED = re.compile(r"<\s*/\s*answer\s*>", re.IGNORECASE)
_EASI_BEFORE_TAG = tuple(
    re.compile(rf"(?<![A-Za-z])([A-F])\s*[)\]}}）】]?\s*</\s*{tag}\s*>", re.IGNORECASE) for tag in ("answer", "think")
)
_EASI_THINKING = (re.compile(r"</\s*think\s*>", re.IGNORECASE), re.compile(r"<\s*think\s*>", re.IGNORECASE))
_EASI_ZERO_WIDTH = re.compile("[\u200b\u200c\u200d\ufeff]")
_EASI_OPTION_LINE = re.compile(r"^[*_>\-\s]*(?:option|选项)\s+[A-J]\s*[:：]", re.IGNORECASE)
_EASI_LONE_LINE = re.compile(r"[*_`>（）\[\]【】()]*\s*([A-Fa-f])\s*[*_`（）\[\]【】()]*")
_EASI_LABEL = re.compile(r"([A-F])\s*[.．:：)\]】、-]\s+", re.IGNORECASE)
_EASI_INLINE = re.compile(r"(?<![A-Za-z])([A-F])\s*[*_`）\]}]*(?=$|[\s.,:;!?)\]】》」』，。；、：）])")
_EASI_PHRASE = re.compile(
    r"(?:final\s*+answer|the\s*+answer\s*+is|answer(?:\s*+is)?|correct\s*+answer|"
    r"答案|最终答案|结论|所以|因此|我选(?:择)?|选择|选)"
    r"\s*+(?:[:：>＝=]\s*+)?+(?:[(\[{（【]\s*+)?+([A-F])\s*[)\]}）】]?(?:\b|[.)、。])",
    re.IGNORECASE,
)
_EASI_TOKEN = re.compile(r"(?<![A-Za-z])([A-F])(?![A-Za-z])")
_ANSWER_IS = re.compile(r"(?:correct\s+)?answer\s+is\s+\**([ABCD])", re.IGNORECASE)


def mmmu_letter(response: str, options: Mapping[str, str]) -> str | None:
    """MMMU, mmmu/utils/eval_utils.py parse_multi_choice_response.

    `(X)` anywhere; else ` X ` between spaces; else, over five words, the text of an option; of several the one whose
    last occurrence comes last. The source draws at random where nothing is found.
    """
    for mark in ",.!?;:'":
        response = response.strip(mark)
    response = f" {response} "
    lowered = response.lower()
    for form in ("({})", " {} "):
        found = {letter: response.rfind(form.format(letter)) for letter in options}
        if any(at >= 0 for at in found.values()):
            return max(found, key=lambda letter: found[letter])
    if len(response.split()) <= 5:
        return None
    found = {letter: lowered.rfind(text.lower()) for letter, text in options.items()}
    return max(found, key=lambda letter: found[letter]) if any(at >= 0 for at in found.values()) else None


def vlmevalkit_letter(response: str, options: Mapping[str, str]) -> str | None:
    """VLMEvalKit, vlmeval/utils/matching_util.py can_infer (MMBench, AI2D) without its language model.

    One option letter as a token among the last four (its first occurrence counts); else `answer is X`; else the only
    option whose text is contained, if the response is at most twice as long as all options. Negation is not seen.
    """
    letter = _vlmevalkit_option(response, options)
    if letter is not None:
        return letter if letter in options else None
    lowered = response.lower()
    if len(lowered) > 2 * sum(map(len, options.values())):
        return None
    contained = [letter for letter, text in options.items() if text.lower() in lowered]
    return contained[0] if len(contained) == 1 else None


def _vlmevalkit_option(response: str, options: Mapping[str, str]) -> str | None:
    if "Failed to obtain answer via API" in response:
        return None
    if any(refusal in response for refusal in _REFUSALS):
        return "Z"
    tokens = response.translate(_VLMEVALKIT_PUNCTUATION).split()
    present = [letter for letter in options if letter in tokens]
    if len(present) == 1 and tokens.index(present[0]) > len(tokens) - 5:
        return present[0]
    if not present and "Z" in tokens:
        return "Z"
    phrase = _ANSWER_IS.search(response)
    return phrase[1].upper() if phrase and phrase[1].upper() in options else None


def mmstar_letter(response: str, options: Mapping[str, str]) -> str | None:
    """MMStar, eval/vlmeval/evaluate/mmstar.py: a character at a fixed place, so "Because" is B and "**B**" nothing."""
    text = response.lower().strip().replace("\n", " ")
    for prefix in ("(", "option ", "the answer is "):
        if text.startswith(prefix) and len(text) > len(prefix) and text[len(prefix)].isalpha():
            return text[len(prefix)].upper()
    return text[0].upper() if text else None


def easi_letter(response: str, options: Mapping[str, str]) -> str | None:
    """EmbSpatial as VLMEvalKit scores it (EASI, can_match_option): its authors released no reader.

    The letter at the start of an answer block, or in front of a closing tag; from the last of the last six lines
    upwards: a line that is one letter, a line that starts with a label, or the only distinct capital token A-F of a
    line; the same in the last 800 characters; the first "answer is X" phrase in either case; the only distinct capital
    token of the text.
    """
    text = _EASI_ZERO_WIDTH.sub("", response.strip())
    if letter := _easi_tagged(text):
        return letter
    marks = next((marks for tag in _EASI_THINKING if (marks := list(tag.finditer(text)))), [])
    for part in (text[marks[-1].end() :].strip() if marks else text, text[-800:]):
        if letter := _easi_lines(part.splitlines()[-6:]):
            return letter
    if phrase := _EASI_PHRASE.search(text):
        return phrase[1].upper()
    kept = "\n".join(line for line in text.splitlines() if not _EASI_OPTION_LINE.search(line))
    tokens = set(_EASI_TOKEN.findall(kept))
    return tokens.pop() if len(tokens) == 1 else None


def _easi_tagged(text: str) -> str | None:
    closed = [mark.start() for mark in _EASI_CLOSED.finditer(text)]
    if closed and (opened := _EASI_OPENED.search(text, 0, closed[-1])):
        return opened[1].upper()
    found = next((match for tag in _EASI_BEFORE_TAG if (match := tag.search(text[-800:]))), None)
    return found[1].upper() if found else None


def _easi_lines(lines: list[str]) -> str | None:
    for line in reversed([line.strip() for line in lines if line.strip()]):
        if _EASI_OPTION_LINE.search(line):
            continue
        if labelled := _EASI_LONE_LINE.fullmatch(line) or _EASI_LABEL.match(line):
            return labelled[1].upper()
        tokens = set(_EASI_INLINE.findall(line))
        if len(tokens) == 1:
            return str(tokens.pop())
    return None


def verify_with(read: Reader) -> Callable[[str, Any, Mapping[str, Any]], Verdict]:
    """The verifier whose official figure is the letter that `read` finds; the reward uses `choice.read_letter`."""

    def verify(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
        options = options_of(info)
        truth = truth_letter(ground_truth, options)
        official = read(answer, options or dict.fromkeys("ABCD", _NO_TEXT))
        letter, why = read_letter(answer, options)
        right = same_option(letter, truth, options)
        note = "" if right else why or f"{letter} is not {truth}"
        if official is None:
            note = f"{note}; official: no letter, where the source would guess or ask a model".removeprefix("; ")
        return Verdict(float(official == truth), float(right), letter, note)

    return verify
