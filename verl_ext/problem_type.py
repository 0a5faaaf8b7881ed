"""The type of a row's problem, for `verl_ext.task_label: problem_type`.

OneThinker's rows name it in `info`; segmentation is two types there, of images and of videos. A row of a benchmark has
the type of its answer, under OneThinker's name where there is one, so that both kinds of rows can be mixed. A row can
name its own as `info.problem_type`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reward_fns.registry import Task

ANSWERS = {
    "choice": "multiple_choice",
    "integer": "numerical",
    "number": "numerical",
    "word": "text",
    "box": "spatial_grounding",
}
"""`Task.answer_format` -> problem type; the other formats (text, point, …) are types of their own."""
QUESTIONS = {("question_type", "open"): "text", ("kind", "yes/no"): "yes_no"}
"""What single rows of MMMU and RoboSpatial say of themselves, where their task would name another answer."""


def problem_type(task: Task, extra_info: Mapping[str, Any]) -> str:
    """`extra_info` as `compute_score` takes it: what is known of the row under `info` (an object or its JSON text) or
    flat."""
    info = extra_info.get("info") or {}
    info = {**extra_info, **(json.loads(info) if isinstance(info, str) else info)}
    if named := info.get("problem_type"):
        name = "_".join(str(named).lower().replace("-", " ").split())
        return f"{name}_{info.get('data_type', 'image')}" if name == "segmentation" else name
    if info.get("choices") or info.get("options"):
        return "multiple_choice"
    said = (kind for (key, value), kind in QUESTIONS.items() if info.get(key) == value)
    return next(said, ANSWERS.get(task.answer_format, task.answer_format))
