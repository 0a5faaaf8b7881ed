from __future__ import annotations

import pytest

from reward_fns.registry import TASKS, resolve_task, verify


@pytest.mark.parametrize("name", ["bar_value", "Bar-Value", "BAR VALUE", "offline/bar_value", "bar_value/unverifiable"])
def test_names_resolve_whatever_their_spelling(name: str) -> None:
    assert resolve_task(name).name == "bar_value"


def test_the_task_of_the_row_wins_over_its_source() -> None:
    assert resolve_task("offline/arithmetic", {"task": "digit_sum"}).name == "digit_sum"


@pytest.mark.parametrize(("source", "extra"), [("offline/bar_valu", None), ("offline/bar_value", {"task": "bar_valu"})])
def test_unknown_tasks_name_the_nearest_and_the_fix(source: str, extra: dict[str, str] | None) -> None:
    with pytest.raises(ValueError, match=r"nearest: 'bar_value'.*registry\.py"):
        resolve_task(source, extra)


def test_names_stay_apart_when_folded() -> None:
    from reward_fns.registry import _key

    assert len({_key(name) for name in TASKS}) == len(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_categories_and_structure(name: str) -> None:
    task = TASKS[name]
    assert task.category in {"general_vqa", "math_vqa", "chart_vqa", "spatial_reasoning", "document", "grounding"}
    assert task.source
    assert task.structured is (task.structure is not None)


def test_a_huge_answer_is_wrong_unread() -> None:
    verdict = verify("field_read", "a" * 20_001, "a")
    assert (verdict.official, verdict.reward) == (0.0, 0.0)
    assert "characters" in verdict.note
