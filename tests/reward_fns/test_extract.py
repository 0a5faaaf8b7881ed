from __future__ import annotations

import time

import pytest

from reward_fns.extract import extract


@pytest.mark.parametrize(
    ("response", "answer", "why"),
    [
        ("<thinking>t</thinking><answer>B</answer>", "B", "the normal form"),
        ("<think>t</think>\n<answer> B </answer>", "B", "the other spelling of the tag; white space off"),
        ("<answer>B</answer>", "B", "no thinking part"),
        ("<thinking>t</thinking><answer>A</answer><answer>B</answer>", "B", "the last block counts"),
        ("<thinking><answer>A</answer></thinking><answer>B</answer>", "B", "an answer in the thinking part"),
        ("<thinking><answer>A</answer></thinking>", None, "only in the thinking part"),
        ("<thinking>hm <answer>A</answer>", None, "the thinking part never ends"),
        ("<thinking>a</thinking> b <thinking> <answer>A</answer>", None, "it is reopened and never ends"),
        ("<thinking>a</thinking><answer>A</answer><thinking>b", "A", "reopened behind the answer"),
        ("<thinking>t</thinking><answer></answer>", None, "empty"),
        ("<thinking>then 6</thinking><answer>  \n</answer>", None, "white space never falls back to the response"),
        ("<thinking>t</thinking><answer><answer>A</answer></answer>", None, "nested"),
        ("<thinking>t</thinking><answer>A</answer><answer>B", "A", "the last well-formed block"),
        ("<thinking>t</thinking><answer>A</answer></answer>", "A", "a stray closing tag"),
        ("<thinking>t</thinking></answer>A<answer>", None, "the wrong way round"),
        ("<thinking>t</thinking><answer>1 / 2 < 3</answer>", "1 / 2 < 3", "the text itself is never altered"),
        ("<thinking>t</thinking>< answer >A</ answer >", None, "tags are literal"),
        ("<thinking>t</thinking>B", None, "no tags"),
        ("", None, "nothing"),
    ],
)
def test_answer(response: str, answer: str | None, why: str) -> None:
    assert extract(response).answer == answer, why


def test_tail_is_what_follows_the_last_closing_thinking_tag() -> None:
    assert extract("<thinking>a</thinking>b</think> The answer is 6. ").tail == "The answer is 6."
    assert extract("no tags").tail == "no tags"


@pytest.mark.parametrize(
    "bomb",
    [
        "<answer>" * 300_000,
        "</answer>" * 300_000,
        "<thinking>" * 200_000,
        "<" * 2_000_000,
        "<answer></answer>" * 100_000,
    ],
    ids=["openings", "closings", "thinking", "brackets", "blocks"],
)
def test_linear_in_the_length(bomb: str) -> None:
    start = time.process_time()
    assert extract(bomb).answer is None
    assert time.process_time() - start < 5.0
