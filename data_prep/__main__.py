"""Command line: `python -m data_prep list` and `python -m data_prep prepare NAME --out DIR`."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

NAMES = {"offline": "12 tasks of 6 categories, drawn on the spot; no download"}


def parser() -> argparse.ArgumentParser:
    main_parser = argparse.ArgumentParser(prog="python -m data_prep", description="Prepare data sets in verl's format.")
    commands = main_parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="what can be prepared")
    make = commands.add_parser(
        "prepare",
        help="make train.parquet, val.parquet and manifest.json",
        epilog="Exit codes: 0 made or already there, 2 wrong usage or input, 130 interrupted (no half-written file).",
    )
    make.add_argument("name", metavar="NAME", help=f"one of: {', '.join(NAMES)}")
    make.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    make.add_argument("--train", type=int, default=12000, metavar="N", help="training rows (default %(default)s)")
    make.add_argument("--val", type=int, default=720, metavar="N", help="validation rows (default %(default)s)")
    make.add_argument(
        "--seed", type=int, default=0, metavar="N", help="the same seed gives the same rows (default %(default)s)"
    )
    make.add_argument("--workers", type=int, default=2, metavar="N", help="processes; any number makes the same rows "
                      "(default %(default)s)")  # fmt: skip
    make.add_argument("--image-size", type=int, default=128, metavar="PIXELS", help="side of the square images, "
                      "a multiple of 32 from 128 to 512 (default %(default)s)")  # fmt: skip
    make.add_argument(
        "--thinking-tag", default="thinking", metavar="TAG", help="thinking or think (default %(default)s)"
    )
    make.add_argument("--force", action="store_true", help="make it anew, replacing what DIR holds")
    return main_parser


def run(arguments: argparse.Namespace) -> None:
    from data_prep.offline import TASKS, OfflineSource
    from data_prep.prepare import prepare

    if arguments.command == "list":
        for name, text in NAMES.items():
            print(f"{name}: {text}")
        for task, entry in TASKS.items():
            print(f"  {task:<15} {entry.category:<18} {entry.kind}")
        return
    if arguments.name not in NAMES:
        near = difflib.get_close_matches(arguments.name, NAMES, 1, 0)[0]
        raise ValueError(f"unknown name {arguments.name!r} (nearest: {near!r}); see: python -m data_prep list")
    source = OfflineSource(seed=arguments.seed, image_size=arguments.image_size, thinking_tag=arguments.thinking_tag)
    counts = {"train": arguments.train, "val": arguments.val}
    settings = {"name": arguments.name, **vars(source)}
    manifest, made = prepare(
        source, out=arguments.out, counts=counts, arguments=settings, workers=arguments.workers, force=arguments.force
    )
    print(f"{arguments.out}: {'made' if made else 'already there, nothing to do'}")
    for split, entry in manifest["splits"].items():
        shares = ", ".join(f"{category} {count}" for category, count in entry["categories"].items())
        print(f"  {split}: {entry['rows']} rows ({shares}), content {entry['content_sha256'][:16]}")


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        run(arguments)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing half-written is left; run the same command to start again", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
