"""Rows from the hub, through `datasets`, streamed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_prep.source import Hub, Options, Source

OFFLINE = (
    "Without a network, or to use a copy: --input PATH (a folder or file of parquet, arrow, json, jsonl or the "
    "harness's TSV)"
)


def choose(source: Source, options: Options) -> Hub:
    """The first home of the data set that holds the variant; ValueError if there is none."""
    variant = options.variant or (source.variants[0] if source.variants else None)
    for hub in source.hub:
        if hub.variant in (None, variant):
            return hub
    raise ValueError(f"{source.name} is not on the hub{f' as {variant}' if variant else ''}; give --input PATH")


def stream(
    source: Source, options: Options, revision: str | None = None
) -> Iterator[tuple[str, Iterator[Mapping[str, Any]]]]:
    """(name, rows) of every configuration; images as `{"bytes", "path"}`, not decoded.

    ValueError that names --input where the hub cannot be reached or has no such data set.
    """
    hub = choose(source, options)
    split = hub.splits.get(options.split, options.split)
    configs: Sequence[str | None] = hub.configs or [hub.config]
    for config in configs:
        name = f"{hub.id}{f'/{config}' if config else ''}@{split}"
        yield name, _rows(name, hub.id, config, split, revision)


def _rows(name: str, hub_id: str, config: str | None, split: str, revision: str | None) -> Iterator[Mapping[str, Any]]:
    from datasets import load_dataset

    try:
        rows = load_dataset(hub_id, config, split=split, streaming=True, revision=revision)
        yield from _undecoded(rows)
    except Exception as error:  # the libraries have an exception of their own for every way to fail
        raise ValueError(f"{name} cannot be read from the hub: {_reason(error)}. {OFFLINE}") from error


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:300]


def _undecoded(rows: Any) -> Any:
    """Image columns as encoded files, at any depth."""
    from datasets import Image, List

    for column, feature in (rows.features or {}).items():
        if isinstance(feature, Image):
            rows = rows.cast_column(column, Image(decode=False))
        elif isinstance(feature, List) and isinstance(feature.feature, Image):
            rows = rows.cast_column(column, List(Image(decode=False)))
    return rows


def revision_of(hub: Hub, revision: str | None) -> str | None:
    """The commit that `revision` (None: the newest) is now, so that a resumed run reads the same rows.

    None for a folder on this machine. A full commit is taken as it is, without asking the hub.
    """
    if Path(hub.id).exists():
        return None
    if revision and re.fullmatch("[0-9a-f]{40}", revision):
        return revision
    from huggingface_hub import HfApi

    try:
        return str(HfApi().dataset_info(hub.id, revision=revision).sha)
    except Exception as error:
        raise ValueError(f"{hub.id} cannot be reached on the hub: {_reason(error)}. {OFFLINE}") from error
