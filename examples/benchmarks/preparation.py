"""Rows per second and memory of `python -m data_prep prepare`, beside `datasets.map` doing the same the obvious way.

    python examples/benchmarks/preparation.py [--rows 1000 10000] [--workers 2] [--only ours|map]

The rows are ChartQA's, with JPEG images of their own: three of four 800 x 600, one of four 1600 x 1200, which the pixel
limit reduces. Memory is the anonymous memory of all processes together, without the files that they have mapped.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

MAX_PIXELS = 1_048_576
SIZES = ((800, 600), (800, 600), (800, 600), (1600, 1200))


def make_input(path: Path, rows: int) -> None:
    """ChartQA's schema, a row group per 100 rows."""
    rng = np.random.default_rng(0)
    bases = []
    for width, height in SIZES * 4:
        coarse = rng.integers(0, 255, (height // 20, width // 20, 3), dtype=np.uint8)
        buffer = BytesIO()
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(
            buffer, format="JPEG", quality=85
        )
        bases.append(buffer.getvalue())
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("type", pa.string()), ("question", pa.string()), ("answer", pa.string()), ("image", image)])
    with pq.ParquetWriter(path, schema, compression="none") as writer:
        for start in range(0, rows, 100):
            writer.write_table(
                pa.Table.from_pylist([_row(bases, at) for at in range(start, start + 100)], schema=schema)
            )


def _row(bases: list[bytes], at: int) -> dict[str, object]:
    # A comment of its own makes every image a file of its own.
    image = b"\xff\xd8\xff\xfe\x00\x0a" + f"{at:08}".encode() + bases[at % len(bases)][2:]
    return {"type": "human_test", "question": f"What is the value of bar {at}?", "answer": str(at),
            "image": {"bytes": image, "path": f"{at}.jpg"}}  # fmt: skip


def with_map(folder: Path, out: Path, workers: int) -> None:
    """What one writes without data_prep."""
    import datasets

    def convert(example: dict, index: int) -> dict:
        image = example["image"]
        if image.width * image.height > MAX_PIXELS:
            factor = (MAX_PIXELS / (image.width * image.height)) ** 0.5
            image = image.resize((int(image.width * factor), int(image.height * factor)))
        return {
            "data_source": "chartqa",
            "prompt": [{"role": "user", "content": f"<image>{example['question']} Think, then answer."}],
            "images": [image],
            "ability": "chart_vqa",
            "reward_model": {"style": "rule", "ground_truth": example["answer"]},
            "extra_info": {"task": "chartqa", "category": "chart_vqa", "index": index, "info": "{}"},
        }

    rows = datasets.load_dataset("parquet", data_files=str(folder / "*.parquet"), cache_dir=str(out / "cache"))["train"]
    rows = rows.cast_column("image", datasets.Image())
    rows = rows.map(convert, with_indices=True, num_proc=workers, remove_columns=rows.column_names)
    rows.to_parquet(str(out / "test.parquet"))


def measure(command: list[str]) -> tuple[float, float, float]:
    """(seconds, CPU seconds, highest sum of anonymous memory in MB) of a command and its children."""
    start, used, peak = time.perf_counter(), _cpu(), 0
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while process.poll() is None:
        peak = max(peak, _anonymous(process))
        time.sleep(0.1)
    if process.returncode:
        sys.exit(process.stderr.read().decode())
    return time.perf_counter() - start, _cpu() - used, peak / 1e6


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def _anonymous(process: psutil.Process) -> int:
    total = 0
    for each in [process, *process.children(recursive=True)]:
        try:
            status = Path(f"/proc/{each.pid}/status").read_text()
            total += next((int(line.split()[1]) << 10 for line in status.splitlines() if "RssAnon" in line), 0)
        except (OSError, psutil.Error):
            continue
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000], help="multiples of 100 (default 1000)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=("ours", "map"))
    parser.add_argument("--map", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.map:
        return with_map(*options.map, options.workers)
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name, "input")
            folder.mkdir()
            make_input(folder / "test-00000-of-00001.parquet", rows)
            size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
            workers = ["--workers", str(options.workers)]
            commands = {
                "ours": ["-m", "data_prep", "prepare", "chartqa", "--split", "test", "--input", str(folder), *workers,
                         "--out", str(Path(name, "ours"))],
                "map": [__file__, "--map", str(folder), str(Path(name, "map")), *workers],
            }  # fmt: skip
            Path(name, "map").mkdir()
            took: dict[str, float] = {}
            cpu: dict[str, float] = {}
            for label, command in commands.items():
                if options.only in (None, label):
                    took[label], cpu[label], peak = measure([sys.executable, *command])
                    written = Path(name, label, "test.parquet").stat().st_size / 1e6
                    speed = f"{took[label]:8.1f} s {cpu[label]:8.1f} s CPU {rows / took[label]:7.0f} rows/s"
                    sizes = f"memory {peak:6.0f} MB  file {written:6.0f} MB"
                    print(f"{rows:>8,} rows, {size:7.0f} MB  {label:<5}{speed}  {sizes}", flush=True)
            if len(took) == 2:
                times, work = (each["map"] / each["ours"] for each in (took, cpu))
                print(f"{rows:>8,} rows: datasets.map takes {times:.1f} times as long, {work:.1f} times the CPU")


if __name__ == "__main__":
    main()
