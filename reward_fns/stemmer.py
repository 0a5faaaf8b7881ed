"""Porter's stemmer with NLTK's extensions, as rouge_score applies it.

Importing NLTK takes seconds, as it brings SciPy's statistics along; a reward call has one. Rules: M. F. Porter, "An
algorithm for suffix stripping" (1980); the marked ones are NLTK's.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

_IRREGULAR = {"skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "innings": "inning", "outings": "outing"}
_IRREGULAR |= {"cannings": "canning"}
_IRREGULAR |= {word: word for word in ("sky", "news", "inning", "outing", "canning", "howe")}
_IRREGULAR |= {word: word for word in ("proceed", "exceed", "succeed")}

_STEP_2 = {
    **{"ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "bli": "ble", "alli": "al"},
    **{"entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate", "alism": "al"},
    **{"iveness": "ive", "fulness": "ful", "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble"},
    **{"fulli": "ful"},
}
_STEP_3 = {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""}
_STEP_4 = (
    *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate"),
    *("iti", "ous", "ive", "ize"),
)


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The stem of a lower-case word."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 2:
        return word
    word = _past_and_participle(_plural(word))
    if word.endswith("y") and len(word) > 2 and _consonants(word)[-2]:  # NLTK: after a consonant
        word = word[:-1] + "i"
    return _final(_remove(_replace(_double_suffix(word), _STEP_3)))


def _consonants(word: str) -> list[bool]:
    flags: list[bool] = []
    for char in word:
        flags.append(char not in "aeiou" if char != "y" else not flags or not flags[-1])
    return flags


def _measure(word: str) -> int:
    flags = _consonants(word)
    return sum(now and not before for before, now in pairwise(flags))


def _ends_double(word: str) -> bool:
    return len(word) >= 2 and word[-1] == word[-2] and _consonants(word)[-1]


def _ends_short(word: str) -> bool:
    flags = _consonants(word)
    if len(word) == 2:
        return flags == [False, True]  # NLTK
    return flags[-3:] == [True, False, True] and word[-1] not in "wxy"


def _plural(word: str) -> str:
    if word.endswith("ies"):
        return word[:-1] if len(word) == 4 else word[:-2]  # NLTK: dies, lies
    if word.endswith("sses"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past_and_participle(word: str) -> str:
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]  # NLTK
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for suffix in ("ed", "ing"):
        root = word.removesuffix(suffix)
        if root != word and not all(_consonants(root)):
            break
    else:
        return word
    if root.endswith(("at", "bl", "iz")):
        return root + "e"
    if _ends_double(root):
        return root if root[-1] in "lsz" else root[:-1]
    return root + "e" if _measure(root) == 1 and _ends_short(root) else root


def _double_suffix(word: str) -> str:
    if word.endswith("alli") and _measure(word[:-4]) > 0:
        return _double_suffix(word[:-2])  # NLTK
    replaced = _replace(word, _STEP_2)
    if replaced == word and word.endswith("logi") and _measure(word[:-3]) > 0:
        return word[:-1]  # NLTK
    return replaced


def _replace(word: str, rules: dict[str, str]) -> str:
    """The first suffix that fits decides, whether or not its condition holds."""
    for suffix, replacement in rules.items():
        if word.endswith(suffix):
            root = word.removesuffix(suffix)
            return root + replacement if _measure(root) > 0 else word
    return word


def _remove(word: str) -> str:
    for suffix in _STEP_4:
        if word.endswith(suffix):
            root = word.removesuffix(suffix)
            return root if _measure(root) > 1 and (suffix != "ion" or root[-1] in "st") else word
    return word


def _final(word: str) -> str:
    if word.endswith("e"):
        measure = _measure(word[:-1])
        if measure > 1 or (measure == 1 and not _ends_short(word[:-1])):
            word = word[:-1]
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word
