"""A damaged checkpoint is named and passed over, and one that is whole is left to verl."""

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file

from verl_ext.checkpoints import TRACKER, choose, damage, goes_on_from, settle


def checkpoint(root, step):
    folder = root / f"global_step_{step}"
    (folder / "actor" / "huggingface").mkdir(parents=True)
    torch.save({"weight": torch.ones(100)}, folder / "actor" / "model_world_size_1_rank_0.pt")
    save_file({"weight": torch.ones(100)}, folder / "actor" / "huggingface" / "model.safetensors")
    (folder / "actor" / "huggingface" / "config.json").write_text("{}")
    torch.save({"sampler": step}, folder / "data.pt")
    (folder / "verl_ext.json").write_text("{}")
    (root / TRACKER).write_text(str(step))
    return folder


def settings(root, **trainer):
    block = {"default_local_dir": str(root), "resume_mode": "auto", "resume_from_path": None}
    block |= {"nnodes": 1, "n_gpus_per_node": 1}
    return OmegaConf.create({"trainer": block | {"v1": {"trainer_mode": "verl_ext_sync"}} | trainer})


def cut(path, share=0.5):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def test_whole_checkpoints_are_left_to_verl(tmp_path):
    checkpoint(tmp_path, 2)
    config = settings(tmp_path)
    assert settle(config) is None
    assert config.trainer.resume_mode == "auto"
    assert goes_on_from(config) == "the same command goes on after step 2"


def test_without_a_checkpoint_the_run_starts(tmp_path):
    assert settle(settings(tmp_path / "nothing")) is None


@pytest.mark.parametrize(
    "name",
    [
        "actor/model_world_size_1_rank_0.pt",
        "actor/huggingface/model.safetensors",
        "actor/huggingface/config.json",
        "data.pt",
        "verl_ext.json",
    ],
)
@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_named_and_the_step_before_taken(tmp_path, name, share):
    before, newest = checkpoint(tmp_path, 9), checkpoint(tmp_path, 10)
    cut(newest / name, share)
    config = settings(tmp_path)
    said = settle(config)
    assert str(newest / name) in said and "goes on from global_step_9" in said
    assert (config.trainer.resume_mode, config.trainer.resume_from_path) == ("resume_path", str(before))


@pytest.mark.parametrize("text", ["", "1x", "\x00\x00"])
def test_a_torn_tracker_means_the_newest_whole_checkpoint(tmp_path, text):
    """verl empties the file before it writes it; numbers order steps, not names."""
    checkpoint(tmp_path, 9), checkpoint(tmp_path, 10)
    (tmp_path / TRACKER).write_text(text)
    folder, (problem,) = choose(tmp_path)
    assert folder.name == "global_step_10" and TRACKER in problem


def test_an_interrupted_save_is_not_taken_for_a_checkpoint(tmp_path):
    checkpoint(tmp_path, 1)
    (checkpoint(tmp_path, 2) / "data.pt").unlink()
    assert choose(tmp_path)[0].name == "global_step_1"


def test_a_tracker_of_a_folder_that_is_gone_does_not_start_from_scratch(tmp_path):
    """verl would, and the metrics of the steps before would go."""
    checkpoint(tmp_path, 1)
    (tmp_path / TRACKER).write_text("2")
    assert choose(tmp_path)[0].name == "global_step_1"


def test_folders_whose_weights_verl_deleted_do_not_count(tmp_path):
    folder = checkpoint(tmp_path, 1)
    for path in sorted((folder / "actor").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    cut(checkpoint(tmp_path, 2) / "data.pt")
    with pytest.raises(ValueError, match=r"no other .* is whole.*resume_mode=disable"):
        settle(settings(tmp_path))


def test_a_path_that_is_asked_for_is_never_exchanged(tmp_path):
    checkpoint(tmp_path, 1)
    asked = checkpoint(tmp_path, 2)
    cut(asked / "data.pt")
    with pytest.raises(ValueError, match=r"Whole ones in .*: global_step_1"):
        settle(settings(tmp_path, resume_mode="resume_path", resume_from_path=str(asked)))


def test_modes_that_prefetch_need_their_queue(tmp_path):
    folder = checkpoint(tmp_path, 2)
    (tmp_path / TRACKER).write_text("1")
    assert damage(folder) == []
    assert "transfer_queue" in damage(folder, asynchronous=True)[0]


@pytest.mark.parametrize("mode", ["sync", "verl_ext_sync", "colocate_async", "verl_ext_separate_async"])
def test_whether_a_queue_is_needed_follows_the_mode(tmp_path, mode):
    folder = checkpoint(tmp_path, 2)
    (tmp_path / TRACKER).write_text("1")
    config = settings(tmp_path, v1={"trainer_mode": mode}, resume_mode="resume_path", resume_from_path=str(folder))
    if mode.endswith("async"):
        with pytest.raises(ValueError, match="transfer_queue is missing"):
            settle(config)
    else:
        assert settle(config) is None


def test_a_checkpoint_of_the_synchronous_trainer_has_no_queue(tmp_path):
    """A mode that prefetches goes on from it."""
    checkpoint(tmp_path, 1), checkpoint(tmp_path, 2)
    config = settings(tmp_path, v1={"trainer_mode": "verl_ext_colocate_async"})
    assert settle(config) is None
    assert damage(tmp_path / "global_step_1", asynchronous=True) == []


def test_a_run_that_is_never_resumed_does_not_say_it_will_be(tmp_path):
    checkpoint(tmp_path, 2)
    assert "from the beginning" in goes_on_from(settings(tmp_path, resume_mode="disable"))


def test_a_large_header_is_not_read(tmp_path):
    folder = checkpoint(tmp_path, 1)
    (folder / "actor" / "x.safetensors").write_bytes(b"\xff" * 64)
    assert any("x.safetensors" in problem for problem in damage(folder))


@pytest.mark.parametrize("mode", ["auto", "resume_path"])
def test_a_checkpoint_of_other_ranks_is_refused(tmp_path, mode):
    folder = checkpoint(tmp_path, 2)
    (folder / "actor" / "fsdp_config.json").write_text('{"FSDP_version": 2, "world_size": 8}')
    config = settings(tmp_path, resume_mode=mode, resume_from_path=str(folder))
    with pytest.raises(ValueError, match=r"global_step_2 was written by 8 ranks, the run has 1 .*model_merger"):
        settle(config)
    config.trainer.update({"nnodes": 2, "n_gpus_per_node": 4})
    assert settle(config) is None
