"""The benchmarks: one file each, imported when asked for."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from functools import cache

from data_prep.source import Source

MODULES = {
    "mmmu": "mmmu",
    "mmbench": "mmbench",
    "mmstar": "mmstar",
    "mathvista": "mathvista",
    "mathverse": "mathverse",
    "mathvision": "mathvision",
    "ai2d": "ai2d",
    "chartqa": "chartqa",
    "charxiv": "charxiv",
    "embspatial": "embspatial",
    "refspatial": "refspatial",
    "robospatial": "robospatial",
    "docvqa": "docvqa",
    "infovqa": "infovqa",
    "ocrbench": "ocrbench",
    "refcoco": "refcoco",
    "refcoco+": "refcoco_plus",
    "refcocog": "refcocog",
}
"""Name of the source -> its module here."""
PATHS = {name: f"{__name__}.{module}" for name, module in MODULES.items()} | {"onethinker": "data_prep.onethinker"}


def known_names() -> list[str]:
    """Every data set that `prepare` can make from files, in the order of the table."""
    return list(PATHS)


@cache
def find_source(name: str) -> Source:
    """The source of this name; ValueError naming the nearest for an unknown one."""
    if name not in PATHS:
        near = difflib.get_close_matches(name.lower(), PATHS, 1, 0)[0]
        raise ValueError(f"unknown name {name!r} (nearest: {near!r}); see: python -m data_prep list")
    if importlib.util.find_spec(PATHS[name]) is None:
        raise ValueError(f"{name} cannot be prepared: {PATHS[name]} is not there")
    return importlib.import_module(PATHS[name]).SOURCE
