from __future__ import annotations

import time

import pytest

from reward_fns.json_bounded import BadJSON, loads


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"boxes": [1, 2.5, 3, 4]}', {"boxes": [1, 2.5, 3, 4]}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ("```\n[1]\n```", [1]),
        ('"[[[[[[[[[[[["', "[[[[[[[[[[[["),
        ('["\\"[[[[[[[[[["]', ['"[[[[[[[[[[']),
    ],
)
def test_accepted(text: str, value: object) -> None:
    assert loads(text) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[NaN]", "NaN"),
        ("[Infinity]", "Infinity"),
        ("[-Infinity]", "Infinity"),
        ("[1e999]", "out of range"),
        ("[" + "9" * 5000 + "]", "digits"),
        ('{"a": 1, "a": 2}', "duplicate"),
        ("[" * 9 + "]" * 9, "nested"),
        ("[" * 40_000, "nested"),
        ('["' + '\\"' * 40_000 + "[" * 9, "not JSON"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 1} x', "not JSON"),
        ("", "not JSON"),
        ("1" * 200_000, "characters"),
    ],
    ids=range(13),
)
def test_refused_quickly(text: str, why: str) -> None:
    start = time.process_time()
    with pytest.raises(BadJSON, match=why):
        loads(text)
    assert time.process_time() - start < 3
