"""Raw rows to rows in the schema: questions, pictures, prompts, coordinates."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from data_prep.benchmarks import PATHS, find_source
from data_prep.images import ImageRules, ImageStore, Picture, seen_size
from data_prep.prompts import full_prompt
from data_prep.read import RawRow
from data_prep.schema import make_row
from data_prep.source import Options, Question, SetAside, Source
from data_prep.videos import checked_video
from reward_fns.registry import UNVERIFIABLE_SUFFIX, resolve_task

BOX_TASKS = ("refcoco", "refcoco+", "refcocog")
POINT_TASKS = ("refspatial", "robospatial")
"""Tasks whose verifiers read coordinates in the format that `info` names; the others read 0-1000 always."""
PATCH = 28
"""Qwen2.5-VL sees images in multiples of this: patches of 14 pixels, merged by two."""


@dataclass
class Outcome:
    """What became of a raw row."""

    id: str | None
    """Its own id."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """In the schema, `extra_info.index` not yet set."""
    set_aside: list[tuple[str, str]] = field(default_factory=list)
    """(reason, detail)"""
    repaired: list[str] = field(default_factory=list)
    filtered: int = 0
    """Questions of categories that were not asked for."""


@dataclass(frozen=True)
class Conversion:
    """Converts raw rows; goes to worker processes, where it finds its source by name."""

    source: Source
    options: Options
    images: ImageRules
    thinking_tag: str = "thinking"
    categories: tuple[str, ...] = ()
    """Only these; empty: all."""
    drop_unverifiable: bool = False
    """Set questions aside that no rule can judge: for training."""

    def __call__(self, raw: list[RawRow]) -> list[Outcome]:
        return [self.outcome(row) for row in raw]

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        registered = self.source.name in PATHS and find_source(self.source.name) is self.source
        source = self.source.name if registered else self.source
        rest = (self.options, self.images, self.thinking_tag, self.categories, self.drop_unverifiable)
        return _restored, (source, *rest)

    @cached_property
    def _store(self) -> ImageStore:
        return ImageStore(self.images)

    @cached_property
    def _data_source(self) -> str:
        """The source's name, with the split and the variant where they are not its first: validation tells rows apart
        by `data_source/index`, and verl reports a figure for each data source."""
        split, variant = self.options.split, self.options.variant
        own = [split] if split not in self.source.splits[:1] else []
        own += [variant] if variant and variant not in self.source.variants[:1] else []
        return "_".join([self.source.name, *own])

    def outcome(self, raw: RawRow) -> Outcome:
        """Raises for nothing that is wrong with the row."""
        found = Outcome(_id(self.source, raw.values))
        try:
            questions = list(self.source.convert(raw.values, self.options))
        except Exception as error:
            found.set_aside.append(_reason(error, raw.values))
            return found
        for question in questions:
            try:
                if row := self._row(question):
                    found.rows.append(row)
                    found.repaired += [question.repaired] if question.repaired else []
                else:
                    found.filtered += 1
            except Exception as error:
                found.set_aside.append(_reason(error, raw.values))
        return found

    def _row(self, question: Question) -> dict[str, Any] | None:
        name = question.task or self.source.task
        if name is None:
            raise ValueError(f"{self.source.name} gives no task to a question")
        task = resolve_task(name)
        category = question.category or task.category
        if self.categories and category not in self.categories:
            return None
        if question.unverifiable and self.drop_unverifiable:
            raise SetAside("unverifiable: no rule can judge the answer")
        pictures = [self._store.picture(image) for image in question.images]
        videos = [checked_video(video, self.images.roots) for video in question.videos]
        question = in_convention(question, task.name, pictures, self.options.convention)
        size = {name: question.info[name] for name in ("width", "height") if question.kind == "box_pixels"}
        return make_row(
            data_source=self._data_source + (UNVERIFIABLE_SUFFIX if question.unverifiable else ""),
            task=task.name,
            category=category,
            index=0,
            prompt=full_prompt(
                question.text, kind=question.kind, thinking_tag=self.thinking_tag,
                images=len(pictures), videos=len(videos), **size,
            ),
            ground_truth=question.ground_truth,
            info=question.info,
            images=[picture.content for picture in pictures] or None,
            videos=videos or None,
        )  # fmt: skip


def _restored(source: Source | str, *rest: Any) -> Conversion:
    return Conversion(find_source(source) if isinstance(source, str) else source, *rest)


def in_convention(question: Question, task: str, pictures: list[Picture], convention: str) -> Question:
    """The question asking for coordinates as the model family gives them, and its `info` telling the verifier so."""
    pixels = convention == "qwen2_5_vl"
    if task in BOX_TASKS and question.kind == "box":
        if len(pictures) != 1:
            raise SetAside("a box needs exactly one image")
        width, height = pictures[0].width, pictures[0].height
        if pixels:
            width, height = seen_size(width, height, PATCH)
        places = {"box_format": "pixels" if pixels else "relative_1000", "width": width, "height": height}
        return replace(question, kind="box_pixels" if pixels else "box", info={**question.info, **places})
    if task in POINT_TASKS and question.kind == "point":
        places = {"point_format": "unit" if pixels else "relative_1000"}
        return replace(question, kind="point_unit" if pixels else "point", info={**question.info, **places})
    return question


def _id(source: Source, values: Mapping[str, Any]) -> str | None:
    try:
        found = source.identify(values) if source.identify else None
    except (KeyError, TypeError, ValueError):
        return None
    return None if found is None else str(found)


def _reason(error: Exception, values: Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        raise error  # the fault is not the row's
    if isinstance(error, SetAside):
        return error.reason, error.detail
    if isinstance(error, KeyError):
        return f"column {error.args[0]!r} is missing", f"columns: {', '.join(map(str, values))}"
    return f"the row does not fit: {type(error).__name__}", str(error)[:500]
