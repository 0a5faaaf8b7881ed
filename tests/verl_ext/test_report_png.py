from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_run import HOSTILE, TASKS, make_run

from verl_ext.report import png
from verl_ext.report.__main__ import main
from verl_ext.report.frame import HEIGHT, WIDE, WIDTH
from verl_ext.report.page import render
from verl_ext.report.panel import curve_panel
from verl_ext.report.plots import Band, Line
from verl_ext.report.run import load_run

FEW = {task: TASKS[task] for task in ("arithmetic", "digit_box")}
STEPS = np.arange(1.0, 21.0)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)


def near(path: Path, colour: str) -> int:
    """Pixels of about that colour of page.css."""
    wanted = [int(png._colours()[colour][at : at + 2], 16) for at in (1, 3, 5)]
    return int((np.abs(pixels(path).astype(int) - wanted).max(axis=1) < 12).sum())


def test_every_chart_of_a_page_becomes_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = {"digit_box": TASKS["digit_box"]}
    run = make_run(tmp_path / "run", steps=4, rows=2, tasks=one)
    main([str(run), "--png", str(tmp_path / "png")])
    charts = (run / "report.html").read_text().count('<figure class="panel">')
    files = sorted((tmp_path / "png").glob("*.png"))
    assert len(files) == charts == 4 + 8 * len(one) + 2
    assert f"{charts} charts" in capsys.readouterr().out
    assert "task-digit_box-advantage-quantiles.png" in {file.name for file in files}
    for file in files:
        width, height = Image.open(file).size
        wide = WIDE if file.stem in ("throughput", "time-per-step") else WIDTH
        assert width == wide * png.DPI // 72 and height > HEIGHT * png.DPI / 72
        assert len(Image.open(file).reduce(8).convert("RGB").getcolors(10_000)) > 10


def test_lines_bands_dots_and_bars_are_drawn_in_their_colours(tmp_path: Path) -> None:
    values = 0.5 + 0.2 * np.sin(STEPS)
    lines = [
        Line("training", "c1", (STEPS, values)),
        Line("other", "c3", (STEPS, values / 2), dashed=True),
        Line("validation", "c2", (STEPS[[0, -1]], np.array([0.1, 0.8])), errors=np.array([0.1, 0.1])),
    ]
    panel = curve_panel("T", "u", "n", lines, bands=[Band("band", 0.6, 0.9, strength=1.0)], top=1.0)
    assert panel
    png.write([panel], tmp_path)
    for colour in ("c1", "c2", "c3", "band"):
        assert near(tmp_path / "n.png", colour) > 200, colour
    assert near(tmp_path / "n.png", "c4") == 0


@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_of_tasks_can_be_anything(tmp_path: Path) -> None:
    """A formula, text that is no XML, paths, and names that differ by what file names cannot hold."""
    names = ["a b", "a/b", "$x_{$", "../../etc/passwd", HOSTILE, "x" * 300, "图表"]
    lines = [Line(name, "c1", (STEPS, STEPS)) for name in names]
    panels = [panel for line in lines if (panel := curve_panel("T", "", f"task/{line.label}: t", [line]))]
    assert png.write(panels, tmp_path / "out") == len(names)
    files = [file.name for file in (tmp_path / "out").iterdir()]
    assert len(files) == len(names) and len(list(tmp_path.iterdir())) == 1
    assert all(re.fullmatch(r"[a-z0-9_.-]+\.png", name) and len(name) < 120 for name in files)


def test_every_mark_of_a_report_is_known(tmp_path: Path) -> None:
    """A class that page.css draws and png.py does not would be an error here."""
    page = render(load_run(make_run(tmp_path / "run", steps=20, rows=2, tasks=FEW)))
    for panel in page.panels:
        png._draw(panel, png._colours())
