"""docs/tasks.md: names every task, its tables are what the command prints, and its tutorial works as written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_reward_curves import curves

from reward_fns.registry import TASKS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_there(task: str) -> None:
    assert f"`{task}`" in PAGE


@pytest.mark.parametrize("curve", curves.CURVES, ids=lambda curve: f"{curve.task}, {curve.fault}")
def test_tables_are_what_the_command_prints(curve: object) -> None:
    assert curves.table(curve) in PAGE, "put the output of examples/benchmarks/reward_curves.py into docs/tasks.md"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"(?:tests|examples)/\w+/\w+\.py", PAGE))))
def test_commands_exist(path: str) -> None:
    assert (ROOT / path).is_file()


def test_the_tutorial_prints_what_it_says(tmp_path: Path) -> None:
    """With the module imported by hand: that verl imports it is verl's promise, and takes seconds."""
    block = dict(re.findall(r"```(\w*)\n(.*?)```", PAGE.partition("## A task of your own")[2], re.DOTALL))
    (tmp_path / "my_tasks.py").write_text(block["python"])
    script = block["bash"].partition("<<'END'\n")[2].partition("END\n")[0].replace("import verl", "import my_tasks")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert run.stdout == block[""], run.stderr
