"""`list`: every data set, its splits and where it comes from."""

from __future__ import annotations

import argparse

from data_prep.benchmarks import find_source, known_names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`list` has no options."""


def run(arguments: argparse.Namespace) -> int:
    from data_prep.offline import TASKS

    print("offline: 12 tasks of 6 categories, drawn on the spot; no download")
    for task, entry in TASKS.items():
        print(f"  {task:<15} {entry.category:<18} {entry.kind}")
    for name in known_names():
        print("\n".join(_lines(name)))
    return 0


def _lines(name: str) -> list[str]:
    source = find_source(name)
    splits = [f"{split} {source.rows[split]}" if split in source.rows else split for split in source.splits]
    lines = [f"{name}: {source.title}", f"  splits    {', '.join(splits)} (default: {source.splits[0]})"]
    homes = [f"{hub.id}{f' {hub.config}' if hub.config else ''}{f' ({hub.variant})' if hub.variant else ''}"
             for hub in source.hub]  # fmt: skip
    for label, values in (("hub", homes), ("tsv", source.tsv), ("files", source.files), ("variants", source.variants)):
        lines += [f"  {label:<9} {', '.join(values)}"] if values else []
    return lines
