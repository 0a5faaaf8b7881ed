"""Single checks of the doctor on small settings: each is silent on what is sound and speaks on what is not."""

import io
from contextlib import redirect_stdout
from types import SimpleNamespace

import pytest

from data_prep import check_rows
from verl_ext.doctor import configuration, environment, model

ACTOR = {"strategy": "fsdp2", "ppo_mini_batch_size": 4, "ppo_max_token_len_per_gpu": 416, "use_dynamic_bsz": True}
RUN = {
    "actor": ACTOR | {"loss_agg_mode": "seq-mean-token-mean"},
    "rollout": {"n": 2, "tensor_model_parallel_size": 2, "max_model_len": 416},
    "model": {"path": "tiny"},
    "data": {"train_batch_size": 8, "max_prompt_length": 320, "max_response_length": 96, "image_patch_size": 16},
    "trainer": {"nnodes": 2, "n_gpus_per_node": 4, "device": "cuda", "save_freq": 10, "default_local_dir": "run"},
    "verl_ext": {"run_dir": None},
}


def run_with(changes: dict) -> dict:
    """The settings as verl nests them, with values at dotted paths replaced."""
    run = {name: dict(block) for name, block in RUN.items()}
    for path, value in changes.items():
        block, name = path.split(".")
        run[block][name] = value
    return run | {"actor_rollout_ref": {name: run[name] for name in ("actor", "rollout", "model")}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"actor.ppo_mini_batch_size": 3}, ["no multiple of actor", "does not divide over 8"]),
        ({"rollout.n": 3}, ["4 prompts x 3 responses does not divide over 8 data-parallel ranks"]),
        ({"rollout.n": 3, "actor.ulysses_sequence_parallel_size": 2}, []),
        ({"rollout.tensor_model_parallel_size": 3}, ["8 GPUs are no multiple"]),
        ({"actor.ppo_max_token_len_per_gpu": 415}, ["does not hold one prompt and response of 416"]),
        (
            {"actor.ppo_max_token_len_per_gpu": 1, "actor.use_dynamic_bsz": False},
            [],
        ),
        ({"rollout.max_model_len": 415}, ["max_model_len=415 is below"]),
        ({"rollout.max_model_len": None}, []),
        ({"actor.loss_agg_mode": "token-mean"}, ["outweigh"]),
        ({"actor.ppo_mini_batch_size": 3, "trainer.val_only": True}, []),
    ],
)
def test_sizes_that_must_divide_or_hold(changes, said):
    run = run_with(changes)
    found = [*configuration.division_findings(run), *configuration.length_findings(run)]
    found = [one.message for one in found]
    assert len(found) == len(said) and all(part in one for part, one in zip(said, found, strict=True)), found


@pytest.mark.parametrize(("gpus", "said"), [(6, []), (4, ["4 GPUs are no multiple"])])
def test_engines_with_gpus_of_their_own_divide_those(gpus, said):
    run = run_with({"rollout.tensor_model_parallel_size": 3, "rollout.nnodes": 1, "rollout.n_gpus_per_node": gpus})
    run["actor_rollout_ref"]["hybrid_engine"] = False
    found = [one.message for one in configuration.division_findings(run)]
    assert len(found) == len(said) and all(part in one for part, one in zip(said, found, strict=True)), found


@pytest.mark.parametrize(
    ("changes", "free", "said"),
    [
        ({}, (4, 60), []),
        ({"trainer.n_gpus_per_node": 5}, (4, 60), ["n_gpus_per_node=5, but 4 GPUs"]),
        ({}, (4, 40), ["40 GB are free"]),
        ({"trainer.save_freq": -1}, (4, 40), []),
        ({"trainer.device": "cpu", "trainer.n_gpus_per_node": 5}, (11, 40), []),
        ({"trainer.device": "cpu"}, (9, 60), ["9 GiB of memory are free"]),
    ],
)
def test_gpus_memory_and_disk(monkeypatch, tmp_path, changes, free, said):
    memory, disk = free
    gib = 2**30
    monkeypatch.setattr(
        environment.psutil, "virtual_memory", lambda: SimpleNamespace(total=64 * gib, available=memory * gib)
    )
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _path: SimpleNamespace(free=disk * 1e9))
    config = run_with({"trainer.default_local_dir": str(tmp_path / "not" / "yet"), **changes})
    found = environment.machine_findings(config, gpus=4)
    wrong = [one.message for one in found if one.level in ("fault", "warning")]
    assert len(wrong) == len(said) and all(part in one for part, one in zip(said, wrong, strict=True)), wrong


class Tokenizer:
    chat_template = None

    def __len__(self):
        return 100


@pytest.mark.parametrize(
    ("changes", "tied", "refused"),
    [
        ({}, False, True),
        ({}, True, False),
        ({"model.use_fused_kernels": False}, False, False),
        ({"actor.strategy": "megatron"}, False, False),
        ({"trainer.nnodes": 1, "trainer.n_gpus_per_node": 1}, False, False),
    ],
)
def test_fused_kernels_over_a_sharded_head(monkeypatch, changes, tied, refused):
    processor = SimpleNamespace(tokenizer=Tokenizer(), chat_template="{{ messages }}")
    monkeypatch.setattr(check_rows, "load_processor", lambda _path: processor)
    text = SimpleNamespace(vocab_size=100, max_position_embeddings=416)
    loaded = SimpleNamespace(model_type="tiny", text_config=text, tie_word_embeddings=tied)
    run = run_with({"model.use_fused_kernels": True} | changes)
    found = [one.message for one in model.model_findings(run, loaded) if one.level == "fault"]
    assert ["past FSDP2" in message for message in found] == [True] * refused


@pytest.mark.parametrize(
    ("vocabulary", "positions", "patch", "template", "said"),
    [
        (100, 416, 16, "{{ messages }}", []),
        (99, 416, 16, "{{ messages }}", ["100 tokens, the model 99 embeddings"]),
        (100, 415, 16, "{{ messages }}", ["416 tokens, the model knows 415 positions"]),
        (100, 416, 14, "{{ messages }}", ["patches of 14"]),
        (100, 416, 16, None, ["neither processor nor tokenizer has a chat template"]),
    ],
)
def test_what_the_model_and_its_processor_must_fit(monkeypatch, vocabulary, positions, patch, template, said):
    processor = SimpleNamespace(tokenizer=Tokenizer(), chat_template=template)
    monkeypatch.setattr(check_rows, "load_processor", lambda _path: processor)
    loaded = SimpleNamespace(
        model_type="tiny",
        text_config=SimpleNamespace(vocab_size=vocabulary, max_position_embeddings=positions),
        vision_config=SimpleNamespace(patch_size=patch),
    )
    found = [one.message for one in model.model_findings(run_with({}), loaded) if one.level == "fault"]
    assert len(found) == len(said) and all(part in one for part, one in zip(said, found, strict=True)), found
    if template is None:
        processor.tokenizer.chat_template = "{{ messages }}"
        assert not [one for one in model.model_findings(run_with({}), loaded) if one.level == "fault"]


def test_the_probe_of_the_plug_in_finds_it(monkeypatch):
    """Run in this process, where `import verl` has brought it."""

    def here(command, **_):
        with redirect_stdout(io.StringIO()) as printed:
            exec(command[-1], {})
        return SimpleNamespace(stdout=printed.getvalue(), stderr="")

    monkeypatch.setattr(environment.subprocess, "run", here)
    (found,) = environment.plugin_findings()
    assert found.level == "ok", found.message
