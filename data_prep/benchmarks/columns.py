"""Columns under the names that the forms of a data set give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data_prep.fields import as_list, missing
from data_prep.source import SetAside


def column(raw: Mapping[str, Any], *names: str) -> Any:
    """The value of the first of these columns that is not empty; None if all that are there are.

    KeyError if none is there.
    """
    found = [name for name in names if name in raw]
    if not found:
        raise KeyError(" or ".join(names))
    return next((raw[name] for name in found if not missing(raw[name])), None)


def question_text(raw: Mapping[str, Any], *names: str) -> str:
    """The text of the first of these columns that is not empty; SetAside if there is none."""
    value = column(raw, *names)
    if value is None:
        raise SetAside("no question")
    return str(value).strip()


def texts(value: Any) -> list[str]:
    """The accepted answers of a list (or the text of one), verbatim, without empty ones; SetAside if none is left."""
    found = [str(each) for each in as_list(value) if not missing(each)]
    if not found:
        raise SetAside("no answer")
    return found
