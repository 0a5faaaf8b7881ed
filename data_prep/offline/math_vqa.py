"""Maths: a typeset sum, difference or product, and the sum of handwritten digits.

Rows (info shortened):
    {"data_source": "offline/arithmetic", "ability": "math_vqa", "prompt": "<image>What is the result? ...",
     "ground_truth": "62", "info": {"target": "62", "worked": "37 + 25 : 7 + 5 = 12 ; 30 + 20 = 50 ; 50 + 12 = 62"}}
    {"data_source": "offline/digit_sum", "prompt": "<image>What is the sum of the digits? ...", "ground_truth": "13",
     "info": {"target": "13", "worked": "digits 3 8 2 ; 3 + 8 = 11 ; 11 + 2 = 13"}}
"""

from __future__ import annotations

from data_prep.offline.canvas import Example, Scene, blank, draw_text
from data_prep.offline.digits import draw_digit

FONTS = ("DejaVuSans-Bold", "DejaVuSerif-Bold")


def running_sum(numbers: list[int]) -> str:
    """The additions one after the other: "4 + 7 = 11 ; 11 + 3 = 14"."""
    steps, total = [], numbers[0]
    for number in numbers[1:]:
        steps.append(f"{total} + {number} = {total + number}")
        total += number
    return " ; ".join(steps)


def solve(left: int, sign: str, right: int) -> tuple[int, str]:
    """Result and worked text of one operation; a sum adds units and tens, a difference takes tens, then units."""
    if sign == "x":
        return left * right, f"{left} x {right} = {left * right}"
    if sign == "+":
        if left < 10 or right < 10:
            return left + right, f"{left} + {right} = {left + right}"
        units, tens = left % 10 + right % 10, left // 10 * 10 + right // 10 * 10
        return left + right, (
            f"{left} + {right} : {left % 10} + {right % 10} = {units} ; "
            f"{left // 10 * 10} + {right // 10 * 10} = {tens} ; {tens} + {units} = {left + right}"
        )
    if right < 10 or right % 10 == 0:
        return left - right, f"{left} - {right} = {left - right}"
    middle = left - right // 10 * 10
    return left - right, (
        f"{left} - {right} : {left} - {right // 10 * 10} = {middle} ; {middle} - {right % 10} = {left - right}"
    )


def arithmetic(scene: Scene) -> Example:
    rng = scene.rng

    def draw() -> tuple[int, str, int]:
        sign = rng.choice("++--x")
        if sign == "x":
            return rng.randint(2, 9), sign, rng.randint(2, 9)
        left, right = rng.randint(1, 49), rng.randint(1, 49)
        return (max(left, right), sign, min(left, right)) if sign == "-" else (left, sign, right)

    left, sign, right = scene.facts(draw)
    image = blank(scene)
    column, row, font = rng.randint(0, 1), rng.randint(0, 3), rng.choice(FONTS)
    for place, text in enumerate((str(left), {"x": "×", "-": "−"}.get(sign, sign), str(right))):
        at = (32 * (column + place) + 16 + rng.randint(-1, 1), 32 * row + 16 + rng.randint(-2, 2))
        draw_text(scene, image, text, at=at, size=20, font=font, anchor="mm")
        scene.notes[column + place, row] = {"×": "x", "−": "-"}.get(text, text)
    result, worked = solve(left, sign, right)
    return Example(image, "What is the result?", str(result), worked, str(result))


def digit_sum(scene: Scene) -> Example:
    rng = scene.rng
    labels = [rng.randint(0, 9) for _ in range(rng.randint(2, 3))]
    column, row = rng.randint(0, 4 - len(labels)), rng.randint(0, 3)
    image = blank(scene)
    drawn = [draw_digit(scene, image, label=label, cell=(column + place, row)) for place, label in enumerate(labels)]
    total = str(sum(labels))
    worked = f"digits {' '.join(map(str, labels))} ; {running_sum(labels)}"
    return Example(
        image, "What is the sum of the digits?", total, worked, total, {"samples": [sample for _, sample in drawn]}
    )
