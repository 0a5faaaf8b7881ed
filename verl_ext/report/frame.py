"""The axes of a chart as SVG: data to pixels, grid, ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

WIDTH, WIDE, HEIGHT = 300, 620, 168
LEFT, RIGHT, TOP, BOTTOM = 38, 14, 7, 20


@dataclass(frozen=True)
class Frame:
    """The axes of one chart: data limits to pixels; what lies outside is moved to the edge."""

    left: float
    right: float
    bottom: float
    top: float
    width: int = WIDTH

    def x(self, values: np.ndarray | float) -> np.ndarray:
        share = (np.clip(values, self.left, self.right) - self.left) / (self.right - self.left)
        return LEFT + share * (self.width - LEFT - RIGHT)

    def y(self, values: np.ndarray | float) -> np.ndarray:
        share = (np.clip(values, self.bottom, self.top) - self.bottom) / (self.top - self.bottom)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

    def points(self, x: np.ndarray, y: np.ndarray) -> str:
        """Pixel coordinates as SVG writes them."""
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(self.x(x), self.y(y), strict=True))

    def svg(self, marks: Sequence[str], *, label: str, percent: bool = False, whole: bool = True) -> Markup:
        """The marks between grid and axes. `whole`: only integers on the x axis."""
        parts = [f'<svg viewBox="0 0 {self.width} {HEIGHT}" role="img" aria-label="{escape(label)}">']
        end, floor = self.width - RIGHT, HEIGHT - BOTTOM
        for value in ticks(self.bottom, self.top, 4):
            y, text = f"{self.y(value):.1f}", f"{100 * value:g}%" if percent else _short(value)
            parts.append(f'<path class="grid" d="M{LEFT} {y}H{end}"/>')
            parts.append(f'<text class="y" x="{LEFT - 5}" y="{y}">{text}</text>')
        parts += marks
        parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{floor}H{end}"/>')
        for value in ticks(self.left, self.right, 5 if self.width == WIDTH else 10, whole=whole):
            x = f"{self.x(value):.1f}"
            parts.append(f'<path class="axis" d="M{x} {floor}v3"/>')
            parts.append(f'<text x="{x}" y="{HEIGHT - 5}">{_short(value)}</text>')
        return Markup("\n".join([*parts, "</svg>"]))


def ticks(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """Round values from `low` to `high`, about `most` of them at the utmost plus one."""
    least = (high - low) / most
    size = 10.0 ** math.floor(math.log10(least))
    step = next(s * size for s in ((1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)) if s * size >= least * (1 - 1e-9))
    step = max(step, 1.0) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _short(value: float) -> str:
    text = f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
    return text.replace("-", "−")
