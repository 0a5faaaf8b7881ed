"""A small video file: frame k is grey of brightness 10 k."""

from pathlib import Path

import av
import numpy as np

FRAMES, RATE = 20, 10


def write(path: Path, frames: int = FRAMES, codec: str = "mpeg4") -> str:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for index in range(frames):
            picture = np.full((64, 64, 3), 10 * index, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return str(path)
