"""A RUN of the command line, whatever it is, and a name for each of several."""

from __future__ import annotations

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
    """The names, with as many folders before those that are shared as tell them apart; numbers for the same path."""
    known = {path.resolve(): name for path, name in zip(paths, names, strict=True)}
    found = dict(known)
    for depth in range(1, max(len(path.parts) for path in known)):
        shared = [path for path in known if list(found.values()).count(found[path]) > 1]
        for path in shared:
            found[path] = "/".join([*path.parent.parts[1:][-depth:], known[path]])
    taken: list[str] = []
    for path in paths:
        label, number = found[path.resolve()], 1
        while label in taken:
            number += 1
            label = f"{found[path.resolve()]} ({number})"
        taken.append(label)
    return taken
