"""OneThinker's training data (600,000 rows of images and videos) and its validation files.

Raw row (JSON list; paths relative to the folder of the data):
    {"problem_id": 7, "problem": "<image> Please provide the bounding box coordinate of the region …",
     "data_type": "image", "problem_type": "spatial grounding", "options": [], "data_source": "RefCOCOg",
     "answer": "<answer>{\"boxes\": [577, 232, 899, 786]}</answer>", "images": ["./train2014/COCO_1.jpg"],
     "problem_reserved_text": "Please provide …", "task_type": "spatial_grounding"}
Rows of videos have `videos` in place of `images`: paths, or one list of paths of frames a video. Validation rows lack
`options` or hold NaN. A `pass_rate` column may stand beside.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from data_prep.source import Options, Question, SetAside, Source
from reward_fns.choice import options_of, truth_letter
from reward_fns.number import truth_number

KINDS = {
    "multiple choice": "choice",
    "numerical": "number",
    "regression": "number",
    "math": "math",
    "ocr": "text",
    "open-ended": "sentences",
    "spatial grounding": "box",
    "temporal grounding": "span",
    "spatial-temporal grounding": "span_frames",
    "tracking": "frames",
    "segmentation": "segmentation",
}
"""Problem type -> kind of answer. The type is the task, too."""
JSON_KINDS = ("box", "span", "span_frames", "frames", "segmentation", "segmentation_video")

CATEGORIES = {
    "spatial_grounding": "grounding",
    "general_vqa_science_stem": "general_vqa",
    "math_reasoning": "math_vqa",
    "chart_figure_qa": "chart_vqa",
    "ocr": "document",
    "spatial_reasoning": "spatial_reasoning",
}
"""`task_type` -> category; a row without one gets the category of its problem type."""

VIDEO = {"min_pixels": 4 * 32 * 32, "max_pixels": 64 * 32 * 32}
"""Pixels of a frame, as in OneThinker's own data set class."""
SAMPLED = {"fps": 2.0, "max_frames": 128}
"""Frames taken from a video file, as there."""
FRAMES = {"sample_fps": 2.0}

_ANSWER = re.compile(r"\s*<answer>(.*)</answer>\s*", re.DOTALL)
_OPTION = re.compile(r"\(?(?P<letter>[A-Za-z])\s*[.):]\s*(?P<text>.*)", re.DOTALL)


def convert(row: Mapping[str, Any], options: Options) -> Iterator[Question]:
    problem_type = str(row["problem_type"]).strip()
    if not _wanted(problem_type, row, options):
        return
    kind = KINDS.get(problem_type.lower())
    if kind is None:
        raise SetAside("unknown problem type", problem_type)
    data_type = _data_type(row)
    video = data_type == "video"
    kind = "segmentation_video" if kind == "segmentation" and video else kind
    truth = unwrapped(row["answer"])
    choices = [str(option) for option in row.get("options") or []]
    text = str(row["problem"]).strip()
    if kind == "choice":
        text = _with_options(text, choices, truth)
    images, videos = ((), row["videos"]) if video else (() if data_type == "text" else row["images"], ())
    text = re.sub(r"[ \t]*(<(?:image|video)>)[ \t]*", r"\1", text)
    info: dict[str, Any] = {"data_type": "video" if video else "image", "problem_type": problem_type}
    if choices:
        info["options"] = choices
    if source := row.get("data_source"):
        info["source"] = str(source)
    yield Question(
        text=text, kind=kind, ground_truth=_checked(truth, kind, choices), info=info, task=problem_type, images=images,
        videos=[{"video": each, **VIDEO, **(FRAMES if isinstance(each, list) else SAMPLED)} for each in videos],
        category=CATEGORIES.get(str(row.get("task_type") or "").strip().lower()),
    )  # fmt: skip


def _wanted(problem_type: str, row: Mapping[str, Any], options: Options) -> bool:
    if options.types and problem_type.lower() not in {name.strip().lower() for name in options.types}:
        return False
    if options.pass_rate is None:
        return True
    low, high = options.pass_rate
    rate = row["pass_rate"]
    return rate is not None and low <= float(rate) <= high


def _data_type(row: Mapping[str, Any]) -> str:
    found = str(row.get("data_type") or ("video" if row.get("videos") else "image")).strip().lower()
    if found not in ("image", "video", "text"):
        raise SetAside("unknown data type", found)
    return found


def unwrapped(answer: Any) -> str:
    """The inside of the answer tags; SetAside if it is empty."""
    match = _ANSWER.fullmatch(str(answer or ""))
    text = (match[1] if match else str(answer or "")).strip()
    if not text or "<answer>" in text:
        raise SetAside("no single answer", str(answer)[:200])
    return text


def _with_options(text: str, choices: list[str], truth: str) -> str:
    """The question with its options, unless all stand in it already, behind their letters."""
    letters = {choice.strip()[:1].upper() for choice in choices}
    if choices and truth.upper() not in letters:
        raise SetAside("the answer is not an option", f"{truth[:80]} of {', '.join(choices)[:200]}")
    if not choices or all(_stands_in(choice.strip(), text) for choice in choices):
        return text
    return "\n".join([text, "Options:", *choices])


def _stands_in(choice: str, text: str) -> bool:
    """Whether an option is one of the question's: its words alone may be part of the wording (linear or nonlinear?)."""
    option = _OPTION.fullmatch(choice)
    if option is None:
        return choice in text
    return bool(re.search(rf"\b{option['letter']}\s*[.):]\s*{re.escape(option['text'])}(?!\w)", text))


def _checked(truth: str, kind: str, choices: list[str]) -> Any:
    """Answers that are JSON as objects, without spaces and order of their own; SetAside for one that does not fit."""
    if kind in ("choice", "number"):
        try:
            truth_letter(truth, options_of({"options": choices})) if kind == "choice" else truth_number(truth)
        except ValueError as error:
            raise SetAside(f"the answer is not a {'letter' if kind == 'choice' else 'number'}", truth[:200]) from error
    if kind not in JSON_KINDS:
        return truth
    try:
        value = json.loads(truth)
    except ValueError as error:
        raise SetAside("the answer is not JSON", f"{truth[:200]}: {error}") from error
    if not isinstance(value, dict):
        raise SetAside("the answer is not an object", truth[:200])
    return value


def _identify(row: Mapping[str, Any]) -> str | None:
    """Problem ids count anew in every source of the mixture."""
    if row.get("problem_id") is None:
        return None
    return f"{row.get('data_source')} {row.get('problem_type')} {row['problem_id']} {row.get('images')}"


SOURCE = Source(
    name="onethinker",
    title="OneThinker's training data (OneThink/OneThinker-train-data, unpacked), eleven types of problem",
    splits=("train", "val"),
    convert=convert,
    files=("onethinker_rl_{split}.json", "onethinker_sample_{split}.json", "sample_{split}_*.json"),
    identify=_identify,
)
