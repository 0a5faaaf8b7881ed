"""`prepare`: its options and what it prints."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep.benchmarks import find_source, known_names
from data_prep.source import CONVENTIONS, Options, Source

OFFLINE = "offline"
_DRAWN = "its rows are drawn, by --seed"
FOR_FILES: dict[str, tuple[Any, str]] = {
    "split": (None, "it makes both of its splits; use --train and --val"),
    "input": (None, _DRAWN),
    "revision": (None, _DRAWN),
    "limit": (None, "use --train and --val"),
    "variant": (None, _DRAWN),
    "convention": (CONVENTIONS[0], "its boxes are 0-1000"),
    "images": ("bytes", "its images are in the files"),
    "image_root": (None, _DRAWN),
    "min_pixels": (3136, "use --image-size"),
    "max_pixels": (1048576, "use --image-size"),
    "types": ((), "it is for onethinker"),
    "categories": ((), "it has all six"),
    "pass_rate": (None, "it is for onethinker"),
    "on_error": ("set-aside", _DRAWN),
    "strict": (False, _DRAWN),
}
"""Options of data sets from the hub or from files: the default, and why the offline set refuses them."""
FOR_OFFLINE: dict[str, tuple[Any, str]] = {
    "train": (12000, "it is for offline; use --limit"),
    "val": (720, "it is for offline; use --split and --limit"),
    "seed": (0, "it is for offline; rows keep their order"),
    "image_size": (128, "it is for offline; use --min-pixels and --max-pixels"),
}
"""Options of the offline data set: the default, and why the others refuse them."""
FOR_ONETHINKER = {name: FOR_FILES[name] for name in ("types", "pass_rate")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m data_prep prepare`."""
    parser.epilog = (
        "Exit codes: 0 made or already there, 2 wrong usage or input, 3 made but rows were set aside or missing "
        "(with --strict), 130 interrupted. No half-written file is left; what is finished of a data set from files or "
        "the hub is kept in DIR/.parts-SPLIT, and the same command goes on from there."
    )
    add, default = parser.add_argument, " (default %(default)s)"
    add("name", metavar="NAME", help=f"{OFFLINE}, {', '.join(known_names())}")
    add("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    add("--workers", type=int, default=2, metavar="N", help="processes; any number makes the same rows" + default)
    add("--thinking-tag", default="thinking", metavar="TAG", help="thinking or think" + default)
    add("--force", action="store_true", help="make it anew, replacing what DIR holds")
    # What is not given is absent, so that an option of the other kind of data set can be refused.
    files = parser.add_argument_group("data sets from the hub or from files", argument_default=argparse.SUPPRESS)
    add = files.add_argument
    of = {name: f" (default {value})" for name, (value, _) in (FOR_FILES | FOR_OFFLINE).items()}
    add("--split", nargs="+", metavar="S", help="one or several; default: the one that papers report")
    add("--input", type=Path, metavar="PATH", help="a file, or a folder, of parquet, arrow, json, jsonl, the authors' "
        "own files or the harness's TSV; default: the hub")  # fmt: skip
    add("--revision", metavar="R", help="commit, tag or branch on the hub; default: the newest, noted in the manifest")
    add("--limit", type=int, metavar="N", help="only the first N rows")
    add("--variant", metavar="V", help="form of the data set, where there are several (see list)")
    add("--convention", metavar="C", help="coordinates asked for: qwen3_vl (relative, 0-1000) "
        "or qwen2_5_vl (pixels of the image as the model sees it; points from 0 to 1)" + of["convention"])  # fmt: skip
    add("--images", choices=("bytes", "paths"), help="in the file, the same one of a row group once; "
        "or saved once each in DIR/images, rows holding their absolute paths" + of["images"])  # fmt: skip
    add("--image-root", type=Path, metavar="DIR", help="folder that paths of images and videos start from; default: "
        "the input's")  # fmt: skip
    add("--min-pixels", type=int, metavar="N", help="smaller images are enlarged, 0: none" + of["min_pixels"])
    add("--max-pixels", type=int, metavar="N", help="larger ones are reduced, 0: none" + of["max_pixels"])
    add("--types", nargs="+", metavar="T", help="only these problem types (onethinker)")
    add("--categories", nargs="+", metavar="C", help="only these of the six categories")
    add("--pass-rate", type=float, nargs=2, metavar=("MIN", "MAX"), help="only rows whose pass_rate column is in this "
        "range (onethinker)")  # fmt: skip
    add("--on-error", choices=("set-aside", "stop"), help="a row that cannot be used is noted in "
        "DIR/set_aside.jsonl with its reason, or ends the run" + of["on_error"])  # fmt: skip
    add("--strict", action="store_true", help="exit code 3 if rows were set aside or published rows are missing")
    offline = parser.add_argument_group("the offline data set", argument_default=argparse.SUPPRESS)
    add = offline.add_argument
    add("--train", type=int, metavar="N", help="training rows" + of["train"])
    add("--val", type=int, metavar="N", help="validation rows" + of["val"])
    add("--seed", type=int, metavar="N", help="the same seed gives the same rows" + of["seed"])
    add("--image-size", type=int, metavar="PIXELS", help="side of the square images, a multiple of 32 "
        "from 128 to 512" + of["image_size"])  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    if arguments.name == OFFLINE:
        return _offline(arguments)
    if arguments.name not in known_names():
        near = difflib.get_close_matches(arguments.name.lower(), [OFFLINE, *known_names()], 1, 0)[0]
        raise ValueError(f"unknown name {arguments.name!r} (nearest: {near!r}); see: python -m data_prep list")
    return _source(arguments, find_source(arguments.name))


def _own(arguments: argparse.Namespace, own: Mapping[str, Any], foreign: Mapping[str, Any]) -> argparse.Namespace:
    """The options with their defaults; ValueError for those of another kind of data set."""
    wrong = [
        f"--{name.replace('_', '-')} is not for {arguments.name} ({why})"
        for name, (_, why) in foreign.items()
        if name in arguments
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    return argparse.Namespace(**{name: value for name, (value, _) in own.items()} | vars(arguments))


def _offline(arguments: argparse.Namespace) -> int:
    from data_prep.offline import OfflineSource
    from data_prep.prepare import prepare

    arguments = _own(arguments, FOR_OFFLINE, FOR_FILES)
    source = OfflineSource(seed=arguments.seed, image_size=arguments.image_size, thinking_tag=arguments.thinking_tag)
    counts = {"train": arguments.train, "val": arguments.val}
    settings = {"name": arguments.name, **vars(source)}
    try:
        manifest, made = prepare(
            source, out=arguments.out, counts=counts, arguments=settings, workers=arguments.workers,
            force=arguments.force,
        )  # fmt: skip
    except KeyboardInterrupt:
        raise KeyboardInterrupt("nothing half-written is left; run the same command to start again") from None
    print(f"{arguments.out}: {'made' if made else 'already there, nothing to do'}")
    for split, entry in manifest["splits"].items():
        _print_split(split, entry)
    return 0


def _print_split(split: str, entry: dict[str, Any]) -> None:
    shares = ", ".join(f"{category} {count}" for category, count in entry["categories"].items())
    print(f"  {split}: {entry['rows']} rows ({shares}), content {entry['content_sha256'][:16]}")


def _source(arguments: argparse.Namespace, source: Source) -> int:
    from data_prep.prepare_source import prepare_source

    complete = True
    for job in jobs(arguments, source):
        split = job.options.split
        try:
            entry, made = prepare_source(job, out=arguments.out, force=arguments.force, progress=sys.stderr.isatty())
        except KeyboardInterrupt:
            raise KeyboardInterrupt("finished parts are kept; run the same command to go on") from None
        print(f"{arguments.out}: {split} {'made' if made else 'already there, nothing to do'}")
        _print_split(split, entry)
        for label in ("set_aside", "repaired"):
            for reason, count in entry[label].items():
                print(f"    {label.replace('_', ' ')}: {count} ({reason})")
        for label in ("unverifiable", "skipped", "filtered"):
            if entry[label]:
                print(f"    {label}: {entry[label]}")
        published = None if job.limit or job.categories else entry["published_rows"]
        if published is not None and published != entry["rows"]:
            print(f"    published: {published} rows, {published - entry['rows']:+} against these")
        complete = complete and not entry["set_aside"] and published in (None, entry["rows"])
    return 0 if complete or "strict" not in arguments else 3


def jobs(arguments: argparse.Namespace, source: Source) -> list[Any]:
    """One job per split; ValueError for options that do not fit the source."""
    from data_prep.prepare_source import Job
    from data_prep.prompts import THINKING_TAGS
    from data_prep.schema import CATEGORIES

    arguments = _own(arguments, FOR_FILES, FOR_OFFLINE | ({} if source.name == "onethinker" else FOR_ONETHINKER))
    splits = arguments.split or [source.splits[0]]
    for value, known, what in [
        *((split, source.splits, f"split of {source.name}") for split in splits),
        (arguments.convention, CONVENTIONS, "convention"),
        (arguments.thinking_tag, THINKING_TAGS, "thinking tag"),
        *((category, CATEGORIES, "category") for category in arguments.categories),
        *([(arguments.variant, source.variants, f"variant of {source.name}")] if arguments.variant else []),
    ]:
        if value not in known:
            near = difflib.get_close_matches(value, known, 1, 0)
            nearest = f" (nearest: {near[0]!r})" if near else ""
            raise ValueError(f"unknown {what} {value!r}{nearest}; known: {', '.join(known) or 'none'}")
    for name in ("workers", "limit"):
        if (number := getattr(arguments, name)) is not None and number < 1:
            raise ValueError(f"{name} is {number}; it must be at least 1")
    if arguments.min_pixels < 0 or 0 < arguments.max_pixels < arguments.min_pixels or arguments.max_pixels < 0:
        raise ValueError(
            f"--min-pixels {arguments.min_pixels} --max-pixels {arguments.max_pixels}: the first may not be larger"
        )
    return [
        Job(
            source=source,
            options=Options(
                split=split, convention=arguments.convention, variant=arguments.variant,
                types=tuple(arguments.types), pass_rate=tuple(arguments.pass_rate) if arguments.pass_rate else None,
            ),
            input=arguments.input, revision=arguments.revision, images=arguments.images,
            image_root=arguments.image_root, min_pixels=arguments.min_pixels, max_pixels=arguments.max_pixels,
            thinking_tag=arguments.thinking_tag, categories=tuple(arguments.categories), limit=arguments.limit,
            stop_on_error=arguments.on_error == "stop", workers=arguments.workers,
        )
        for split in splits
    ]  # fmt: skip
