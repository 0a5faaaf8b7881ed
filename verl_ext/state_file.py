"""What we keep in a checkpoint: one JSON file, whole or not there. JSON brings Python floats back bit for bit."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def save(path: Path, state: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def load(path: Path) -> dict[str, Any]:
    """ValueError where the file is not what `save` wrote."""
    try:
        state = json.loads(path.read_text())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        state = error
    if not isinstance(state, dict):
        problem = state if isinstance(state, Exception) else f"it holds {type(state).__name__}, not an object"
        raise ValueError(
            f"{path} is damaged ({problem}): resume from another checkpoint (trainer.resume_mode=resume_path "
            "trainer.resume_from_path=…/global_step_N), or delete the file, and estimators and controllers start anew"
        )
    return state
