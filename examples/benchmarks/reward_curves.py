"""Every dense reward against the quality of the answer, from the real verifiers: tables in Markdown and one picture.
Exits with 1 if a better answer ever earns less, or the best one not 1.

    python examples/benchmarks/reward_curves.py [--out reward_curves.png]
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from reward_fns.registry import verify
from reward_fns.verdict import Verdict

STEPS = 200
SHOWN = 8
TEXT = "THE QUICK BROWN FOX JUMPS OVER A DOG AGAIN"
MASK = {"size": [100, 100], "counts": [4545, 10, 5445]}
SQUARE = [[0.2, 0.2], [0.4, 0.2], [0.4, 0.4], [0.2, 0.4]]
TRIPLE = [[300, 300], [500, 300], [400, 500]]
AWAY = [[900, 900], [900, 100], [100, 900]]


@dataclass(frozen=True)
class Curve:
    """Answers to one question, from the best one to ever worse ones."""

    task: str
    fault: str
    """What grows along the curve."""
    worst: float
    answer: Callable[[float], tuple[str, float]]
    """Amount of the fault (0 to `worst`) -> (answer, the fault that it really has)."""
    truth: Any
    info: Mapping[str, Any] = field(default_factory=dict)

    def judged(self, fault: float) -> tuple[float, Verdict]:
        answer, real = self.answer(fault)
        return real, verify(self.task, answer, self.truth, self.info)


def shifted_box(share: float) -> tuple[str, float]:
    """A box moved sideways until its IoU is 1 - share."""
    moved = 400 * share / (2 - share)
    return json.dumps({"boxes": [100 + moved, 100, 500 + moved, 500]}), share


def shifted_span(share: float) -> tuple[str, float]:
    moved = 10 * share / (2 - share)
    return json.dumps({"time": [5 + moved, 15 + moved]}), share


def shifted_frames(share: float, **more: Any) -> tuple[str, float]:
    boxes = {str(at): json.loads(shifted_box(share)[0])["boxes"] for at in (1, 2)}
    return json.dumps({**more, "boxes": boxes}), share


def shifted_event(share: float) -> tuple[str, float]:
    return shifted_frames(share, **json.loads(shifted_span(share)[0]))


def far_point(share: float) -> tuple[str, float]:
    """A point right of the mask (rows 45 to 54 of column 45), `share` of the diagonal away."""
    return f"[({0.455 + share * 2**0.5:.6f}, 0.5)]", share


def far_from_square(share: float) -> tuple[str, float]:
    return f"[({0.4 + share * 2**0.5 - (share == 0) * 0.1:.6f}, 0.3)]", share


def far_json_point(share: float) -> tuple[str, float]:
    return json.dumps({"point_2d": [455 + 1000 * share * 2**0.5, 500]}), share


def off_number(gold: float) -> Callable[[float], tuple[str, float]]:
    return lambda error: (f"{gold * (1 + error):.8f}", error)


def wrong_letters(share: float) -> tuple[str, float]:
    wrong = round(share * len(TEXT))
    return "#" * wrong + TEXT[wrong:], wrong / len(TEXT)


def wrong_words(share: float) -> tuple[str, float]:
    words = TEXT.split()
    wrong = round(share * len(words))
    return " ".join(["###"] * wrong + words[wrong:]), wrong / len(words)


def padded(extra: float) -> tuple[str, float]:
    """The gold between other letters, `extra` times its length of them."""
    more = round(extra * 12)
    return "CENTRE-STAGE" + "x" * more, more / 12


def moved_points(distance: float) -> tuple[str, float]:
    return json.dumps({**SEGMENT, "positive_points": [[x + distance, y] for x, y in TRIPLE]}), distance


def late_segment(seconds: float) -> tuple[str, float]:
    return json.dumps({"time": 3 + seconds, **json.loads(moved_points(0)[0])}), seconds


EVENT = {"time": [5, 15], "boxes": {"1": [100, 100, 500, 500], "2": [100, 100, 500, 500]}}
SEGMENT = {"boxes": [100, 100, 500, 500], "positive_points": TRIPLE, "negative_points": AWAY}
UNIT = {"kind": "point", "point_format": "unit"}
CURVES = [
    Curve("refcoco", "1 - IoU", 1, shifted_box, [100, 100, 500, 500]),
    Curve("spatial_grounding", "1 - IoU", 1, shifted_box, {"boxes": [100, 100, 500, 500]}),
    Curve("temporal_grounding", "1 - IoU", 1, shifted_span, {"time": [5, 15]}),
    Curve("spatial_temporal_grounding", "1 - IoU of span and boxes", 1, shifted_event, EVENT),
    Curve("tracking", "1 - IoU", 1, shifted_frames, {"boxes": EVENT["boxes"]}),
    Curve("segmentation", "distance of the points inside", 200, moved_points, SEGMENT, {"data_type": "image"}),
    Curve("segmentation", "seconds", 8, late_segment, {"time": 3, **SEGMENT}, {"data_type": "video"}),
    Curve("point_to", "distance / diagonal", 0.35, far_json_point, MASK),
    Curve("refspatial", "distance / diagonal", 0.35, far_point, MASK, UNIT),
    Curve("robospatial", "distance / diagonal", 0.35, far_from_square, SQUARE, UNIT),
    Curve("chartqa", "relative error", 0.08, off_number(200.5), "200.5"),
    Curve("numerical", "relative error", 0.08, off_number(40.33), "40.33"),
    Curve("regression", "relative error", 0.6, off_number(40.33), "40.33"),
    Curve("docvqa", "share of wrong letters", 1, wrong_letters, [TEXT]),
    Curve("ocrbench", "share of wrong letters", 1, wrong_letters, [TEXT], {"dataset": "IIIT5K"}),
    Curve("ocrbench", "further letters / gold", 3, padded, ["CENTRE-STAGE"], {"dataset": "IIIT5K"}),
    Curve("ocr", "share of wrong words", 1, wrong_words, TEXT),
    Curve("open_ended", "share of wrong words", 1, wrong_words, TEXT),
]


def faults(curve: Curve) -> list[str]:
    """Where the curve is not monotone or does not start at 1."""
    points = [curve.judged(amount) for amount in np.linspace(0, curve.worst, STEPS + 1)]
    found = [] if points[0][1].reward == 1 else [f"the best answer earns {points[0][1].reward}"]
    for (better, one), (worse, other) in itertools.pairwise(points):
        if other.reward > one.reward + 1e-9:
            found.append(f"{other.reward:.4f} at {worse:.4f} is more than {one.reward:.4f} at {better:.4f}")
    return found


def table(curve: Curve) -> str:
    points = [curve.judged(amount) for amount in np.linspace(0, curve.worst, SHOWN + 1)]
    rows = [
        [f"`{curve.task}`: {curve.fault}", *(f"{real:.3g}" for real, _ in points)],
        ["---"] * (len(points) + 1),
        ["official", *(f"{verdict.official:.2f}" for _, verdict in points)],
        ["reward", *(f"{verdict.reward:.2f}" for _, verdict in points)],
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def draw(out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = 4
    figure, axes = pyplot.subplots(-(-len(CURVES) // columns), columns, figsize=(14, 13), sharey=True, squeeze=False)
    for axis in axes.flat[len(CURVES) :]:
        axis.set_visible(False)
    for axis, curve in zip(axes.flat, CURVES, strict=False):
        points = [curve.judged(amount) for amount in np.linspace(0, curve.worst, STEPS + 1)]
        at = [real for real, _ in points]
        axis.plot(at, [verdict.reward for _, verdict in points], label="reward")
        axis.plot(at, [verdict.official for _, verdict in points], "--", label="official")
        axis.set(title=curve.task, xlabel=curve.fault, ylim=(-0.05, 1.05))
    axes[0, 0].legend()
    figure.tight_layout()
    figure.savefig(out, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("reward_curves.png"), help="picture (default %(default)s)")
    out = parser.parse_args().out
    wrong = {f"{curve.task} ({curve.fault})": found for curve in CURVES if (found := faults(curve))}
    print("\n\n".join(table(curve) for curve in CURVES))
    draw(out)
    print(f"\n{len(CURVES)} curves, {STEPS + 1} answers each, in {out}", file=sys.stderr)
    for name, found in wrong.items():
        print(f"not monotone: {name}: {'; '.join(found[:3])}", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
