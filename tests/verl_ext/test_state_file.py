"""State in checkpoints: bit for bit, whole or an error that names file and remedy."""

import math

import pytest

from verl_ext import state_file


def test_floats_come_back_bit_for_bit(tmp_path):
    state = {"ema_grpo": {"a": [0.1 + 0.2, 1 / 3, math.pi * 1e-300, 5e-324]}, "step": 3}
    state_file.save(tmp_path / "new" / "state.json", state)
    assert state_file.load(tmp_path / "new" / "state.json") == state
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["state.json"]


@pytest.mark.parametrize("content", [b"", b'{"ema_grpo": {"a": [0.3', b"[1]", b"\xff\xfe\x00"])
def test_damaged_file(tmp_path, content):
    (tmp_path / "state.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"state\.json is damaged.*resume_from_path"):
        state_file.load(tmp_path / "state.json")


def test_a_write_that_is_interrupted_leaves_the_old_state(tmp_path):
    path = tmp_path / "state.json"
    state_file.save(path, {"a": 1})
    with pytest.raises(TypeError):
        state_file.save(path, {"a": object()})
    assert state_file.load(path) == {"a": 1}
