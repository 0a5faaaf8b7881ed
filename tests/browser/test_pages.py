"""The pages as a reader sees them: from a local file, on a phone and on a desk, in print."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chromium import Chromium

from data_prep.__main__ import main as data_prep
from verl_ext.report import write_comparison, write_report

pytestmark = pytest.mark.browser

PAGES = ("report", "comparison", "many", "view")
WIDTHS = (390, 1280)
PAPER = 695
"""A4 at 96 dots an inch, less the margins of 13 mm"""
CHARTS = "[...document.querySelectorAll('figure.panel svg')]"
SIZES = f"""
{CHARTS}.map(svg => {{
  const marks = [...svg.querySelectorAll('polyline, polygon, circle, rect, path:not(.grid):not(.axis)')];
  const box = svg.getBoundingClientRect();
  const extents = marks.map(mark => mark.getBoundingClientRect()).map(b => Math.max(b.width, b.height));
  return [box.width, box.height, Math.max(0, ...extents)];
}})
"""
# What sticks out to the right, except inside of something that scrolls by itself.
OVERFLOW = """
[...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect();
  if (box.width === 0 || box.right <= innerWidth + 1 || e.closest('svg') && e.tagName !== 'svg') return false;
  for (let p = e.parentElement; p; p = p.parentElement)
    if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(p).overflowX) && p.tagName !== 'BODY') return false;
  return true;
}).map(e => e.outerHTML.slice(0, 80))
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of two small runs, one that compares eight, and one of the data."""
    from report_run import make_run

    folder = tmp_path_factory.mktemp("pages")
    runs = [make_run(folder / name, steps=12, rows=3) for name in ("first", "second")]
    assert data_prep(["view", str(runs[0] / "val.parquet"), "--out", str(folder / "view.html")]) == 0
    return {
        "report": write_report(runs[0])[0],
        "comparison": write_comparison(runs, folder / "compare.html")[0],
        "many": write_comparison(runs * 4, folder / "many.html")[0],
        "view": folder / "view.html",
    }


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_no_complaint_no_request_and_nothing_sticks_out(
    browser: Chromium, pages: dict[str, Path], name: str, width: int
) -> None:
    opened = browser.open(pages[name], width=width)
    assert browser.run("innerWidth") == width
    assert browser.run("document.images.length > 0 || document.querySelectorAll('svg').length > 0")
    assert browser.run("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert browser.run("document.documentElement.scrollWidth") <= width, browser.run(OVERFLOW)
    assert browser.run(OVERFLOW) == []
    if folder := os.environ.get("SCREENSHOTS"):
        browser.screenshot(Path(folder) / f"{name}-{width}.png")
    # The icon of the tab is no part of the page, and a file has none.
    assert [url for url in opened.requests if not url.endswith("/favicon.ico")] == [pages[name].as_uri()]
    assert opened.complaints == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["report", "comparison"])
def test_every_plot_is_drawn(browser: Chromium, pages: dict[str, Path], name: str, width: int) -> None:
    browser.open(pages[name], width=width)
    sizes = browser.run(SIZES)
    assert len(sizes) == pages[name].read_text().count('<figure class="panel">') > 90
    for across, down, mark in sizes:
        assert across >= 150 and down >= 80 and mark > 2, (across, down, mark)


def test_images_and_drawn_answers_of_the_examples_lie_over_each_other(
    browser: Chromium, pages: dict[str, Path]
) -> None:
    browser.open(pages["report"], width=1280)
    boxes = browser.run("""[...document.querySelectorAll('.image')].filter(e => e.querySelector('svg')).map(e =>
        ['img', 'svg'].map(name => e.querySelector(name).getBoundingClientRect()).map(b => [b.x, b.y, b.width]))""")
    assert boxes and all(image == pytest.approx(drawn) and image[2] > 100 for image, drawn in boxes)


@pytest.mark.parametrize("name", PAGES)
def test_print_has_everything_on_the_paper(browser: Chromium, pages: dict[str, Path], name: str) -> None:
    """Nothing scrolls on paper: what is wider is lost."""
    browser.open(pages[name], width=PAPER, media="print")
    assert browser.run("document.documentElement.scrollWidth") <= PAPER, browser.run(OVERFLOW)
    assert browser.run("[...document.querySelectorAll('svg text')].every(e => e.getBoundingClientRect().x >= 0)")
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    if folder := os.environ.get("SCREENSHOTS"):
        browser.screenshot(Path(folder) / f"{name}-print.png")


def test_the_checks_see_a_page_that_is_wrong(browser: Chromium, tmp_path: Path) -> None:
    """Each of the checks above finds its fault."""
    page = tmp_path / "wrong.html"
    page.write_text(
        "<body><img src='other.png'><div style='width: 900px'>wide</div><figure class='panel'><svg></svg></figure>"
        "<script>console.error('broken'); undefined_name</script>"
    )
    opened = browser.open(page, width=390)
    assert any("broken" in each for each in opened.complaints)
    assert any("undefined_name" in each for each in opened.complaints)
    assert (tmp_path / "other.png").as_uri() in opened.requests
    assert browser.run("document.documentElement.scrollWidth") > 390
    assert "wide" in "".join(browser.run(OVERFLOW))
    assert browser.run(SIZES)[0][2] == 0
