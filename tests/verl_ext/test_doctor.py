"""The doctor finds what is planted, and is silent on a good set-up."""

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from video_clip import write as write_clip

from data_prep.offline import OfflineSource
from data_prep.writer import RowWriter
from verl_ext.doctor import __main__ as command
from verl_ext.doctor import configuration, environment, model
from verl_ext.tiny_model import build, rows
from verl_ext.tiny_model.tokenizer import train_tokenizer

ROWS = 24
TINY = build.ModelSize(
    text_width=32, text_depth=1, heads=1, text_mlp=32, vision_width=32, vision_depth=1, vision_mlp=32
)


@pytest.fixture(scope="module")
def setup(tmp_path_factory):
    """Folder with train.parquet, val.parquet and a model."""
    folder = tmp_path_factory.mktemp("setup")
    source = OfflineSource(seed=0)
    for split in ("train", "val"):
        with RowWriter(folder / f"{split}.parquet") as writer:
            for index in range(ROWS):
                writer.write(source.row(split, index))
            writer.finish()
            writer.publish()
    table = list(rows.read_rows(folder / "train.parquet"))
    tokenizer = train_tokenizer(text for row in table for text in rows.texts_of(row, thinking_tag="thinking"))
    build.save(build.build_model(tokenizer, TINY, seed=0), build.build_processor(tokenizer), folder / "model")
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The processes of their own have their own tests."""
    monkeypatch.setattr(environment, "plugin_findings", lambda: iter(()))
    monkeypatch.setattr(environment.torch.cuda, "device_count", lambda: 0)


def overrides(folder, *more: str) -> list[str]:
    return [
        "+machine=cpu",
        "+recipe=quickstart",
        f"data.train_files={folder}/train.parquet",
        f"data.val_files={folder}/val.parquet",
        "data.train_batch_size=8",
        "data.max_prompt_length=320",
        "data.max_response_length=96",
        f"actor_rollout_ref.model.path={folder}/model",
        "actor_rollout_ref.actor.ppo_mini_batch_size=4",
        "trainer.logger=[]",
        f"trainer.default_local_dir={folder}/run",
        *more,
    ]


def findings(folder, *more: str) -> list:
    return list(command.examine(overrides(folder, *more), ray=False, sample=ROWS))


def test_silent_on_a_good_set_up(setup):
    found = findings(setup)
    assert [one for one in found if one.level in ("fault", "warning")] == []
    tasks = [one.message for one in found if one.part == "tasks"]
    assert len(tasks) == 12
    assert any(line.startswith("shape_box (grounding): 2 rows, 8.3 %; length 0 8 40 96 tokens x 0.1") for line in tasks)


FAULTS = {
    "unknown key": (("+verl_ext.defaults.formt_weight=0.1",), "formt_weight"),
    "band upside down": (("verl_ext.defaults.entropy_band=[0.6,0.2]",), "entropy_band"),
    "unknown category": (("+verl_ext.categories.maths={}",), "maths"),
    "weights leave nothing": (("verl_ext.defaults.format_weight=0.95",), "leaves nothing"),
    "penalty breaks ties": (("algorithm.use_kl_in_reward=true",), "breaks every tie"),
    "group of one": (("actor_rollout_ref.rollout.n=1",), "group of one"),
    "filter on the shaped reward": (
        ("algorithm.filter_groups.enable=true", "algorithm.filter_groups.metric=reward"),
        "filter_groups.metric",
    ),
    "stock trainer": (("trainer.v1.trainer_mode=sync",), "does not shape entropy"),
    "envelope out of reach": (("+verl_ext.tasks.bar_value.envelope=[100,200,300,400]",), "pays nothing"),
    "batch and mini-batch": (("actor_rollout_ref.actor.ppo_mini_batch_size=3",), "no multiple"),
    "GPUs that are not there": (("trainer.device=cuda",), "0 GPUs are visible"),
    "prompts too long": (("data.max_prompt_length=8",), "prompt length"),
    "batch larger than the data": (
        ("data.train_batch_size=64", "actor_rollout_ref.actor.ppo_mini_batch_size=64"),
        "make no batch",
    ),
    "patch size": (("data.image_patch_size=14",), "patches of 16"),
    "missing file": (("data.val_files=nowhere.parquet",), "is not there"),
    "missing model": (("actor_rollout_ref.model.path=/nowhere/model",), "is not there"),
    "misspelt override": (("data.train_bach_size=4",), "do not compose"),
    "thinking tag": (("verl_ext.thinking_tag=think",), "do not ask for <think>"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_found(setup, name):
    more, message = FAULTS[name]
    found = [one for one in findings(setup, *more) if one.level in ("fault", "warning")]
    assert any(message in one.message for one in found), found


@pytest.mark.parametrize("column", ["prompt", "extra_info", "data_source", "reward_model"])
def test_a_poisoned_row_is_named(setup, tmp_path, column):
    rows = pq.read_table(setup / "train.parquet").to_pylist()
    rows[2][column] = None
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "bad.parquet")
    found = [one.message for one in findings(setup, f"data.train_files={tmp_path}/bad.parquet") if one.level == "fault"]
    (where,) = [message for message in found if ", row: row " in message]
    assert f"1 of {ROWS} rows" in where and column in where


def test_a_batch_may_take_rows_of_several_files(setup):
    files = f"data.train_files=[{setup}/train.parquet,{setup}/val.parquet]"
    sizes = ("data.train_batch_size=48", "actor_rollout_ref.actor.ppo_mini_batch_size=48")
    assert [one for one in findings(setup, files, *sizes) if "make no batch" in one.message] == []


def test_gpus_that_share_a_sequence_are_one_rank():
    actor = {"strategy": "fsdp2", "ulysses_sequence_parallel_size": 8}
    assert configuration.gpus_a_rank(actor) == 8
    sizes = {"tensor_model_parallel_size": 4, "pipeline_model_parallel_size": 2, "context_parallel_size": 1}
    assert configuration.gpus_a_rank({"strategy": "megatron", "megatron": sizes}) == 8


def test_a_plug_in_check_that_hangs_is_a_finding(monkeypatch):
    def hangs(*_args, **_kwargs):
        raise subprocess.TimeoutExpired("python", 300)

    monkeypatch.undo()  # the stand-in of `quick`
    monkeypatch.setattr(environment.subprocess, "run", hangs)
    (found,) = environment.plugin_findings()
    assert found.level == "fault" and "hangs" in found.message


def test_a_cluster_that_does_not_answer_is_a_finding(monkeypatch):
    import ray

    def unreachable(**_kwargs):
        raise ConnectionError("Could not find any running Ray instance")

    monkeypatch.setattr(ray, "init", unreachable)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.9:6379")
    (found,) = environment.ray_findings()
    assert found.level == "fault" and "10.0.0.9:6379" in found.message and "Could not find" in found.message


def rewritten(setup, tmp_path, change) -> str:
    """An override that names a copy of train.parquet with every row changed."""
    table = pq.read_table(setup / "train.parquet").drop_columns(["videos"])
    path = tmp_path / "train.parquet"
    pq.write_table(pa.Table.from_pylist([change(row) for row in table.to_pylist()], schema=table.schema), path)
    return f"data.train_files={path}"


def with_truth(row: dict) -> dict:
    return row | {"reward_model": {"style": "rule", "ground_truth": "[1, 2"}}


def with_task(row: dict) -> dict:
    return row | {"extra_info": row["extra_info"] | {"task": "digit_chioce"}}


def with_broken_image(row: dict) -> dict:
    return row | {"images": [{"bytes": row["images"][0]["bytes"][:40], "path": None}]}


def in_pixels(row: dict) -> dict:
    info = json.dumps({"box_format": "pixels", "width": 128, "height": 128})
    return row | {
        "extra_info": row["extra_info"] | {"task": "refcoco", "category": "grounding", "info": info},
        "ability": "grounding",
        "reward_model": {"style": "rule", "ground_truth": "[100, 100, 300, 300]"},
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_truth, "cannot use ground_truth"),
        (with_task, "unknown task"),
        (with_broken_image, "cannot be read"),
        (in_pixels, "boxes are asked in pixels"),
    ],
)
def test_planted_fault_in_the_data_is_found(setup, tmp_path, change, message):
    found = [one for one in findings(setup, rewritten(setup, tmp_path, change)) if one.level == "fault"]
    assert any(message in one.message for one in found), found


@pytest.fixture
def clips(setup, tmp_path):
    """A file of rows of frames and, last, of the video file that is named; as an override."""

    def written(video_file: str) -> str:
        paths = [str(tmp_path / f"{number}.png") for number in range(4)]
        for number, path in enumerate(paths):
            Image.new("RGB", (64, 64), (60 * number, 0, 0)).save(path)
        size = {"min_pixels": 4096, "max_pixels": 4096}
        with RowWriter(tmp_path / "train.parquet") as writer:
            for index, video in enumerate([paths] * 3 + [video_file]):
                row = OfflineSource(seed=0).row("train", index)
                content = row["prompt"][0]["content"].replace("<image>", "<video>")
                row["prompt"] = [{"role": "user", "content": content}]
                writer.write(row | {"images": None, "videos": [json.dumps({"video": video, **size})]})
            writer.finish()
            writer.publish()
        return f"data.train_files={tmp_path}/train.parquet"

    return written


def test_videos_are_read(setup, clips, tmp_path):
    few = ("data.train_batch_size=4", clips(write_clip(tmp_path / "clip.mp4")))
    found = {one.message.partition(": ")[2]: one.level for one in findings(setup, *few)}
    assert any(text.startswith("the prompts of 4 rows with videos take up to") for text in found)
    assert "fault" not in found.values()
    found = [one for one in findings(setup, *few, "data.max_prompt_length=20") if "with its video" in one.message]
    assert [one.level for one in found] == ["fault"] * 4


def test_a_video_that_cannot_be_read_is_named_with_its_row(setup, clips):
    few = ("data.train_batch_size=4", clips("/nowhere/clip.mp4"))
    found = [one for one in findings(setup, *few) if one.level == "fault"]
    assert ["row 3 of offline/" in one.message and "/nowhere/clip.mp4 cannot" in one.message for one in found] == [True]


def test_missing_column_is_named(setup, tmp_path):
    pq.write_table(pq.read_table(setup / "train.parquet").drop_columns(["reward_model"]), tmp_path / "train.parquet")
    found = findings(setup, f"data.train_files={tmp_path}/train.parquet")
    assert any("has no column reward_model" in one.message for one in found if one.level == "fault")


def test_no_parquet_file(setup, tmp_path):
    (tmp_path / "train.parquet").write_text("no parquet")
    found = findings(setup, f"data.train_files={tmp_path}/train.parquet")
    assert any("is no parquet file" in one.message for one in found if one.level == "fault")


@pytest.mark.parametrize(
    ("name", "version", "level"), [("verl", "0.8.0", "fault"), ("torch", "2.9.1", "warning"), ("ray", None, "fault")]
)
def test_versions(name, version, level):
    found = {tested: environment.installed(tested) for tested in environment.TESTED} | {name: version}
    odd = [one for one in environment.version_findings(found) if one.level != "ok"]
    assert [(one.level, name in one.message) for one in odd] == [(level, True)]


def test_plugin_that_did_not_register():
    (one,) = environment.registered("a Ray worker", "[false, true]\n", "")
    assert one.level == "fault"
    assert "estimator g2rpo not registered in a Ray worker" in one.message
    (one,) = environment.registered("a fresh process", "", "ImportError: no verl")
    assert "ImportError: no verl" in one.message
    (one,) = environment.registered("a fresh process", "noise\n[true, true]\n", "")
    assert one.level == "ok"


def test_a_model_too_large_for_its_gpu(setup):
    run = command.OmegaConf.to_container(command.compose_run(overrides(setup)), resolve=True)
    loaded, problems = model.load_config(run)
    assert problems == []
    assert not [one for one in model.estimate(run, loaded, gpu_memory=80.0) if one.level == "fault"]
    assert [one.level for one in model.estimate(run, loaded, gpu_memory=0.001)].count("fault") == 2


@pytest.mark.parametrize("checkpointing, bytes_each", [(None, 4), (False, 12), (True, 4)])
def test_logits_of_a_micro_batch(setup, checkpointing, bytes_each):
    run = command.OmegaConf.to_container(command.compose_run(overrides(setup)), resolve=True)
    actor = run["actor_rollout_ref"]["actor"]
    actor |= {"ppo_max_token_len_per_gpu": 2**20, "entropy_from_logits_with_chunking": checkpointing is not None}
    actor["entropy_checkpointing"] = bool(checkpointing)
    loaded, _ = model.load_config(run)
    gigabytes = loaded.text_config.vocab_size * 2**20 * bytes_each / 2**30
    assert f"logits of a micro-batch {gigabytes:.1f}" in next(model.estimate(run, loaded)).message


@pytest.mark.parametrize(("share", "warned"), [(0.85, False), (0.86, True)])
def test_a_share_of_the_gpu_that_leaves_the_trainer_little(setup, share, warned):
    rollout = f"actor_rollout_ref.rollout.gpu_memory_utilization={share}"
    run = command.OmegaConf.to_container(command.compose_run(overrides(setup, rollout)), resolve=True)
    found = model.estimate(run, model.load_config(run)[0], gpu_memory=80.0)
    assert [one.level for one in found if "leaves little for the trainer" in one.message] == ["warning"] * warned


def test_exit_code_and_json(setup, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["doctor"])
    assert command.main(["--json", "--no-ray", *overrides(setup)]) == 0
    text = capsys.readouterr().out
    report = json.loads(text[text.index('{\n  "findings"') :])
    assert report["counts"]["ok"] > 5
    assert command.main(["--no-ray", *overrides(setup, "data.val_files=nowhere.parquet")]) == 1
