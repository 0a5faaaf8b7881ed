from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reward_fns import registry
from reward_fns.registry import TASKS, Task, labels, register, resolve_task, verify
from reward_fns.text import verify_word


@pytest.mark.parametrize("name", ["bar_value", "Bar-Value", "BAR VALUE", "offline/bar_value", "bar_value/unverifiable"])
def test_names_resolve_whatever_their_spelling(name: str) -> None:
    assert resolve_task(name).name == "bar_value"


def test_the_task_of_the_row_wins_over_its_source() -> None:
    assert resolve_task("offline/arithmetic", {"task": "digit_sum"}).name == "digit_sum"


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"task": "numerical"}, ("numerical", "chart_vqa")),
        ({"task": "Numerical", "category": "math_vqa"}, ("numerical", "math_vqa")),
        ({"task": "birds"}, ("birds", "general_vqa")),
        ({"category": "document"}, ("own/set", "document")),
    ],
)
def test_what_a_row_counts_under(extra: dict[str, str], expected: tuple[str, str]) -> None:
    assert labels("own/set", extra) == expected


@pytest.mark.parametrize(
    ("source", "extra"), [("a/long/folder/bar_valu", None), ("offline/bar_value", {"task": "bar_valu"})]
)
def test_unknown_tasks_name_the_nearest_and_the_fix(source: str, extra: dict[str, str] | None) -> None:
    with pytest.raises(ValueError, match=r"nearest: 'bar_value'.*registry\.register"):
        resolve_task(source, extra)


@pytest.mark.parametrize(("modules", "said"), [("", "is not set"), ("json", "is 'json'")])
def test_a_task_like_none_names_no_nearest_but_where_ones_own_come_from(
    monkeypatch: pytest.MonkeyPatch, modules: str, said: str
) -> None:
    monkeypatch.setenv("VERL_USE_EXTERNAL_MODULES", modules)
    with pytest.raises(ValueError, match=f"VERL_USE_EXTERNAL_MODULES {said}") as caught:
        resolve_task("my/birds", {"task": "wingspan"})
    assert "nearest" not in str(caught.value)


def test_names_stay_apart_when_folded() -> None:
    from reward_fns.registry import _key

    assert len({_key(name) for name in TASKS}) == len(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_categories(name: str) -> None:
    task = TASKS[name]
    assert task.category in {"general_vqa", "math_vqa", "chart_vqa", "spatial_reasoning", "document", "grounding"}
    assert task.source


def test_a_huge_answer_is_wrong_unread() -> None:
    verdict = verify("field_read", "a" * 20_001, "a")
    assert (verdict.official, verdict.reward) == (0.0, 0.0)
    assert "characters" in verdict.note


@pytest.mark.parametrize(
    ("source", "task"),
    [
        ("MMMU_DEV_VAL", "mmmu"),
        ("MMBench_DEV_EN", "mmbench"),
        ("MMBench_DEV_EN_V11", "mmbench"),
        ("MMStar", "mmstar"),
        ("Lin-Chen/MMStar", "mmstar"),
        ("MathVista_MINI", "mathvista"),
        ("AI4Math/MathVista", "mathvista"),
        ("MathVerse_MINI_Vision_Only", "mathverse"),
        ("CaraJ/MathVerse-lmmseval", "mathverse"),
        ("MathVision", "mathvision"),
        ("MathLLMs/MathVision", "mathvision"),
        ("AI2D_TEST_NO_MASK", "ai2d"),
        ("ChartQA_TEST", "chartqa"),
        ("CharXiv_reasoning_val", "charxiv"),
        ("princeton-nlp/CharXiv", "charxiv"),
        ("EmbSpatialBench", "embspatial"),
        ("FlagEval/EmbSpatial-Bench", "embspatial"),
        ("RefSpatial", "refspatial"),
        ("BAAI/RefSpatial-Bench", "refspatial"),
        ("JingkunAn/RefSpatial-Expand-Bench", "refspatial"),
        ("RoboSpatialHome", "robospatial"),
        ("chanhee-luke/RoboSpatial-Home", "robospatial"),
        ("DocVQA_VAL", "docvqa"),
        ("InfoVQA_VAL", "infovqa"),
        ("echo840/OCRBench", "ocrbench"),
        ("RefCOCO", "refcoco"),
        ("mjuicem/RefCOCO-VLMEvalKit", "refcoco"),
        ("lmms-lab/RefCOCOplus", "refcoco+"),
        ("lmms-lab-encoder/RefCOCOg", "refcocog"),
        ("spatial-temporal grounding", "spatial_temporal_grounding"),
    ],
)
def test_names_of_data_sets(source: str, task: str) -> None:
    assert resolve_task(source).name == task


def test_a_task_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "TASKS", dict(TASKS))
    monkeypatch.setattr(registry, "_BY_KEY", dict(registry._BY_KEY))
    task = Task("bird_name", "general_vqa", verify_word, "word", "own")
    register(task, "CUB_200")
    assert resolve_task("someone/cub-200") is resolve_task("x", {"task": "Bird Name"}) is task
    with pytest.raises(ValueError, match=r"'bird_name' \(task 'bird_name'\)"):
        register(task)
    with pytest.raises(ValueError, match=r"'MathVista MINI' \(task 'mathvista'\)"):
        register(Task("other", "general_vqa", verify_word, "word", "own"), "MathVista MINI")
    assert "other" not in registry.TASKS


def test_a_module_of_ones_own_is_imported_when_its_task_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(registry, "TASKS", dict(TASKS))
    monkeypatch.setattr(registry, "_BY_KEY", dict(registry._BY_KEY))
    (tmp_path / "tasks_of_ones_own.py").write_text(
        "from reward_fns.registry import Task, register\n"
        "from reward_fns.text import verify_word\n"
        "register(Task('fish_name', 'general_vqa', verify_word, 'word', 'own'))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("VERL_USE_EXTERNAL_MODULES", "tasks_of_ones_own")
    assert resolve_task("mmmu").name == "mmmu"
    assert "tasks_of_ones_own" not in sys.modules
    assert resolve_task("fish_name").name == "fish_name"
