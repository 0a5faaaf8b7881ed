from __future__ import annotations

import pytest

from reward_fns.format import format_ok


@pytest.mark.parametrize(
    ("response", "good", "why"),
    [
        ("<thinking>t</thinking><answer>B</answer>", True, "the normal form"),
        (" \n<thinking>t\nu</thinking>\n\n<answer>\nB</answer>\n", True, "white space around and between"),
        ("<thinking></thinking><answer>B</answer>", True, "thinking may be empty"),
        ("<thinking>t</thinking><answer></answer>", False, "empty answer"),
        ("<thinking></thinking><answer> \u200b</answer>", False, "an answer of invisible characters"),
        ("<answer>B</answer>", False, "no thinking"),
        ("<thinking>t</thinking>B", False, "no answer"),
        ("<thinking>t</thinking>so<answer>B</answer>", False, "text between"),
        ("so <thinking>t</thinking><answer>B</answer>", False, "text before"),
        ("<thinking>t</thinking><answer>B</answer> ok", False, "text behind"),
        ("<thinking>t</thinking><answer>A</answer><answer>B</answer>", False, "two answers"),
        ("<thinking>t</thinking><thinking>u</thinking><answer>B</answer>", False, "two thinking blocks"),
        ("<thinking>t<thinking>u</thinking></thinking><answer>B</answer>", False, "nested thinking"),
        ("<thinking>t</thinking><answer>A<answer>B</answer></answer>", False, "nested answer"),
        ("<thinking><answer>A</answer></thinking><answer>B</answer>", False, "an answer in the thinking part"),
        ("<thinking>t<answer>A</thinking></answer>", False, "crossed"),
        ("<answer>B</answer><thinking>t</thinking>", False, "the wrong order"),
        ("< thinking >t</ thinking ><answer>B</answer>", False, "spaces in tags"),
        ("<think>t</think><answer>B</answer>", False, "the other spelling"),
        ("<thinking>a <think> b</thinking><answer>B</answer>", False, "the other spelling inside"),
        ("", False, "nothing"),
    ],
)
def test_format(response: str, good: bool, why: str) -> None:
    assert format_ok(response) is good, why


def test_the_tag_is_a_setting() -> None:
    assert format_ok("<think>t</think><answer>B</answer>", "think")
    assert not format_ok("<thinking>t</thinking><answer>B</answer>", "think")
