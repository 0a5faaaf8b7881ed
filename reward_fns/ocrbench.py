"""OCRBench: recognised text, texts in scenes and documents, handwritten formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .text import references, similarity
from .verdict import Verdict


def verify_ocrbench(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """Official: an accepted text is contained (OCRBench/scripts). Reward: see `ocr_reward`."""
    accepted, formula = references(ground_truth), _is_formula(info)
    given = contained_form(answer, formula=formula)
    # An empty gold is contained in everything, as in the source.
    official = any(contained_form(reference, formula=formula) in given for reference in accepted)
    reward = max(ocr_reward(answer, reference, formula=formula) for reference in accepted)
    return Verdict(float(official), reward, answer, "" if reward == 1 else f"similarity {reward:.2f}")


def _is_formula(info: Mapping[str, Any]) -> bool:
    """The source asks for the data set's name; the question type stands in where a row has none."""
    if dataset := info.get("dataset"):
        return str(dataset) == "HME100k"
    return "mathematical expression" in str(info.get("question_type", "")).lower()


def contained_form(text: str, *, formula: bool) -> str:
    """Formulas (HME100k) lose all ASCII spaces and keep their case; other texts are lowered and keep their spaces."""
    if formula:
        return text.strip().replace("\n", " ").replace(" ", "")
    return text.lower().strip().replace("\n", " ")


def ocr_reward(answer: str, reference: str, *, formula: bool) -> float:
    """1 if equal but for case and white space (formulas: white space only), else the larger of two parts.

    - similarity (1 - edit distance / length, 0 below 0.5), at most 0.95;
    - 0.5 * len(gold) / len(answer) for a contained gold in an answer of up to 2 len(gold) + 10 characters. The ratio
      keeps a dump of k candidates from earning more than one guess; containment alone would reward "not 3" for 3.
    """
    if formula:
        given, gold = "".join(answer.split()), "".join(reference.split())
    else:
        given, gold = " ".join(answer.lower().split()), " ".join(reference.lower().split())
    if given == gold:
        return 1.0
    contained = bool(gold) and gold in given and len(given) <= 2 * len(gold) + 10
    near = 0.5 * len(gold) / len(given) if contained else 0.0
    return max(near, min(0.95, similarity(given, gold, max(len(given), len(gold)))))
