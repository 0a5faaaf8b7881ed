"""`stats`: what prepared files hold, in counts and quantiles."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from data_prep.dataset_files import open_prepared, parquet_files, read_batches
from reward_fns.registry import UNVERIFIABLE_SUFFIX

HELP = "count what prepared files hold: tasks, image sizes, prompt lengths, kinds of truths"

QUANTILES = {"min": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "max": 1.0}
NUMBERS = ("image width", "image height", "images per row", "videos per row", "prompt characters")
_LETTER = re.compile(r"[A-Z]")
_NUMBER = re.compile(r"[-+]?[0-9][0-9,]*(?:\.[0-9]+)?%?")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m data_prep stats`."""
    parser.epilog = "Exit codes: 0 done, 2 wrong usage or input."
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="parquet file, or folder with some")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(arguments: argparse.Namespace) -> int:
    counts = count_files([path for given in arguments.files for path in parquet_files(given)])
    print(json.dumps(counts.as_json(), indent=2, ensure_ascii=False) if arguments.json else counts.as_text())
    return 0


@dataclass
class Counts:
    """Tables of counts; their size is that of the different values, not of the files."""

    rows: int = 0
    unverifiable: int = 0
    unreadable_images: int = 0
    names: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in ("data_source", "category", "task", "ground_truth")}
    )
    numbers: dict[str, Counter[int]] = field(default_factory=lambda: {name: Counter() for name in NUMBERS})

    def add(self, row: Mapping[str, Any]) -> None:
        extra = row["extra_info"]
        self.rows += 1
        self.unverifiable += row["data_source"].endswith(UNVERIFIABLE_SUFFIX)
        kind = truth_kind(row["reward_model"]["ground_truth"])
        values = (row["data_source"], extra["category"], extra["task"], kind)
        for counter, value in zip(self.names.values(), values, strict=True):
            counter[value] += 1
        self.numbers["images per row"][len(row["images"] or [])] += 1
        self.numbers["videos per row"][len(row["videos"] or [])] += 1
        self.numbers["prompt characters"][sum(len(message["content"]) for message in row["prompt"])] += 1
        for image in row["images"] or []:
            self._add_size(image)

    def _add_size(self, image: Mapping[str, Any]) -> None:
        """From the header: the image is not decoded."""
        try:
            with Image.open(BytesIO(image["bytes"]) if image["bytes"] else image["path"]) as opened:
                width, height = opened.size
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            self.unreadable_images += 1
            return
        self.numbers["image width"][width] += 1
        self.numbers["image height"][height] += 1

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "unverifiable": self.unverifiable,
            "unreadable_images": self.unreadable_images,
            **{name: dict(counter.most_common()) for name, counter in self.names.items()},
            **{name.replace(" ", "_"): quantiles(counter) for name, counter in self.numbers.items()},
        }

    def as_text(self) -> str:
        whole = max(self.rows, 1)
        lines = [f"{self.rows} rows, {self.unverifiable} unverifiable ({100 * self.unverifiable / whole:.1f} %)"]
        lines += [f"{self.unreadable_images} images that cannot be read"] if self.unreadable_images else []
        for title, counter in self.names.items():
            lines += ["", title.replace("_", " ")]
            lines += [f"  {name:<34}{n:>9} {100 * n / whole:>6.1f} %" for name, n in counter.most_common()]
        lines += ["", f"{'':<36}{''.join(f'{name:>9}' for name in QUANTILES)}"]
        for name, numbers in self.numbers.items():
            cells = quantiles(numbers)
            lines.append(
                f"{name:<36}{''.join(f'{cells[each]:>9}' for each in QUANTILES)}" if cells else f"{name}: none"
            )
        return "\n".join(lines)


def quantiles(counter: Mapping[int, int]) -> dict[str, int]:
    """The values at QUANTILES (the smallest that at least this share does not exceed); {} of nothing."""
    whole, found = sum(counter.values()), {}
    for name, share in QUANTILES.items() if whole else ():
        seen = 0
        for value in sorted(counter):
            seen += counter[value]
            if seen >= max(share * whole, 1):
                found[name] = value
                break
    return found


def truth_kind(truth: str) -> str:
    """What a ground truth looks like: letter, yes or no, number, text, list of texts, box, polygon, mask, or the keys
    of its JSON object."""
    text = truth.strip()
    if _LETTER.fullmatch(text):
        return "letter"
    if text.lower() in ("yes", "no"):
        return "yes or no"
    if _NUMBER.fullmatch(text):
        return "number"
    try:
        value = json.loads(text) if text[:1] in ("[", "{") else None
    except ValueError:
        value = None
    if isinstance(value, dict):
        return "mask" if {"size", "counts"} <= set(value) else f"object: {', '.join(sorted(value))}"[:60]
    if not isinstance(value, list) or not value:
        return "text"
    if all(isinstance(item, str) for item in value):
        return "list of texts"
    if all(isinstance(item, list) for item in value):
        return "polygon"
    return "box" if len(value) == 4 else "list"


def count_files(files: list[Path]) -> Counts:
    """Count all rows of the files."""
    counts, opened = Counts(), {path: open_prepared(path) for path in files}
    total = sum(file.metadata.num_rows for file in opened.values())
    with tqdm(total=total, desc="stats", unit="row", disable=None) as bar:
        for path, file in opened.items():
            for _, batch in read_batches(file, path):
                for row in batch.to_pylist():
                    counts.add(row)
                bar.update(batch.num_rows)
    return counts
