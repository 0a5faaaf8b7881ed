"""What a data set brings: where its rows come from, and how one raw row becomes questions. One file per data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CONVENTIONS = ("qwen3_vl", "qwen2_5_vl")
"""Coordinates that a model family answers in: relative 0-1000, or pixels of the image as the model sees it."""


class SetAside(Exception):
    """This raw row cannot be used. The message is the reason, without values, so that rows can be counted by it."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        """What helps to find the fault in this row: a file, a value."""

    def __reduce__(self) -> tuple[type[SetAside], tuple[str, str]]:
        return SetAside, (self.reason, self.detail)


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question of a raw row; the core adds its place in the file, the answer instruction and the coordinates."""

    text: str
    """The question, with `<image>` (`<video>`) where an image stands; marks that are missing are put in front."""
    kind: str
    """Kind of answer, a key of `prompts.KINDS`: what the prompt asks for and the verifier reads."""
    ground_truth: Any
    """What the verifier of `task` takes; texts are kept verbatim, lists and objects become JSON."""
    info: Mapping[str, Any] = field(default_factory=dict)
    """What the verifier wants to know beside the truth, JSON-serialisable."""
    images: Sequence[Any] = ()
    """PIL images, encoded bytes, base64 texts, paths, or `{"bytes": …, "path": …}` as the hub's image columns have."""
    videos: Sequence[Any] = ()
    """Paths of videos, or lists of paths of their frames, or `{"video": one of them, …}` with what qwen_vl_utils reads
    beside it (fps, max_frames, max_pixels; sample_fps of frames)."""
    task: str | None = None
    """Task name of the registry where it is not the source's."""
    category: str | None = None
    """Category where it is not the task's."""
    unverifiable: bool = False
    """No rule can judge answers to this question: it is kept apart from what trains and what is averaged."""
    repaired: str = ""
    """What was mended in the raw row, without values; counted in the manifest."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user chose and a converter may need."""

    split: str
    """The split being prepared, a key of the source's `splits`."""
    convention: str = "qwen3_vl"
    """One of CONVENTIONS."""
    variant: str | None = None
    """One of the source's `variants` (say, AI2D without masks); None: its first."""
    types: Sequence[str] = ()
    """Only these problem types; empty: all. Read by sources that have types."""
    pass_rate: tuple[float, float] | None = None
    """Only raw rows whose `pass_rate` is in this range, ends included. Read by sources that have such a column."""


Converter = Callable[[Mapping[str, Any], Options], Iterable[Question]]


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A data set on the hub."""

    id: str
    config: str | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    """Our split name -> the hub's, where they differ."""
    variant: str | None = None
    """The variant of the source that this id holds; None: all of them, or there are none."""
    configs: Sequence[str] = ()
    """Several configs whose rows follow each other (MMMU's subjects)."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set that can be prepared."""

    name: str
    """As on the command line, and the rows' `data_source` (with `_split`, `_variant` where these are not the first)."""
    title: str
    """One line for `python -m data_prep list`."""
    splits: Sequence[str]
    """Our names; the first is the default, the one that papers report."""
    convert: Converter
    """Raw row (any form) -> its questions; none for a row that is not asked for, say of another split. Raises
    SetAside(reason) for a row that cannot be used, KeyError for a column that no known form of the data set lacks."""
    hub: Sequence[Hub] = ()
    """The first is the default; the others are other homes of the same data."""
    task: str | None = None
    """Task name of `reward_fns.registry`; None where every question brings its own."""
    tsv: Sequence[str] = ()
    """Names of the harness's TSV files that hold it (`MMStar` for MMStar.tsv)."""
    files: Sequence[str] = ()
    """Glob patterns of the authors' own files inside a local folder, `{split}` filled in."""
    identify: Callable[[Mapping[str, Any]], Any] | None = None
    """A raw row's own id, for messages and for finding duplicates; None: its place."""
    variants: Sequence[str] = ()
    rows: Mapping[str, int] = field(default_factory=dict)
    """Questions per split as published, to notice an incomplete file."""
    load: Callable[[Any, Options], Iterable[Mapping[str, Any]]] | None = None
    """Reads the authors' own files (a path) where they are not simply rows: JSON keyed by id, annotations beside
    images. None: the common reader."""
