"""Videos stay where they are; a row holds the paths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep.source import SetAside


def checked_video(video: Any, roots: tuple[str, ...] = ()) -> Any:
    """A path, a list of paths of frames, or an object that holds one of them as `video`, with absolute paths.

    SetAside for a file that is not there.
    """
    if isinstance(video, Mapping):
        return {**video, "video": checked_video(video.get("video"), roots)}
    if isinstance(video, list | tuple):
        if not video:
            raise SetAside("video has no frames")
        return [_found(frame, roots) for frame in video]
    return _found(video, roots)


def _found(path: Any, roots: tuple[str, ...]) -> str:
    if not isinstance(path, str | Path) or not str(path):
        raise SetAside("video is missing", f"got {type(path).__name__}")
    for root in roots or ("",):
        if Path(root, path).is_file():
            return str(Path(root, path).absolute())
    raise SetAside("video file is missing", f"{str(path)[:200]} in {', '.join(roots) or '.'}")
