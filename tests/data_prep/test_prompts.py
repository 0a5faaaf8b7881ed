from __future__ import annotations

import pytest

from data_prep.offline import TASKS
from data_prep.prompts import ANSWERS, prompt
from reward_fns import registry


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("tag", ["thinking", "think"])
def test_every_prompt_asks_for_the_tags(kind, tag):
    text = prompt("How many?", kind=kind, thinking_tag=tag)
    assert text.startswith("<image>How many? Think in ")
    assert f"<{tag}></{tag}>" in text and "<answer></answer>" in text


def test_placeholders_follow_the_number_of_images():
    assert prompt("Q", kind="word", images=0).startswith("Q ")
    assert prompt("Q", kind="word", images=2).startswith("<image><image>Q ")


def test_unknown_kind_names_the_nearest():
    with pytest.raises(ValueError, match=r"'integr' \(nearest: 'integer'\)"):
        prompt("Q", kind="integr")


def test_unknown_tag_is_refused():
    with pytest.raises(ValueError, match="'thought'; use one of thinking, think"):
        prompt("Q", kind="word", thinking_tag="thought")


def test_the_prompts_ask_for_what_the_verifiers_read():
    judged = {name: (task.category, task.answer_format) for name, task in registry.TASKS.items()}
    for name, task in TASKS.items():
        assert judged[name] == (task.category, task.kind)
