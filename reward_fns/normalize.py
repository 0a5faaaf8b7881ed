"""Cleaning of answer texts that several verifiers share. All linear in the length of the text."""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U000e0000-\U000e0fff]"
)
# A superscript or a fraction changes the value when NFKC flattens it: 3² is not 32, 1½ is not 11⁄2.
_CHANGES_VALUE = ("<super>", "<sub>", "<fraction>", "<circle>")
_WRAPPERS = [("**", "**"), ("__", "__"), ("$$", "$$"), ("$", "$"), ("`", "`"), ("*", "*"), ('"', '"'), ("'", "'")]
_WRAPPERS += [("“", "”"), ("‘", "’"), ("(", ")"), ("[", "]"), ("{", "}"), (r"\(", r"\)"), (r"\[", r"\]")]
_WRAPPERS += [(rf"\{name}{{", "}") for name in ("boxed", "fbox", "text", "mathrm", "mathbf", "textbf")]
MAX_WRAPPERS = 6


def visible(text: str) -> str:
    """Without zero-width, bidirectional and other invisible characters, stripped."""
    return text.strip() if text.isascii() else _INVISIBLE.sub("", text).strip()


def fold(text: str) -> str:
    """Compatibility form (NFKC: full-width to ASCII), invisible characters out; superscripts and fractions stay."""
    if text.isascii():
        return text.strip()
    folded = "".join(
        char if unicodedata.decomposition(char).startswith(_CHANGES_VALUE) else unicodedata.normalize("NFKC", char)
        for char in text
    )
    return visible(folded.replace("\u2212", "-"))


def unwrap(text: str) -> str:
    """Without surrounding quotes, brackets, Markdown emphasis, dollar signs and \\boxed{}, at most six layers."""
    text = text.strip()
    for _ in range(MAX_WRAPPERS):
        for left, right in _WRAPPERS:
            if text.startswith(left) and text.endswith(right) and len(text) >= len(left) + len(right):
                inside = text[len(left) : len(text) - len(right)]
                if belongs_together(left, inside, right):
                    text = inside.strip()
                    break
        else:
            break
    return text


def belongs_together(left: str, inside: str, right: str) -> bool:
    """Whether the two ends close each other: those of "(A) or (B)" and "$1$ $2$" do not."""
    if left[-1] == right[-1]:
        return left not in inside
    depth = 0
    for mark in re.findall(f"[{re.escape(left[-1] + right[-1])}]", inside):
        depth += 1 if mark == left[-1] else -1
        if depth < 0:
            return False
    return depth == 0


def plain(text: str) -> str:
    """For comparing texts: folded, unwrapped, lower case, single spaces, no final punctuation."""
    return " ".join(unwrap(fold(text)).casefold().split()).rstrip(".,;:!? ")
