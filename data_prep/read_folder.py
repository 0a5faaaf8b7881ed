"""Which files of a folder hold the rows of a split."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from data_prep.source import Hub, Source


def data_files(
    path: Path, source: Source, split: str, variant: str | None, *, suffixes: tuple[str, ...]
) -> tuple[list[Path], bool]:
    """(files in order, whether they are the authors' own by `Source.files`).

    A file is taken as it is. In a folder, the first of these that is there: the authors' own files, the harness's TSV,
    the files that the card (README.md) names for the split, files whose name or folder is the split's.
    """
    if not path.exists():
        raise ValueError(f"--input {path} is not there")
    patterns = [pattern.format(split=split) for pattern in source.files]
    if path.is_file():
        own = any(path.match(pattern) for pattern in patterns)
        if not own and path.suffix.lower() not in suffixes:
            raise ValueError(f"--input {path}: {path.suffix or 'no suffix'} is not one of {', '.join(suffixes)}")
        return [path], own
    if own_files := [file for pattern in patterns for file in sorted(path.glob(pattern))]:
        return own_files, True
    if tables := [file for name in source.tsv for file in sorted(path.rglob(f"{name}.tsv"))]:
        return tables[:1], False
    hubs = [hub for hub in source.hub if variant is None or hub.variant in (None, variant)]
    names = {split, *(hub.splits.get(split, split) for hub in hubs)}
    files = [
        file for file in sorted(path.rglob("*"))
        if file.suffix.lower() in suffixes and file.is_file() and not _hidden(file.relative_to(path))
        and file.name not in ("dataset_dict.json", "dataset_info.json", "dataset_infos.json", "state.json")
    ]  # fmt: skip
    found = _by_card(path, files, hubs, names) or _by_name(path, _of_config(path, files, hubs), names)
    if not found:
        there = ", ".join(str(file.relative_to(path)) for file in files[:8]) or f"no file of {', '.join(suffixes)}"
        wanted = " or ".join([*(f"{name}.tsv" for name in source.tsv), *patterns, *sorted(names)])
        raise ValueError(f"--input {path} holds no rows of split {split!r} of {source.name}: looked for {wanted}, "
                         f"found {there}{' …' if len(files) > 8 else ''}; name a file to take it as it is")  # fmt: skip
    return found, False


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def _of_config(path: Path, files: list[Path], hubs: Iterable[Hub]) -> list[Path]:
    """Where folders bear the names of configurations, the files in those that are wanted."""
    wanted = {name for hub in hubs for name in (hub.config, *hub.configs) if name}
    inside = [file for file in files if wanted & set(file.relative_to(path).parts[:-1])]
    return inside or files


def _by_name(path: Path, files: list[Path], names: set[str]) -> list[Path]:
    """`data/val-00000-of-00002.parquet`, `val/0.arrow`, `MathVista_testmini.json`; the folders first."""
    for exact in (True, False):
        if found := [file for file in files if _matches(file.relative_to(path), names, exact=exact)]:
            return found
    return []


def _matches(file: Path, names: set[str], *, exact: bool) -> bool:
    stem = re.sub(r"-\d{5}-of-\d{5}.*", "", file.stem)
    if stem in names or any(part in names for part in file.parts[:-1]):
        return True
    return not exact and bool(names & set(re.split(r"[-_. ]", stem)))


def _by_card(path: Path, files: list[Path], hubs: list[Hub], names: set[str]) -> list[Path]:
    """The files that the data set card gives to the split in the wanted configurations."""
    import yaml

    card = path / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    if not text.startswith("---") or "\n---" not in text:
        return []
    try:
        head = yaml.safe_load(text[3 : text.index("\n---")])
    except yaml.YAMLError:
        return []
    configs = (head.get("configs") if isinstance(head, dict) else None) or []
    wanted = {name for hub in hubs for name in (hub.config, *hub.configs) if name}
    chosen = [each for each in configs if each.get("config_name") in wanted] or configs
    found: list[Path] = []
    for config in chosen:
        entries = config.get("data_files") or []
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and entry.get("split") in names:
                globs = entry.get("path") or []
                for pattern in [globs] if isinstance(globs, str) else globs:
                    found += [file for file in sorted(path.glob(pattern)) if file in files and file not in found]
    return found
