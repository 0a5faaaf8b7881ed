"""The literal table of the tasks, and how a row finds its task.

One's own task takes three steps: write `verify_x(answer, ground_truth, info) -> Verdict`, hand it to `register` (or
add a line to TASKS below), and write rows whose `extra_info.task` (or `data_source`) is the new name. The module that
calls `register` must be imported in every process: name it in the environment variable VERL_USE_EXTERNAL_MODULES
(commas between several). verl imports it wherever it is imported itself, reward workers included; here it is imported
when a task is not known yet, so that tools without verl know it too.
"""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import training
from .box import box_structure, verify_box
from .charxiv import verify_charxiv
from .choice import verify_choice
from .choice_rules import easi_letter, mmstar_letter, verify_with, vlmevalkit_letter
from .grounding import (
    spatial_temporal_structure,
    temporal_structure,
    tracking_structure,
    verify_spatial,
    verify_spatial_temporal,
    verify_temporal,
    verify_tracking,
)
from .mathverse import verify_mathverse
from .mathvision import verify_mathvision
from .mathvista import verify_mathvista
from .mmmu import verify_mmmu
from .number import verify_integer, verify_relaxed
from .ocrbench import verify_ocrbench
from .point import point_structure, verify_point
from .refcoco import refcoco_structure, verify_refcoco
from .refspatial import verify_refspatial
from .robospatial import verify_robospatial
from .segmentation import segmentation_structure, verify_segmentation
from .text import verify_anls, verify_word
from .verdict import MAX_ANSWER_CHARS, Verdict, wrong

Verifier = Callable[[str, Any, Mapping[str, Any]], Verdict]
Structure = Callable[[str, Any, Mapping[str, Any]], float]


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of question: its name in rows, configs and metrics, and how its answers are judged."""

    name: str
    category: str
    """general_vqa, math_vqa, chart_vqa, spatial_reasoning, document or grounding."""
    verifier: Verifier
    answer_format: str
    """What the prompt must ask for: choice, word, integer, number, text, box, point, span, frames."""
    source: str
    """Where the rule comes from."""
    structure: Structure | None = None
    """Share 0..1 of the JSON structure that is right; None for answers that are no JSON."""


_OFFLINE = "offline set; "
_ONETHINKER = "OneThinker, EasyR1/verl/reward_function/onethinker_reward.py: "

_ALL = [
    # The offline data set.
    Task("digit_choice", "general_vqa", verify_choice, "choice", _OFFLINE + "one letter or exact option text"),
    Task("shape_color", "general_vqa", verify_word, "word", _OFFLINE + "normalised equality"),
    Task("arithmetic", "math_vqa", verify_integer, "integer", _OFFLINE + "exact integer"),
    Task("digit_sum", "math_vqa", verify_integer, "integer", _OFFLINE + "exact integer"),
    Task("bar_value", "chart_vqa", verify_relaxed, "number", _OFFLINE + "ChartQA relaxed accuracy"),
    Task("bar_difference", "chart_vqa", verify_relaxed, "number", _OFFLINE + "ChartQA relaxed accuracy"),
    Task("relation", "spatial_reasoning", verify_choice, "choice", _OFFLINE + "one letter or exact option text"),
    Task("point_to", "spatial_reasoning", verify_point, "point", _OFFLINE + "point in mask", point_structure),
    Task("field_read", "document", verify_anls, "text", _OFFLINE + "DocVQA ANLS (RRC script)"),
    Task("receipt_total", "document", verify_anls, "text", _OFFLINE + "DocVQA ANLS (RRC script)"),
    Task("shape_box", "grounding", verify_box, "box", _OFFLINE + "IoU >= 0.5", box_structure),
    Task("digit_box", "grounding", verify_box, "box", _OFFLINE + "IoU >= 0.5", box_structure),
    # Benchmarks.
    Task("mmmu", "general_vqa", verify_mmmu, "choice", "MMMU mmmu/utils/eval_utils.py"),
    Task("mmbench", "general_vqa", verify_with(vlmevalkit_letter), "choice", "VLMEvalKit matching_util.py, one roll"),
    Task("mmstar", "general_vqa", verify_with(mmstar_letter), "choice", "MMStar eval/vlmeval/evaluate/mmstar.py"),
    Task("mathvista", "math_vqa", verify_mathvista, "text", "MathVista evaluation/calculate_score.py, stage 2"),
    Task("mathverse", "math_vqa", verify_mathverse, "text", "MathVerse; letters and values (its judge is a model)"),
    Task("mathvision", "math_vqa", verify_mathvision, "text", "MATH-V evaluation/evaluate.py and utils.py"),
    Task("ai2d", "chart_vqa", verify_with(vlmevalkit_letter), "choice", "VLMEvalKit matching_util.py"),
    Task("chartqa", "chart_vqa", verify_relaxed, "number", "ChartQA section 5.1; pix2struct metrics.py"),
    Task("charxiv", "chart_vqa", verify_charxiv, "text", "CharXiv src/constants.py, the rubrics that rules can decide"),
    Task("embspatial", "spatial_reasoning", verify_with(easi_letter), "choice", "VLMEvalKit (EASI) can_match_option"),
    Task("refspatial", "spatial_reasoning", verify_refspatial, "point", "RoboRefer Evaluation/summarize_acc.py"),
    Task("robospatial", "spatial_reasoning", verify_robospatial, "point", "RoboSpatial-Eval evaluation.py"),
    Task("docvqa", "document", verify_anls, "text", "RRC script (Qwen-VL eval_mm/infographicsvqa_eval.py)"),
    Task("infovqa", "document", verify_anls, "text", "RRC script (Qwen-VL eval_mm/infographicsvqa_eval.py)"),
    Task("ocrbench", "document", verify_ocrbench, "text", "MultimodalOCR OCRBench/scripts"),
    Task("refcoco", "grounding", verify_refcoco, "box", "IoU >= 0.5; OneThinker eval_bench.py", refcoco_structure),
    Task("refcoco+", "grounding", verify_refcoco, "box", "IoU >= 0.5; OneThinker eval_bench.py", refcoco_structure),
    Task("refcocog", "grounding", verify_refcoco, "box", "IoU >= 0.5; OneThinker eval_bench.py", refcoco_structure),
    # OneThinker's question types; the category of a row goes before the one here.
    Task("multiple_choice", "general_vqa", training.verify_multiple_choice, "choice", _ONETHINKER + "grade_answer"),
    Task("numerical", "chart_vqa", training.verify_numerical, "number", _ONETHINKER + "equal to 2 decimals"),
    Task("regression", "spatial_reasoning", training.verify_regression, "number", _ONETHINKER + "relative accuracy"),
    Task("math", "math_vqa", training.verify_math, "text", _ONETHINKER + "math-verify"),
    Task("ocr", "document", training.verify_ocr, "text", _ONETHINKER + "1 - word error rate"),
    Task("open_ended", "general_vqa", training.verify_open_ended, "text", _ONETHINKER + "mean ROUGE"),
    Task("spatial_grounding", "grounding", verify_spatial, "box", _ONETHINKER + "IoU", box_structure),
    Task("temporal_grounding", "grounding", verify_temporal, "span", _ONETHINKER + "IoU", temporal_structure),
    Task(
        "spatial_temporal_grounding",
        "grounding",
        verify_spatial_temporal,
        "span and frames",
        _ONETHINKER + "0.5 span IoU + 0.5 mean box IoU",
        spatial_temporal_structure,
    ),
    Task("tracking", "grounding", verify_tracking, "frames", _ONETHINKER + "mean box IoU", tracking_structure),
    Task(
        "segmentation",
        "grounding",
        verify_segmentation,
        "box and points",
        _ONETHINKER + "weighted IoU and points",
        segmentation_structure,
    ),
]
TASKS: dict[str, Task] = {}
"""Every task by its name."""

_DATA_SOURCES: dict[str, tuple[str, ...]] = {
    "mmmu": ("MMMU_DEV_VAL", "MMMU_TEST", "MMMU_VAL"),
    "mmbench": (
        *("MMBench_DEV_EN", "MMBench_DEV_EN_V11", "MMBench_TEST_EN", "MMBench_TEST_EN_V11"),
        *("MMBench_V11", "MMBench_EN", "MMBench_DEV"),
    ),
    "mmstar": ("MMStar_VAL",),
    "mathvista": ("MathVista_MINI", "MathVista_testmini"),
    "mathverse": (
        *("MathVerse_MINI", "MathVerse_MINI_Text_Dominant", "MathVerse_MINI_Text_Lite", "MathVerse_MINI_Text_Only"),
        *("MathVerse_MINI_Vision_Intensive", "MathVerse_MINI_Vision_Dominant", "MathVerse_MINI_Vision_Only"),
        *("MathVerse-lmmseval", "MathVerse_testmini"),
    ),
    "mathvision": ("MathVision_MINI", "MathVision_test", "MathVision_testmini", "MATH-V", "MATH-Vision"),
    "ai2d": ("AI2D_TEST", "AI2D_TEST_NO_MASK", "ai2d-no-mask"),
    "chartqa": ("ChartQA_TEST",),
    "charxiv": ("CharXiv_reasoning_val", "CharXiv_reasoning", "CharXiv-RQ", "CharXiv_val_reasoning"),
    "embspatial": ("EmbSpatialBench",),
    "refspatial": ("RefSpatialBench", "RefSpatial_wo_unseen", "RefSpatial-Expand-Bench"),
    "robospatial": ("RoboSpatialHome",),
    "docvqa": ("DocVQA_VAL", "DocVQA_TEST"),
    "infovqa": ("InfoVQA_VAL", "InfoVQA_TEST", "InfographicVQA", "InfographicVQA_VAL"),
    "ocrbench": ("OCRBench_v1",),
    "refcoco": ("RefCOCO-VLMEvalKit", "RefCOCO_val", "RefCOCO_test", "RefCOCO_testA", "RefCOCO_testB"),
    "refcoco+": (
        *("RefCOCOplus", "RefCOCOp", "RefCOCOplus_val", "RefCOCOplus_testA", "RefCOCOplus_testB"),
        *("RefCOCO+_val", "RefCOCO+_testA", "RefCOCO+_testB"),
    ),
    "refcocog": ("RefCOCOg_val", "RefCOCOg_test", "RefCOCOg_umd"),
}
"""Names of data sets, beside those of the tasks, that resolve to a task."""

UNVERIFIABLE_SUFFIX = "/unverifiable"


def _key(name: str) -> str:
    return name.strip().lower().translate({ord(char): None for char in " _-"})


_BY_KEY: dict[str, Task] = {}


def register(task: Task, *data_sources: str) -> None:
    """Add a task under its name and the names of the data sets that hold it; ValueError for a name already taken."""
    names = {_key(name): name for name in (task.name, *data_sources)}
    taken = [f"{name!r} (task {_BY_KEY[key].name!r})" for key, name in names.items() if key in _BY_KEY]
    if taken or "" in names:
        raise ValueError(f"cannot register task {task.name!r}, name taken or empty: {', '.join(taken) or repr('')}")
    TASKS[task.name] = task
    _BY_KEY.update(dict.fromkeys(names, task))


for _task in _ALL:
    register(_task, *_DATA_SOURCES.get(_task.name, ()))


def _find(key: str, *, whole: bool) -> Task | None:
    return _BY_KEY.get(key) or (None if whole else _BY_KEY.get(key.rpartition("/")[2]))


def resolve_task(data_source: str, extra_info: Mapping[str, Any] | None = None) -> Task:
    """The task of a row: `extra_info["task"]` if there is one, else `data_source` or what follows its last slash.

    Case, spaces, underscores and hyphens do not matter. ValueError names the nearest task and how to add one.
    """
    named = (extra_info or {}).get("task")
    name = str(named or data_source)
    key = _key(name.removesuffix(UNVERIFIABLE_SUFFIX))
    task = _find(key, whole=bool(named))
    if task is None and (modules := os.environ.get("VERL_USE_EXTERNAL_MODULES")):
        for module in modules.split(","):
            importlib.import_module(module.strip())
        task = _find(key, whole=bool(named))
    if task is None:
        near = difflib.get_close_matches(key[:200] if named else key.rpartition("/")[2][:200], _BY_KEY, n=1)
        nearest = f"nearest: {_BY_KEY[near[0]].name!r}; " if near else ""
        raise ValueError(
            f"unknown task {name[:200]!r} ({nearest}docs/tasks.md lists all). "
            "To add one: write its verifier, call reward_fns.registry.register (its docstring says where), "
            f"name it in extra_info.task; {external_modules()}"
        )
    return task


def external_modules() -> str:
    """What a message on an unknown task says of the modules that register one's own."""
    modules = os.environ.get("VERL_USE_EXTERNAL_MODULES")
    return f"VERL_USE_EXTERNAL_MODULES is {modules!r}" if modules else "VERL_USE_EXTERNAL_MODULES is not set"


def labels(data_source: str, extra_info: Mapping[str, Any] | None = None) -> tuple[str, str]:
    """Task and category that a row counts under. One of no registered task keeps the name that it has; without a
    category of its own it is in `general_vqa`."""
    extra = extra_info or {}
    try:
        task = resolve_task(data_source, extra)
    except ValueError:
        return str(extra.get("task") or data_source), str(extra.get("category") or "general_vqa")
    return task.name, str(extra.get("category") or task.category)


def verify(task: Task | str, answer: str, ground_truth: Any, info: Mapping[str, Any] | None = None) -> Verdict:
    """Judge the text of an answer (the inside of the answer tags).

    An answer of over 20,000 characters is wrong unread. ValueError for a ground truth that does not fit the task.
    """
    if isinstance(task, str):
        task = resolve_task(task)
    if len(answer) > MAX_ANSWER_CHARS:
        return wrong(f"answer over {MAX_ANSWER_CHARS} characters")
    return task.verifier(answer, ground_truth, info or {})
