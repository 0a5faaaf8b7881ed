"""`python -m verl_ext.report RUN [RUN …]`: one page of a run, or one that compares several."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from verl_ext.report import compare, load, page

EPILOG = """\
A RUN is a run folder (one that is still going is fine), a folder of TensorBoard's event files, or an exported
history of W&B (.json, .jsonl or .csv with the column _step)."""


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m verl_ext.report",
        description="Write one page with the charts, figures and examples of a run, or one that compares several.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="what to show; of several, the first is the baseline"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="page to write (default: RUN/report.html; several runs: compare.html in the working directory)",
    )
    parser.add_argument("--png", type=Path, metavar="DIR", help="write every chart of the page as a picture too")
    arguments = parser.parse_args(argv)
    try:
        notices = _write(arguments)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    for notice in notices:
        print(f"note: {notice}", file=sys.stderr)


def _write(arguments: argparse.Namespace) -> list[str]:
    if len(arguments.runs) == 1:
        out = arguments.out or page.default_out(arguments.runs[0])
        made = page.render(load.load(arguments.runs[0]))
    else:
        out = arguments.out or compare.DEFAULT_OUT
        made = compare.render(load.load_all(arguments.runs))
    page.write_page(made.html, out)
    print(out)
    if arguments.png:
        import verl_ext.report.png as png  # matplotlib takes a second to import

        print(f"{arguments.png}: {png.write(made.panels, arguments.png)} charts")
    return made.notices


if __name__ == "__main__":
    main()
