"""What the pages in docs/ name is there: settings, metrics, questions in order."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from verl_ext.doctor.__main__ import compose_run
from verl_ext.metrics import METRICS, SHAPING_METRICS

ROOT = Path(__file__).parents[2]
PAGES = {path.name: path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
QUESTIONS = PAGES["troubleshooting.md"]


def names(tree: Any, path: str = "") -> Iterator[str]:
    """Full names of all keys, and every shorter one that ends like them, as pages write them."""
    for key, value in tree.items():
        full = f"{path}.{key}" if path else str(key)
        parts = full.split(".")
        yield from (".".join(parts[start:]) for start in range(len(parts)))
        if isinstance(value, dict):
            yield from names(value, full)


@pytest.fixture(scope="module")
def settings() -> set[str]:
    return set(names(OmegaConf.to_container(compose_run([]), resolve=False)))


@pytest.mark.parametrize("page", PAGES)
def test_settings_with_a_value_exist(page: str, settings: set[str]) -> None:
    text = "\n".join(re.findall(r"`+([^`]+)`+", PAGES[page]))
    named = re.findall(r"(?:^|[\s'\"])([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+)=", text, re.MULTILINE)
    assert [name for name in named if name not in settings] == []


def test_the_questions_are_numbered_and_at_least_25() -> None:
    numbers = [int(number) for number in re.findall(r"^\*\*(\d+)\. ", QUESTIONS, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 25


def test_the_metrics_of_tasks_exist() -> None:
    named = re.findall(r"(?<!val/)task/<t>/([\w/]+)", QUESTIONS)
    assert named and [name for name in named if name not in {*METRICS, *SHAPING_METRICS}] == []
