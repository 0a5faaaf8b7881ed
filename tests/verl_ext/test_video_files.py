"""Video files without torchcodec and decord."""

import pytest
import torch
import torchvision
import verl  # noqa: F401  whose plug-in puts our reader in place
from qwen_vl_utils import process_vision_info, vision_process
from video_clip import RATE, write

from verl_ext.video_files import read_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write(tmp_path_factory.mktemp("videos") / "clip.mp4")


def shown(frames: torch.Tensor) -> list[int]:
    """The index of each frame, from its brightness."""
    return (frames.float().mean(dim=(1, 2, 3)) / 10).round().int().tolist()


@pytest.mark.parametrize(
    ("rules", "indices", "sample_fps"),
    [
        ({"fps": 2.0, "min_frames": 2}, [0, 6, 13, 19], 2.0),
        ({"nframes": 6}, [0, 4, 8, 11, 15, 19], 3.0),
        ({"fps": 10.0, "max_frames": 4}, [0, 6, 13, 19], 2.0),
        ({"nframes": 2, "video_start": 0.5, "video_end": 1.0}, [5, 10], 2 / 6 * RATE),
    ],
)
def test_frames_follow_the_rules(clip, rules, indices, sample_fps):
    frames, about, rate = read_video({"video": clip, **rules})
    assert frames.shape == (len(indices), 3, 64, 64)
    assert shown(frames) == about["frames_indices"] == indices
    assert rate == pytest.approx(sample_fps)
    assert about["fps"] == RATE


@pytest.mark.parametrize("suffix", ["mp4", "avi", "mkv", "webm"])
def test_containers(tmp_path, suffix):
    path = write(tmp_path / f"clip.{suffix}", codec="libvpx" if suffix == "webm" else "mpeg4")
    assert shown(read_video({"video": path, "nframes": 4})[0]) == [0, 6, 13, 19]


def failing(video):
    raise RuntimeError("torchcodec without FFmpeg's libraries")


@pytest.mark.parametrize("reader", ["torchvision", "torchcodec"])
def test_verl_reads_a_file_this_way(clip, monkeypatch, reader):
    monkeypatch.setattr(vision_process, "get_video_reader_backend", lambda: reader)
    monkeypatch.setitem(vision_process.VIDEO_READER_BACKENDS, "torchcodec", failing)
    content = [{"type": "video", "video": clip, "fps": 2.0, "min_pixels": 4096, "max_pixels": 4096}]
    messages = [{"role": "user", "content": content}]
    _, [(frames, about)] = process_vision_info(messages, image_patch_size=16, return_video_metadata=True)
    assert frames.shape == (4, 3, 64, 64)
    assert about["video_backend"] == "pyav"


def test_video_files_patch_is_still_needed():
    assert not hasattr(torchvision.io, "read_video")


def broken(path) -> str:
    path.write_bytes(b"no video")
    return str(path)


def cut(path) -> str:
    whole = write(path)
    with open(whole, "r+b") as file:
        file.truncate(700)
    return whole


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (str, "No such file"),
        (broken, "Invalid data"),
        (cut, "Invalid data"),
        (lambda path: write(path, frames=1), "nframes"),
    ],
    ids=["missing", "not a video", "cut", "one frame"],
)
def test_errors_name_the_file_and_what_to_do(tmp_path, make, reason):
    path = make(tmp_path / "clip.mp4")
    with pytest.raises(ValueError, match=rf"clip\.mp4 cannot be read: .*{reason}.* or leave its rows out"):
        read_video({"video": path, "fps": 2.0})
