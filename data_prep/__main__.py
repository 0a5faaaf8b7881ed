"""Command line: `python -m data_prep list | prepare | mix | check | stats | view | passrate`."""

from __future__ import annotations

import argparse
import importlib
import sys

COMMANDS = {
    "list": ("data_prep.listing", "what can be prepared, from where"),
    "prepare": ("data_prep.prepare_command", "make parquet files and manifest.json"),
    "mix": ("data_prep.mix", "mix prepared data sets by weights, with a held-out split"),
    "check": ("data_prep.check", "check prepared files: schema, images, gold answers, leakage, prompt lengths"),
    "stats": ("data_prep.stats", "counts and sizes of prepared files"),
    "view": ("data_prep.view", "a page of sampled rows"),
    "passrate": ("data_prep.passrate", "pass rates per row from stored responses"),
}
"""Command -> its module, with `add_arguments(parser)` and `run(arguments) -> exit code`, and one line of help."""


def parser(wanted: str | None = None) -> argparse.ArgumentParser:
    """The command line; only the module of the wanted command is imported."""
    main_parser = argparse.ArgumentParser(
        prog="python -m data_prep",
        description="Prepare data sets in verl's format.",
        epilog="Exit codes: 0 done, 1 something is wrong with the data, 2 wrong usage or input, "
        "3 rows were set aside (prepare --strict), 130 interrupted.",
    )
    commands = main_parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == wanted:
            importlib.import_module(module).add_arguments(command)
    return main_parser


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    wanted = next((argument for argument in argv if argument in COMMANDS), None)
    arguments = parser(wanted).parse_args(argv)
    try:
        return int(importlib.import_module(COMMANDS[arguments.command][0]).run(arguments))
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"interrupted{f': {interrupt}' if str(interrupt) else ''}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
