"""The tokens of latex_number: the part of latex2sympy2's lexer that numbers can be made of.

Like that lexer, it takes the longest token wherever it stands (\\pix is \\pi and x) and reads no further than needed.
"""

from __future__ import annotations

import re

END, BAD = "end", "bad"
"""Last tokens: a text that cannot continue a value, so that the source ignores it; one that it has no number for."""

_BLANK = re.compile(r"\\displaystyle|\\q?quad|\\,|[~$]")
_PERMUTATIONS = re.compile(r"\(([a-zA-Z0-9+\-*/\\ ]+?)\)_{([a-zA-Z0-9+\-*/\\ ]+?)}")
_GREEK = r"alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi|chi|psi|omega"
_ASSIGNED = re.compile(rf"\s*(?:(?:[a-df-z]|\\(?:{_GREEK}))(?:_(?:[0-9]|[a-z]|{{[0-9a-z]+}}))?\s*=\s*)+")
# Names of functions that need \operatorname end a value where letters would spoil it: 5 diagonals, 6 triangles.
_WORDS = (
    r"arc?(?:sin|cos|tan)h|gcd|lcm|floor|ceil|eye|zeros|ones|cols|rows|diag|norm|rank|trace|tr|rref|[hv]stack|orth"
    r"|nullspace|eig|svd|[pbv]?matrix"
)
_ENDS = r"[.&]|\\\\|\\(?:m?right|to|r(?:vert|ceil|group|brack)|x?(?:long|left)?rightarrow|end\{[pb]?matrix\})|<->"
_COMMANDS = (
    r"sqrt|pi|tau(?![ \t\r\n]*_)|cdot|times|div|over(?!line|rightarrow)|exp|log|ln|floor|choose"
    r"|(?:sin|cos|tan)h?|arc(?:sin|cos|tan)h?|ar(?:sin|cos|tan)h"
)
_BRACKETS = r"[()\[\]{}]|\\[{}]|\\[lr](?:brace|floor)"
_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]*+(?:,[0-9]{3})*+\.[0-9]++|[0-9]++(?:,[0-9]{3})*+)(?:\\%)?)"
    r"|\\(?:operatorname\{)?(?P<common>(?:gcd|lcm)(?=\}?\()\}?\([0-9, ]+\))"
    rf"|\\(?P<fence>left|right)[ \t\r\n]*(?P<fenced>{_BRACKETS})|(?P<end>{_ENDS}|{_WORDS})|(?P<bracket>{_BRACKETS})"
    rf"|\\(?:(?P<frac>[dt]?frac)|(?P<binom>[dt]?binom)|(?P<order>[lg]e)(?:q(?:slant)?)?(?!ft)|(?P<command>{_COMMANDS}))"
    r"|(?P<mark>[-+*/:^_!'<>e])"
)
_SPACE = re.compile(r"[ \t\r\n]*")


def tokens_of(text: str) -> list[str]:
    """Numbers as they stand, commands without their backslash, in the end END or BAD if a token is neither."""
    text = _PERMUTATIONS.sub(r"\\frac{(\1)!}{((\1)-(\2))!}", text)
    text = re.sub(r"\\operatorname\{(floor|arc?(?:sin|cos|tan)h)\}", r"\\\1", _BLANK.sub(" ", text))
    assigned = _ASSIGNED.match(text)
    tokens: list[str] = []
    at = _SPACE.match(text, assigned.end() if assigned else 0).end()  # type: ignore[union-attr]
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return [*tokens, BAD]
        if match["end"]:
            return [*tokens, END]
        tokens.append(_name(match))
        at = _SPACE.match(text, match.end()).end()  # type: ignore[union-attr]
    return tokens


def _name(match: re.Match[str]) -> str:
    if match["fence"]:
        return match["fence"] + _bracket(match["fenced"])
    if match["bracket"]:
        return _bracket(match["bracket"])
    if match["common"]:
        return match["common"].replace("}", "")
    for command in ("frac", "binom"):
        if match[command]:
            return command
    return match["number"] or match["order"] or match["command"] or match["mark"]


def _bracket(text: str) -> str:
    return text.lstrip("\\") if len(text) > 2 else text
