"""Other spellings of a formula as LaTeX: Unicode and ASCII signs, mixed numbers, thousands, unbraced exponents."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from .normalize import fold
from .number import parse_number

_SYMBOLS = {"π": r"\pi ", "×": r"\times ", "·": r"\cdot ", "÷": r"\div ", "∞": r"\infty ", "−": "-", "–": "-"}
_SYMBOLS |= {
    "°": r"^{\circ}",
    "º": r"^{\circ}",
    r"\degree": r"^{\circ}",
    "∪": r"\cup ",
    "∈": r"\in ",
    "ℝ": r"\mathbb{R}",
}
_SYMBOLS |= {"∅": r"\emptyset ", r"\varnothing": r"\emptyset ", "∠": r"\angle ", "△": r"\triangle "}
_SYMBOLS |= {"≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "<=": r"\le ", ">=": r"\ge ", "≈": r"\approx ", "≡": r"\equiv "}
_SYMBOLS |= {"λ": r"\lambda "} | {
    letter: rf"\{unicodedata.name(letter).split()[-1].lower()} " for letter in "αβγδεζηθικμνξρστυφχψω"
}
_SYMBOLS |= {
    mark: rf"\frac{{{unicodedata.normalize('NFKC', mark)}}}".replace("\u2044", "}{") for mark in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
}
_SUPERSCRIPT = re.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_UNEQUAL = re.compile(r"(?<![0-9!])!=")
_ROOT = re.compile(r"√\s*([0-9]++(?:\.[0-9]++)?|[A-Za-z]|\([^()]*\))")
_SPACE = r"(?:\s|~|\\[,;:\s])"
_MIXED = re.compile(rf"(?<![0-9.^_])([0-9]{{1,12}}){_SPACE}+([0-9]{{1,2}})\s?/\s?([0-9]{{1,3}})(?![0-9.])")
_THOUSANDS = re.compile(rf"(?<![0-9.^_])[1-9][0-9]{{0,2}}(?:{_SPACE}[0-9]{{3}})++(?![0-9])")
_SPLIT = re.compile(rf"(?:(?<=[0-9])|(?<=[0-9]\.))(?<![\^_][0-9]){_SPACE}+(?=\.?[0-9])")
_SHORT_FRACTION = re.compile(r"(\\[dt]?frac)\s*([0-9])\s*([0-9])(?![0-9])")
_SIGNED_EXPONENT = re.compile(r"\^\s*([-+])\s*([0-9]++|[A-Za-z](?![A-Za-z]))(?![A-Za-z(\\{.])")
_FRACTION = re.compile(
    r"(?P<sign>-?)(?:(?:(?P<whole>[0-9]{1,12})\s*)?\\[dt]?frac\{(?P<over>-?[0-9]{1,30})\}\{(?P<under>[0-9]{1,30})\}"
    r"|([0-9]{1,30})\s?/\s?([0-9]{1,30}))"
)
_POWER_OF_TEN = re.compile(
    r"(?:(?P<factor>[^\^]{1,40}?)\s*(?:\\times|\\cdot|\*|(?<=[0-9])x|(?<=[0-9]\s)x)\s*|(?P<sign>-?))"
    r"10\s*\^\s*(?:\{\s*(?P<braced>[-+]?[0-9]{1,3})\s*\}|(?P<power>[0-9]{1,3}))"
)


def to_latex(text: str) -> str:
    """`fold`ed, with the commands of LaTeX for signs of Unicode and for <=, >=, != (3!=6 is about a factorial)."""
    for mark, latex in _SYMBOLS.items():
        text = text.replace(mark, latex)
    text = _SUPERSCRIPT.sub(lambda power: f"^{{{power.group().translate(_SUPERSCRIPTS)}}}", text)
    return _ROOT.sub(r"\\sqrt{\1}", fold(_UNEQUAL.sub(r"\\ne ", text)))


def spelled_out(body: str) -> str:
    """With LaTeX for sqrt(…), pi, 1 1/2, \\frac12 and x^-1, and without spaces between thousands.

    The parser behind reads 1 1/2 as 11/2, x^-1 as a subtraction.
    """
    body = re.sub(r"(?<![\\A-Za-z])sqrt\(([^()]{1,50})\)", r"\\sqrt{\1}", body)
    body = re.sub(r"(?<![\\A-Za-z])pi(?![A-Za-z])", r"\\pi ", body)
    body = _SHORT_FRACTION.sub(r"\1{\2}{\3}", _MIXED.sub(_mixed, body))
    body = _THOUSANDS.sub(lambda number: re.sub(_SPACE, "", number.group()), body)
    return _SIGNED_EXPONENT.sub(r"^{\1\2}", body)


def _mixed(match: re.Match[str]) -> str:
    whole, over, under = match.groups()
    return rf"{whole}\frac{{{over}}}{{{under}}}" if int(over) < int(under) else match.group()


def has_split_digits(body: str) -> bool:
    """Whether spaces part the digits of a `spelled_out` body: the parser behind reads 3 4 as 34."""
    return _SPLIT.search(body) is not None


def squeezed(body: str) -> str:
    """Without spaces, but for a mark where one parts digits."""
    return "".join(_SPLIT.sub("|", body).split())


def rational(body: str) -> Fraction | None:
    """The value of a plain number, fraction, mixed number (1\\frac{1}{2}) or power of ten (6.02 \\times 10^{23})."""
    body = body.strip()
    if match := _FRACTION.fullmatch(body):
        over, under = int(match["over"] or match[5]), int(match["under"] or match[6])
        whole = int(match["whole"] or 0)
        if not under or (match["whole"] and not 0 < over < under):
            return None
        return int(match["sign"] + "1") * (whole + Fraction(over, under))
    if match := _POWER_OF_TEN.fullmatch(body):
        factor = parse_number(match["factor"] or match["sign"] + "1")
        power = int(match["braced"] or match["power"])
        return Fraction(factor.value) * Fraction(10) ** power if factor and abs(power) <= 300 else None
    number = parse_number(body)
    return Fraction(number.value) if number else None
