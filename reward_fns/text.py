"""Short texts: exact word, list, and ANLS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .normalize import plain
from .verdict import Verdict, binary

ANLS_THRESHOLD = 0.5


def references(ground_truth: Any) -> list[str]:
    """The accepted texts: a list (of numpy, too), JSON text of a list, or one text. ValueError if there is none."""
    found = ground_truth.tolist() if hasattr(ground_truth, "tolist") else ground_truth
    if isinstance(found, str) and found.lstrip().startswith("["):
        try:
            found = json.loads(found)
        except ValueError:
            found = ground_truth
    found = [found] if not isinstance(found, list | tuple) else list(found)
    if not found or any(isinstance(item, list | dict) or item is None for item in found):
        raise ValueError(f"ground_truth {str(ground_truth)[:80]!r} is not a text or a list of texts")
    return [str(item) for item in found]


def verify_word(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """1 if the answer equals an accepted text after `normalize.plain`."""
    given = plain(answer)
    return binary(bool(given) and given in map(plain, references(ground_truth)), given, "not the expected word")


def same_items(answer: str, truth: str) -> bool:
    """Equal after `normalize.plain`, or the items of a bracketed list in any order, with brackets or without."""
    if plain(answer) == plain(truth):
        return bool(plain(answer))
    return bool(gold := items(truth)) and gold in (items(answer), items(f"[{answer}]"))


def items(text: str) -> list[str] | None:
    """The items of a list in square brackets, cleaned and sorted; None for another text."""
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return None
    return sorted(plain(item) for item in text[1:-1].split(","))


def verify_anls(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """Official: ANLS as the RRC script has it. Reward: 0.9 ANLS with lengths after normalisation + 0.1 exact match."""
    accepted, answer = references(ground_truth), answer.strip()
    official = max(anls(answer, reference, raw_length=True) for reference in accepted)
    reward = max(anls(answer, reference, raw_length=False) for reference in accepted)
    exact = _anls_form(answer) in map(_anls_form, accepted)
    return Verdict(official, 0.9 * reward + 0.1 * exact, answer, "" if exact else f"similarity {reward:.2f}")


def anls(answer: str, reference: str, *, raw_length: bool) -> float:
    """Similarity of the trimmed lower-case texts with single spaces; two empty texts give 1.

    The RRC script divides by the length of the raw upper-cased texts (`raw_length`), so that padding buys score; the
    reward divides by the normalised length.
    """
    left, right = _anls_form(answer), _anls_form(reference)
    sides = (answer.upper(), reference.upper()) if raw_length else (left, right)
    return similarity(left, right, max(map(len, sides)))


def similarity(left: str, right: str, length: int) -> float:
    """1 - edit distance / `length`, 0 below 0.5 (0.5 itself stays)."""
    from rapidfuzz.distance import Levenshtein

    # Further than half the length scores 0, so the search may stop there.
    found = 1.0 - Levenshtein.distance(left, right, score_cutoff=length // 2 + 1) / length if length else 1.0
    return found if found >= ANLS_THRESHOLD else 0.0


def _anls_form(text: str) -> str:
    return " ".join(text.strip().lower().split())
