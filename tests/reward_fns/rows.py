"""One row of every task (and of every variant that judges differently), with the answer that its truth stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    task: str
    truth: Any
    answer: str
    info: dict[str, Any] = field(default_factory=dict)


CHOICES = {"choices": {"A": "a red bus", "B": "a blue bus", "C": "none", "D": "14"}}
MASK = {"size": [4, 4], "counts": [5, 2, 2, 2, 5]}
TRIPLES = {"positive_points": [[10, 10], [20, 20], [30, 10]], "negative_points": [[0, 0], [99, 0], [0, 99]]}
BOX = '{"boxes": [100, 200, 300, 400]}'
SEGMENT = '{"boxes": [5, 5, 50, 50], "positive_points": [[10, 10], [20, 20], [30, 10]], '
SEGMENT += '"negative_points": [[0, 0], [99, 0], [0, 99]]}'
EVENT = '{"time": [1, 2.5], "boxes": {"1": [1, 2, 3, 4], "2": [2, 2, 4, 4]}}'

ROWS = [
    Row("digit_choice", "B", "B", CHOICES),
    Row("shape_color", "red", "red"),
    Row("arithmetic", "62", "62"),
    Row("digit_sum", "7", "7"),
    Row("bar_value", "14.5", "14.5"),
    Row("bar_difference", "3", "3"),
    Row("relation", "D", "D", CHOICES),
    Row("point_to", MASK, '{"point_2d": [400, 400]}'),
    Row("field_read", "OSLO", "OSLO"),
    Row("receipt_total", "12.40", "12.40"),
    Row("shape_box", "[100, 200, 300, 400]", BOX),
    Row("digit_box", "[100, 200, 300, 400]", BOX),
    Row("mmmu", "B", "B", CHOICES),
    Row("mmmu", '["24/7", "3.429"]', "3.429", {"question_type": "open"}),
    Row("mmmu", "['24/7', '3.429']", "24/7", {"question_type": "open"}),
    Row("mmmu", '["C"]', "C", {"question_type": "open"}),
    Row("mmmu", '["0"]', "0", {"question_type": "open"}),
    Row("mmmu", "I", "I", {"choices": {letter: f"text {letter}" for letter in "ABCDEFGHI"}}),
    Row("mmbench", "B", "B", CHOICES),
    Row("mmbench", "B", "B", {"choices": {"A": "Yes", "B": "No", "C": None}}),
    Row("mmstar", "B", "B", CHOICES),
    Row("mathvista", "right", "B", {"question_type": "multi_choice", "choices": ["left", "right"]}),
    Row("mathvista", "14", "14", {"question_type": "free_form", "answer_type": "integer"}),
    Row("mathvista", "1.2", "1.2", {"question_type": "free_form", "answer_type": "float", "precision": 1.0}),
    Row("mathvista", "Yes", "A", {"question_type": "multi_choice", "choices": ["Yes", "No", "yes"]}),
    Row("mathvista", "0", "0", {"question_type": "free_form", "answer_type": "integer"}),
    Row("mathvista", "0.05", "0.05", {"question_type": "free_form", "answer_type": "float", "precision": 2.0}),
    Row("mathvista", "[0, 8]", "[0, 8]", {"question_type": "free_form", "answer_type": "list"}),
    Row("mathverse", "D", "D", {"question_type": "multi-choice"}),
    Row("mathverse", "(C)", "C", {"question_type": "multi-choice"}),
    Row("mathverse", "False", "False", {"question_type": "multi-choice"}),
    Row("mathverse", "118掳T", "118°T", {"question_type": "free-form"}),
    Row("mathverse", "2191.7 metres ", "2191.7", {"question_type": "free-form"}),
    Row("mathverse", "35掳", "35°", {"question_type": "free-form"}),
    Row("mathverse", "56.55 units $^{3}$", "56.55", {"question_type": "free-form"}),
    Row("mathvision", "B", "B", {"choices": ["4", "6", "8"]}),
    Row("mathvision", "6", "6", {"choices": []}),
    Row("mathvision", "B", "B", {"choices": ["A", "B", "C", "D", "E"]}),
    Row("mathvision", "B", "B", {"choices": []}),
    Row("mathvision", "11 ", "11", {"choices": []}),
    Row("mathvision", "45^2", "45^2", {"choices": []}),
    Row("mathvision", "1:2", "1:2", {"choices": []}),
    Row("mathvision", "0", "0", {"choices": []}),
    Row("mathvision", "$525/2$", "525/2", {"choices": []}),
    Row("ai2d", "B", "B", CHOICES),
    Row("chartqa", "14%", "14%"),
    Row("chartqa", "0", "0"),
    Row("chartqa", "2010", "2010"),
    Row("chartqa", "1,234", "1,234"),
    Row("chartqa", "[a, b]", "[a, b]"),
    Row("charxiv", "Joint-CNN", "Joint-CNN", {"inst_category": 1}),
    Row("charxiv", "(b)", "(b)", {"inst_category": 1}),
    Row("charxiv", "$\\alpha_{t}$, ACC+", "$\\alpha_{t}$, ACC+", {"inst_category": 1}),
    Row("charxiv", "30, 40", "30, 40", {"inst_category": 3}),
    Row("charxiv", "14%", "14%", {"inst_category": 3}),
    Row("charxiv", "0", "0", {"inst_category": 4}),
    Row("charxiv", "yes", "yes", {"inst_category": 2}),
    Row("charxiv", "10^-2", "0.01", {"inst_category": 3}),
    Row("charxiv", "9.17", "9.17", {"inst_category": 4}),
    Row("embspatial", "B", "B", CHOICES),
    Row("refspatial", MASK, "[(0.4, 0.4)]", {"point_format": "unit"}),
    Row("refspatial", MASK, '{"point_2d": [400, 400]}', {"point_format": "relative_1000"}),
    Row("robospatial", "yes", "yes", {"kind": "yes/no"}),
    Row("robospatial", "[[0, 0], [1, 0], [0, 1]]", "[(0.2, 0.2)]", {"kind": "point", "point_format": "unit"}),
    Row("robospatial", "[(0, 0), (1, 0), (0, 1)]", "[(0.2, 0.2)]", {"kind": "point"}),
    Row("robospatial", "no", "No", {"kind": "yes/no"}),
    Row("docvqa", '["0"]', "0"),
    Row("docvqa", '["  ITC  Limited "]', "ITC Limited"),
    Row("docvqa", '["Oslo", "OSLO"]', "Oslo"),
    Row("infovqa", '["1.5 million"]', "1.5 million"),
    Row("ocrbench", '["[1]", "1"]', "[1]", {"dataset": "IIIT5K"}),
    Row("ocrbench", '["CENTRE"]', "CENTRE", {"dataset": "IIIT5K"}),
    Row("ocrbench", r'["\\frac { 1 } { 2 }"]', r"\frac{1}{2}", {"dataset": "HME100k"}),
    Row("refcoco", "[100, 200, 300, 400]", BOX, {"box_format": "relative_1000"}),
    Row(
        "refcoco+",
        "[100, 200, 300, 400]",
        '{"boxes": [64, 96, 192, 192]}',
        {"width": 640, "height": 480, "box_format": "pixels"},
    ),
    Row("refcocog", "[100, 200, 300, 400]", '{"boxes": [0.1, 0.2, 0.3, 0.4]}', {"box_format": "unit"}),
    Row("multiple_choice", "B", "B", CHOICES),
    Row("numerical", "40.33", "40.33"),
    Row("regression", "0.0", "0.0"),
    Row("math", "$$\\pi $$", "$$\\pi $$"),
    Row("math", "Sunday", "Sunday"),
    Row("math", "8657", "8657"),
    Row("ocr", "u ( x - x _ { 0 } ) = 0", "u ( x - x _ { 0 } ) = 0"),
    Row("open_ended", "Paris", "Paris"),
    Row("spatial_grounding", BOX, BOX),
    Row("temporal_grounding", '{"time": [3, 3]}', '{"time": [3, 3]}'),
    Row("spatial_temporal_grounding", EVENT, EVENT),
    Row("tracking", '{"boxes": {"1": [1, 2, 3, 4]}}', '{"boxes": {"1": [1, 2, 3, 4]}}'),
    Row("segmentation", SEGMENT, SEGMENT, {"data_type": "image"}),
    Row("segmentation", '{"time": 3, ' + SEGMENT[1:], '{"time": 3, ' + SEGMENT[1:], {"data_type": "video"}),
]
