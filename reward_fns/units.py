"""The unit behind a value: `5 cm`, `12\\text{ cm}^2`, `3 square metres`, `9.8 m/s^2`, `30^\\circ`."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

_SCALES = {
    # (kind, power): {size: spellings}; those of three letters and more have plurals, too.
    ("length", 1): {
        "1000": "km kilometer kilometre",
        "1": "m meter metre",
        "0.1": "dm",
        "0.01": "cm centimeter centimetre",
        "0.001": "mm millimeter millimetre",
        "0.0254": "in inch inches",
        "0.3048": "ft foot feet",
        "0.9144": "yd yard",
        "1609.344": "mile",
    },
    ("length", 3): {"0.001": "L liter litre", "0.000001": "ml mL milliliter millilitre"},
    ("mass", 1): {"1000": "kg kilogram", "1": "g gram", "0.001": "mg milligram", "453.59237": "lb lbs pound"},
    ("time", 1): {"1": "s sec second", "60": "min minute", "3600": "h hr hrs hour", "86400": "day", "604800": "week"},
    ("calendar", 1): {"1": "month", "12": "yr yrs year"},
    ("force", 1): {"1": "N newton"},
    ("energy", 1): {"1": "J joule"},
    ("power", 1): {"1": "W watt"},
    ("voltage", 1): {"1": "V volt"},
    ("frequency", 1): {"1": "Hz hertz"},
    ("degree", 1): {"1": "degree"},
    ("unit", 1): {"1": "unit"},
    ("dollar", 1): {"1": "dollar"},
}
_SIZES = {
    name + plural: (*of, Fraction(Decimal(size)))
    for of, scale in _SCALES.items()
    for size, names in scale.items()
    for name in names.split()
    for plural in (["", "s"] if len(name) > 2 else [""])
}
DEGREES = r"\s?\^?\s?\{?\\circ\}?"
_TEXT = r"\\(?:text|mathrm|rm)\s*+"
UNIT = (
    rf"(?<![\s~])(?P<gap>(?:\s|~|\\,)*+)(?P<text>{_TEXT})?+\{{?+[\s~]*+(?P<shape>square |cubic )?"
    rf"(?P<name>{'|'.join(_SIZES)})\s*+\}}?(?:\s*+\^?\{{?(?P<power>[23])\}}?)?\s*+\}}?"
    rf"(?:(?:/|per )\s*+(?:{_TEXT})?+\{{?+\s*+(?P<per>{'|'.join(_SIZES)})\s*+\}}?"
    r"(?:\s*+\^?\{?(?P<per_power>[23])\}?)?\s*+\}?)?\.?"
)
_AT_END = re.compile(rf"{UNIT}\Z")
_DEGREES_AT_END = re.compile(rf"(?<=[0-9)}}]){DEGREES}\Z")
_VARIABLES = ("m", "g", "h", "s", "L", "mg", "N", "J", "W", "V")
"""Units that formulas have as names, or as products of names."""
_OTHER = re.compile(r"(?<=.)(?P<text>\\(?:text|textrm|mbox)\s*\{[^{}]*\}(?:\s*\^\s*\{?[0-9]\}?)?)\Z", re.DOTALL)
_NAME = re.compile(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])")


class Unit(NamedTuple):
    """What is measured (a quotient: `length^1/time^2`), and the size of the unit: the same for all spellings."""

    kind: str
    power: int
    size: Fraction


DEGREE, DOLLAR = (Unit(*_SIZES[name][:2], Fraction(1)) for name in ("degree", "dollar"))


def split_unit(body: str) -> tuple[str, Unit | None, bool]:
    """(the body of a formula without its unit, the unit, whether that may be a variable: `4s`).

    A unit follows a digit, a closing bracket or \\pi. m, g, h, s, L and mg are units only in \\text, behind a plain
    number, or set apart from a value without names: \\pi r^2 h and \\frac{1}{2}mg have none (N, J, W, V: not then).
    """
    if degrees := _DEGREES_AT_END.search(body):
        return body[: degrees.start()], DEGREE, False
    if not (match := _AT_END.search(body)):
        return body, None, False
    head, name = body[: match.start()], match["name"]
    if head.count("{") != head.count("}") or not re.search(r"(?:[0-9)}]|\\pi)\Z", head):
        return body, None, False
    variable = {name, match["per"] or name} <= set(_VARIABLES) and not match["text"]
    if variable and not _apart(match, head.rpartition("=")[2].strip()):
        return body, None, False
    kind, power, size = _SIZES[name]
    times = {"square ": 2, "cubic ": 3}.get(match["shape"] or "", int(match["power"] or 1))
    unit = Unit(kind, power * times, size**times)
    if match["per"]:
        kind, power, size = _SIZES[match["per"]]
        times = int(match["per_power"] or 1)
        unit = Unit(f"{unit.kind}^{unit.power}/{kind}^{power * times}", 1, unit.size / size**times)
    return head, unit, variable and not match["gap"]


def other_unit(body: str) -> str:
    """The \\text at the end of a formula whose unit is none of those above (`5\\text{ students}`), "" for none."""
    match = _OTHER.search(body)
    return "".join(match["text"].split()).casefold() if match else ""


def _apart(match: re.Match[str], value: str) -> bool:
    """Whether a unit that may be a variable is none of the formula's."""
    if match["power"] and match["name"] != "m" and not match["per"]:
        return False
    if not match["gap"] or match["name"] in ("N", "J", "W", "V"):
        return bool(re.fullmatch(r"-?[0-9][0-9.,]*", value))
    return not (_NAME.search(value) or value.endswith(r"\pi"))
