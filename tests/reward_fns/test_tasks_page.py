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


BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE.partition("## A task of your own")[2], re.DOTALL)
MODULE, TRY, PRINTED, MAKE_ROWS, COMMANDS = (block for _, block in BLOCKS[:5])


def run(folder: Path, *command: str) -> str:
    path = os.pathsep.join([str(folder), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "VERL_USE_EXTERNAL_MODULES": "my_tasks"}
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_tutorial_prints_what_it_says(tmp_path: Path) -> None:
    """Without `import verl`: that verl imports the module is verl's promise, and takes seconds."""
    (tmp_path / "my_tasks.py").write_text(MODULE)
    script = TRY.partition("<<'END'\n")[2].partition("END\n")[0].replace("import verl\n", "")
    assert run(tmp_path, "-c", script) == PRINTED


def test_the_rows_of_the_tutorial_have_nothing_wrong(tmp_path: Path) -> None:
    (tmp_path / "my_tasks.py").write_text(MODULE)
    (tmp_path / "make_rows.py").write_text(MAKE_ROWS)
    commands = [line.partition("#")[0].split()[1:] for line in COMMANDS.splitlines()]
    printed = [run(tmp_path, *command) for command in commands]
    assert "nothing wrong" in printed[1]
    assert "degrees" in (tmp_path / "view.html").read_text()
