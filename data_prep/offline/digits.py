"""Real handwritten digits of 8 x 8 pixels, every fifth for validation.

`digits.csv.gz` is the test set of E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits" (UCI Machine
Learning Repository, 1998, CC BY 4.0), the very file that scikit-learn ships. Requiring scikit-learn for it would cost
every process of a run seconds: transformers imports it wherever it is installed.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from data_prep.offline.canvas import Cell, Scene


@lru_cache
def samples() -> tuple[np.ndarray, np.ndarray]:
    """Ink (1797, 8, 8) from 0 to 16, and labels (1797,)."""
    table = np.loadtxt(Path(__file__).with_name("digits.csv.gz"), delimiter=",")
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(int)


@lru_cache
def pool(split: str) -> dict[int, list[int]]:
    """Label to sample numbers; no sample is in both splits."""
    _, labels = samples()
    kept: dict[int, list[int]] = {}
    for label in range(10):
        numbers = np.flatnonzero(labels == label).tolist()
        kept[label] = [n for place, n in enumerate(numbers) if (place % 5 == 0) == (split == "val")]
    return kept


def draw_digit(scene: Scene, image: Image.Image, *, label: int, cell: Cell) -> tuple[np.ndarray, int]:
    """Draw a handwritten `label` into its cell; returns the mask of its ink (height, width) and the sample number."""
    number = scene.rng.choice(pool(scene.split)[label])
    side = scene.pixels(scene.rng.randint(28, 31))
    ink = Image.fromarray((samples()[0][number] * 255 / 16).astype(np.uint8))
    shade = np.clip(1.3 * np.asarray(ink.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float64), 0, 240)
    tile = (255 - shade).astype(np.uint8)
    left, top = scene.place(cell, side)
    image.paste(Image.fromarray(tile).convert("RGB"), (left, top))
    scene.notes[cell] = str(label)
    mask = np.zeros((scene.size, scene.size), dtype=bool)
    mask[top : top + side, left : left + side] = tile < 190
    return mask, number
