"""What the offline tasks draw with: a white square of 4 x 4 cells, coloured shapes, typeset text, boxes and masks.

Objects keep to one cell (32 pixels at the default size: one merged patch of Qwen3-VL) with a few pixels of jitter.
Lengths are in units of 1/128 of the image side.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GRID = 4
COLORS = {
    "red": (220, 40, 40),
    "blue": (40, 80, 225),
    "green": (30, 160, 60),
    "yellow": (245, 195, 0),
    "purple": (150, 45, 175),
    "black": (20, 20, 20),
}
SHAPES = ("circle", "square", "triangle", "star", "cross")
VAL_SHARE = 8
Cell = tuple[int, int]
T = TypeVar("T")


@dataclass(frozen=True)
class Example:
    """What a task makes: a picture, a question, its truth, and how a good teacher would answer."""

    image: Image.Image
    question: str
    ground_truth: Any
    worked: str
    target: str
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """What one row is made from: its own random stream, its task, split and image size in pixels."""

    rng: random.Random
    task: str
    split: str
    size: int
    notes: dict[Cell, str] = field(default_factory=dict)
    """What stands in which cell, for the caption."""

    def caption(self, *, empties: int) -> str:
        """The noted cells and `empties` others, in random order: "c2 red circle , a4 none"."""
        free = [(n % GRID, n // GRID) for n in range(GRID * GRID) if (n % GRID, n // GRID) not in self.notes]
        cells = [*self.notes, *self.rng.sample(free, empties)]
        self.rng.shuffle(cells)
        return " , ".join(f"{cell_text(cell)} {self.notes.get(cell, 'none')}" for cell in cells)

    def facts(self, draw: Callable[[], T]) -> T:
        """Draw until the facts belong to this split: one in 8 is kept for validation, whatever the seed and the task.

        Two tasks may draw the same picture.
        """
        while True:
            facts = draw()
            digest = hashlib.sha256(repr(facts).encode()).digest()
            if (digest[0] % VAL_SHARE == 0) == (self.split == "val"):
                return facts

    def cells(self, count: int) -> list[Cell]:
        """`count` different cells as (column, row), from 0."""
        return [(number % GRID, number // GRID) for number in self.rng.sample(range(GRID * GRID), count)]

    def pixels(self, units: float) -> int:
        return round(units * self.size / 128)

    def place(self, cell: Cell, side: int) -> tuple[int, int]:
        """Left and top pixel of an object of `side` pixels that stays inside the cell."""
        step = self.size // GRID
        slack = max(step - side, 0)
        return cell[0] * step + self.rng.randint(0, slack), cell[1] * step + self.rng.randint(0, slack)


def blank(scene: Scene) -> Image.Image:
    return Image.new("RGB", (scene.size, scene.size), "white")


def draw_shape(scene: Scene, image: Image.Image, *, shape: str, color: str, cell: Cell) -> np.ndarray:
    """Draw one shape into its cell; returns its exact mask (height, width), bool."""
    side = scene.pixels(scene.rng.randint(26, 29))
    left, top = scene.place(cell, side)
    mask = Image.new("L", image.size, 0)
    pen = ImageDraw.Draw(mask)
    if shape == "circle":
        pen.ellipse((left, top, left + side - 1, top + side - 1), fill=255)
    else:
        pen.polygon([(left + x * (side - 1), top + y * (side - 1)) for x, y in _outline(shape)], fill=255)
    image.paste(COLORS[color], mask=mask)
    scene.notes[cell] = f"{color} {shape}"
    return np.asarray(mask) > 0


@lru_cache
def _outline(shape: str) -> tuple[tuple[float, float], ...]:
    """Corners in the unit square, touching all four sides."""
    if shape == "square":
        return ((0, 0), (1, 0), (1, 1), (0, 1))
    if shape == "triangle":
        return ((0.5, 0), (1, 1), (0, 1))
    if shape == "cross":
        a, b = 0.32, 0.68
        return ((a, 0), (b, 0), (b, a), (1, a), (1, b), (b, b), (b, 1), (a, 1), (a, b), (0, b), (0, a), (a, a))
    if shape == "star":
        turn = [(math.pi * (k / 5 - 0.5), 0.5 if k % 2 == 0 else 0.22) for k in range(10)]
        points = [(radius * math.cos(angle), radius * math.sin(angle)) for angle, radius in turn]
        low = [min(p[i] for p in points) for i in (0, 1)]
        high = [max(p[i] for p in points) for i in (0, 1)]
        return tuple(((x - low[0]) / (high[0] - low[0]), (y - low[1]) / (high[1] - low[1])) for x, y in points)
    raise ValueError(f"unknown shape {shape!r}; known: {', '.join(SHAPES)}")


def draw_text(
    scene: Scene, image: Image.Image, text: str, *, at: tuple[float, float], size: float, font: str = "DejaVuSans-Bold",
    anchor: str = "lm", color: str | tuple[int, int, int] = (20, 20, 20),
) -> None:  # fmt: skip
    """Typeset `text` at a point in units of 1/128 (Pillow's anchors: lm = left middle, mm = centre)."""
    where = (at[0] * scene.size / 128, at[1] * scene.size / 128)
    ImageDraw.Draw(image).text(where, text, font=_font(font, scene.pixels(size)), fill=color, anchor=anchor)


@lru_cache
def _font(name: str, pixels: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{name}.ttf", pixels)


def mask_box(mask: np.ndarray) -> list[float]:
    """Tight box [x1, y1, x2, y2] of a mask, 0-1000 relative to width and height, outer pixel edges."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [
        1000 * float(columns[0]) / width,
        1000 * float(rows[0]) / height,
        1000 * float(columns[-1] + 1) / width,
        1000 * float(rows[-1] + 1) / height,
    ]


def tens(value: float) -> int:
    """Coordinate rounded to a multiple of 10, as the teacher writes it."""
    return int(10 * math.floor(value / 10 + 0.5))


def cell_text(cell: Cell) -> str:
    """A cell by column and row, as on a chessboard seen from above: "b3"."""
    return f"{'abcd'[cell[0]]}{cell[1] + 1}"


def png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
