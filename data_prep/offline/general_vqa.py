"""General VQA: a handwritten digit by multiple choice, the colour of a shape by one word.

Rows (info shortened):
    {"data_source": "offline/digit_choice", "ability": "general_vqa",
     "prompt": "<image>Which digit is written? A. 3 B. 7 C. 1 D. 9 Think in <thinking></thinking>, then ...",
     "ground_truth": "B", "info": {"choices": {"A": "3", "B": "7", "C": "1", "D": "9"}, "target": "B",
     "worked": "digit 7 ; 3 A , 7 B , 1 C , 9 D ; so 7 B"}}
    {"data_source": "offline/shape_color", "prompt": "<image>What colour is the circle? ...", "ground_truth": "red",
     "info": {"target": "red", "worked": "red circle , blue star ; the circle is red"}}
"""

from __future__ import annotations

from data_prep.offline.canvas import COLORS, SHAPES, Example, Scene, blank, draw_shape
from data_prep.offline.digits import draw_digit

LETTERS = "ABCD"


def options(texts: list[str], truth: str) -> tuple[str, str, dict[str, str], str]:
    """Question tail "A. x B. y", right letter, choices, and the look-up "x A , y B ; so y B" for the worked text."""
    choices = dict(zip(LETTERS, texts, strict=True))
    letter = next(key for key, text in choices.items() if text == truth)
    tail = " ".join(f"{key}. {text}" for key, text in choices.items())
    lookup = " , ".join(f"{text} {key}" for key, text in choices.items())
    return tail, letter, choices, f"{lookup} ; so {truth} {letter}"


def digit_choice(scene: Scene) -> Example:
    rng = scene.rng
    labels = rng.sample(range(10), len(LETTERS))
    label = rng.choice(labels)
    image = blank(scene)
    _, sample = draw_digit(scene, image, label=label, cell=(rng.randint(1, 2), rng.randint(1, 2)))
    tail, letter, choices, lookup = options([str(other) for other in labels], str(label))
    info = {"choices": choices, "samples": [sample]}
    return Example(image, f"Which digit is written? {tail}", letter, f"digit {label} ; {lookup}", letter, info)


def shape_color(scene: Scene) -> Example:
    rng = scene.rng

    def draw() -> tuple[list[str], list[str], list[tuple[int, int]]]:
        count = rng.randint(2, 3)
        return rng.sample(SHAPES, count), rng.sample(list(COLORS), count), scene.cells(count)

    shapes, colors, cells = scene.facts(draw)
    image = blank(scene)
    for shape, color, cell in zip(shapes, colors, cells, strict=True):
        draw_shape(scene, image, shape=shape, color=color, cell=cell)
    shape, color = shapes[0], colors[0]
    seen = sorted(zip(cells, colors, shapes, strict=True), key=lambda item: (item[0][1], item[0][0]))
    listing = " , ".join(f"{seen_color} {seen_shape}" for _, seen_color, seen_shape in seen)
    return Example(image, f"What colour is the {shape}?", color, f"{listing} ; the {shape} is {color}", color)
