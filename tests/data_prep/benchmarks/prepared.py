"""All 18 benchmarks, OneThinker and the offline set: a few rows of each, prepared through the command line."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "verl_ext"))
import pyarrow.parquet as pq
import raw_rows_a
import raw_rows_b
from PIL import Image
from test_onethinker import FRAMES, ROWS, raw
from video_clip import write as write_clip

from data_prep.__main__ import main

BENCHMARKS = (
    *("mmmu", "mmbench", "mmstar", "mathvista", "mathverse", "mathvision", "ai2d", "chartqa", "charxiv"),
    *("embspatial", "refspatial", "robospatial", "docvqa", "infovqa", "ocrbench", "refcoco", "refcoco+", "refcocog"),
)
PIXELS = 128 * 128
"""To which images are brought: 16 visual tokens."""
WHOLE = ("mmmu", "onethinker")
"""All rows of these go into the mixture: several images, none, videos; of the others one."""
TEXT_ROW = {**raw(13, "math", "7"), "problem": "How much is 3 + 4?", "data_type": "text", "images": None}


def prepare_all(root: Path) -> dict[str, Path]:
    """The parquet file of each of `BENCHMARKS`, from its first form, of `onethinker`, and of `offline`.

    OneThinker's rows have an image, nothing beside the text, or a video, as a file or as frames.
    """
    files = {}
    for form in (*raw_rows_a.FORMS, *raw_rows_b.FORMS):
        if form.benchmark not in files:
            source = form.write(root / "raw" / form.benchmark)
            files[form.benchmark] = _prepare(form.benchmark, source, root / form.benchmark, form.split)
    source = _write_onethinker(root / "raw" / "onethinker")
    files["onethinker"] = _prepare("onethinker", source, root / "onethinker", "train")
    offline = ("prepare", "offline", "--out", str(root / "offline"), "--workers", "1", "--train", "96", "--val", "12")
    assert main([*offline]) == 0
    return {**files, "offline": root / "offline" / "train.parquet"}


def mix_all(files: dict[str, Path], out: Path) -> Path:
    """The mixture as a parquet file."""
    taken = {name: pq.read_metadata(files[name]).num_rows for name in WHOLE}
    sources = [f"{name}={path}:{taken.get(name, 1)}rows" for name, path in files.items()]
    assert main(["mix", *sources, "--out", str(out)]) == 0
    return out / "train.parquet"


def _prepare(name: str, source: Path, out: Path, split: str) -> Path:
    pixels = ("--min-pixels", str(PIXELS), "--max-pixels", str(PIXELS))
    arguments = ("--input", str(source), "--out", str(out), "--split", split, "--workers", "1", *pixels)
    assert main(["prepare", name, *arguments]) == 0
    return out / f"{split}.parquet"


def _write_onethinker(folder: Path) -> Path:
    for number, name in enumerate(("images/a.png", *FRAMES)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 80), (40 * number, 90, 200)).save(path)
    write_clip(folder / "a.mp4")
    (folder / "onethinker_rl_train.json").write_text(json.dumps([*ROWS, TEXT_ROW]))
    return folder
