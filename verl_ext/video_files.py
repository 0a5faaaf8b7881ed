"""Frames of a video file by PyAV, which qwen-vl-utils always installs: its own reader where nothing faster is there.

qwen-vl-utils 0.0.14 takes torchcodec or decord where installed; what it falls back to, `torchvision.io.read_video`, is
no longer part of torchvision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import av
import numpy as np
import torch


def read_video(video: Mapping[str, Any]) -> tuple[torch.Tensor, dict[str, Any], float]:
    """Frames (time, 3, height, width; 0-255) of `video["video"]`, what is known of them, and their rate per second.

    `video` may have `fps` or `nframes`, `min_frames`, `max_frames`, `video_start`, `video_end` (qwen-vl-utils' rules).
    """
    path = str(video["video"])
    try:
        return _read(path, dict(video))
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        fix = "Convert it (ffmpeg -i FILE -c:v libx264 OUT.mp4) or leave its rows out"
        raise ValueError(f"video {path} cannot be read: {error}. {fix}") from error


def _read(path: str, rules: dict[str, Any]) -> tuple[torch.Tensor, dict[str, Any], float]:
    from qwen_vl_utils.vision_process import calculate_video_frame_range, smart_nframes

    rate, count = _rate_and_count(path)
    first, last, within = calculate_video_frame_range(rules, count, rate)
    taken = smart_nframes(rules, total_frames=within, video_fps=rate)
    indices = np.linspace(first, last, taken).round().astype(int).tolist()
    frames = _frames(path, indices)
    about = {"fps": rate, "frames_indices": indices, "total_num_frames": within, "video_backend": "pyav"}
    return torch.from_numpy(frames).permute(0, 3, 1, 2), about, taken / within * rate


def _rate_and_count(path: str) -> tuple[float, int]:
    with av.open(path) as container:
        if not container.streams.video:
            raise ValueError("it has no pictures")
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
        count = stream.frames or sum(packet.size > 0 for packet in container.demux(stream))
    if not rate or not count:
        raise ValueError(f"it has {count} frames at {rate} per second")
    return float(rate), count


def _frames(path: str, indices: list[int]) -> np.ndarray:
    """The frames of rising `indices` (time, height, width, 3); one that is asked for twice comes twice."""
    wanted, found = set(indices), {}
    with av.open(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        for index, frame in enumerate(container.decode(video=0)):
            if index in wanted:
                found[index] = frame.to_ndarray(format="rgb24")
            if index == indices[-1]:
                break
    if missing := [index for index in indices if index not in found]:
        raise ValueError(f"frame {missing[0]} is not in it")
    return np.stack([found[index] for index in indices])
