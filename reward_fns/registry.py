"""The literal table of the tasks, and how a row finds its task.

One's own task takes three steps: write `verify_x(answer, ground_truth, info) -> Verdict` in a file beside the others,
add a line to TASKS below, and write rows whose `extra_info.task` (or `data_source`) is the new name.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .box import box_structure, verify_box
from .choice import verify_choice
from .number import verify_integer, verify_relaxed
from .point import point_structure, verify_point
from .text import verify_anls, verify_word
from .verdict import MAX_ANSWER_CHARS, Verdict, wrong

Verifier = Callable[[str, Any, Mapping[str, Any]], Verdict]
Structure = Callable[[str, Mapping[str, Any]], float]


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of question: its name in rows, configs and metrics, and how its answers are judged."""

    name: str
    category: str
    """general_vqa, math_vqa, chart_vqa, spatial_reasoning, document or grounding."""
    verifier: Verifier
    answer_format: str
    """What the prompt must ask for: choice, word, integer, number, text, box, point."""
    source: str
    """Where the rule comes from."""
    structure: Structure | None = None
    """Share 0..1 of the JSON structure that is right; None for answers that are no JSON."""

    @property
    def structured(self) -> bool:
        """Whether the structure part of the reward applies."""
        return self.structure is not None


_ALL = [
    Task("digit_choice", "general_vqa", verify_choice, "choice", "offline set; one letter or exact option text"),
    Task("shape_color", "general_vqa", verify_word, "word", "offline set; normalised equality"),
    Task("arithmetic", "math_vqa", verify_integer, "integer", "offline set; exact integer"),
    Task("digit_sum", "math_vqa", verify_integer, "integer", "offline set; exact integer"),
    Task("bar_value", "chart_vqa", verify_relaxed, "number", "offline set; ChartQA relaxed accuracy"),
    Task("bar_difference", "chart_vqa", verify_relaxed, "number", "offline set; ChartQA relaxed accuracy"),
    Task("relation", "spatial_reasoning", verify_choice, "choice", "offline set; one letter or exact option text"),
    Task("point_to", "spatial_reasoning", verify_point, "point", "offline set; point in mask", point_structure),
    Task("field_read", "document", verify_anls, "text", "offline set; DocVQA ANLS (RRC script)"),
    Task("receipt_total", "document", verify_anls, "text", "offline set; DocVQA ANLS (RRC script)"),
    Task("shape_box", "grounding", verify_box, "box", "offline set; IoU >= 0.5", box_structure),
    Task("digit_box", "grounding", verify_box, "box", "offline set; IoU >= 0.5", box_structure),
]
TASKS: dict[str, Task] = {task.name: task for task in _ALL}

UNVERIFIABLE_SUFFIX = "/unverifiable"


def _key(name: str) -> str:
    return name.strip().lower().translate({ord(char): None for char in " _-"})


_BY_KEY = {_key(name): task for name, task in TASKS.items()}


def resolve_task(data_source: str, extra_info: Mapping[str, Any] | None = None) -> Task:
    """The task of a row: `extra_info["task"]` if there is one, else `data_source` or what follows its last slash.

    Case, spaces, underscores and hyphens do not matter. ValueError names the nearest task and how to add one.
    """
    named = (extra_info or {}).get("task")
    name = str(named or data_source)
    key = _key(name.removesuffix(UNVERIFIABLE_SUFFIX))
    task = _BY_KEY.get(key) or (None if named else _BY_KEY.get(key.rpartition("/")[2]))
    if task is None:
        near = difflib.get_close_matches(key[:200], _BY_KEY, n=1, cutoff=0)
        nearest = _BY_KEY[near[0]].name if near else sorted(TASKS)[0]
        raise ValueError(
            f"unknown task {name[:200]!r} (nearest: {nearest!r}); known: {', '.join(TASKS)}. "
            "To add one: write its verifier, add a line to TASKS in reward_fns/registry.py, name it in extra_info.task"
        )
    return task


def verify(task: Task | str, answer: str, ground_truth: Any, info: Mapping[str, Any] | None = None) -> Verdict:
    """Judge the text of an answer (the inside of the answer tags).

    An answer of over 20,000 characters is wrong unread. ValueError for a ground truth that does not fit the task.
    """
    if isinstance(task, str):
        task = resolve_task(task)
    if len(answer) > MAX_ANSWER_CHARS:
        return wrong(f"answer over {MAX_ANSWER_CHARS} characters")
    return task.verifier(answer, ground_truth, info or {})
