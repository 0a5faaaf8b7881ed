"""`python -m verl_ext.report RUN`: write RUN/report.html."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from verl_ext.report.page import write_report


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m verl_ext.report", description="Write RUN/report.html.")
    parser.add_argument("run", type=Path, help="the run folder; a run that is still going is fine")
    run = parser.parse_args(argv).run
    try:
        path, notices = write_report(run)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    for notice in notices:
        print(f"note: {notice}", file=sys.stderr)
    print(path)


if __name__ == "__main__":
    main()
