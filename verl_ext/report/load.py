"""A RUN of the command line, whatever it is, and a name for each of several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from verl_ext.report import trackers
from verl_ext.report.run import Run, load_run


def load(path: Path) -> Run:
    """Read a run folder, a folder of TensorBoard's event files or an exported history. ValueError if it is neither."""
    if path.is_file():
        return trackers.load_wandb(path)
    own = (path / "metrics.jsonl").is_file() or (path / "validation").is_dir()
    if not own and next(path.rglob(trackers.EVENTS), None):
        return trackers.load_tensorboard(path)
    return load_run(path)


def load_all(paths: Sequence[Path]) -> list[Run]:
    """Read several runs, each with a label that no other has."""
    runs = [load(path) for path in paths]
    for run, label in zip(runs, labels([run.path for run in runs], [run.label for run in runs]), strict=True):
        run.label = label
    return runs


def labels(paths: Sequence[Path], names: Sequence[str]) -> list[str]:
    """The names, with as many folders before those that are shared as tell them apart, else with numbers."""
    found = list(names)
    for depth in range(1, max((len(path.resolve().parts) for path in paths), default=1)):
        shared = {name for name, count in Counter(found).items() if count > 1}
        if not shared:
            return found
        for index, path in enumerate(paths):
            folders = path.resolve().parent.parts[1:]
            if found[index] in shared and depth <= len(folders):
                found[index] = "/".join([*folders[-depth:], names[index]])
    taken: set[str] = set()
    for index, name in enumerate(found):
        number = 1
        while found[index] in taken:
            number += 1
            found[index] = f"{name} ({number})"
        taken.add(found[index])
    return found
