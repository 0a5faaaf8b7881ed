"""What vLLM runs on is what the trainer trains on: token ids, positions and pixels, for every kind of media.

Each patch of vLLM and of verl for videos has a test here that fails when the patch is no longer needed.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny_qwen2_5
import torch
from PIL import Image
from verl.experimental.agent_loop.agent_loop import AgentLoopWorker
from verl.utils.dataset.rl_dataset import RLHFDataset, build_multimodal_processor_inputs
from verl.utils.tokenizer import hf_processor
from verl.workers.rollout import utils as rollout_utils

from verl_ext.tiny_model import build
from verl_ext.tiny_model.tokenizer import train_tokenizer
from verl_ext.video_prompts import collapse_videos, qwen2_5_positions

START, PAD, END, IMAGE = 1, 2, 3, 4
SMALL = build.ModelSize(text_depth=1, vision_depth=1)


@pytest.mark.parametrize(
    ("ids", "collapsed"),
    [
        ([9, 1, 7, 1, 2, 2, 3, 3, 9], [9, 1, 2, 3, 9]),
        ([1, 7, 8, 1, 2, 3, 7, 1, 2, 2, 3, 3, 9], [1, 2, 3, 9]),  # two frames
        ([1, 7, 1, 2, 3, 3, 1, 7, 1, 2, 3, 7, 1, 2, 3, 3], [1, 2, 3, 1, 2, 3]),  # two videos side by side
        ([1, 4, 3, 1, 7, 1, 2, 3, 3], [1, 4, 3, 1, 2, 3]),  # an image in front
        ([1, 2, 3, 9], [1, 2, 3, 9]),  # never expanded
        ([9, 1, 9, 1, 7, 1, 2, 3, 3, 1], [9, 1, 9, 1, 2, 3, 1]),  # marks alone, as a model may write them
        ([1, 7, 1, 2, 3], [1, 7, 1, 2, 3]),  # not closed
        ([], []),
    ],
)
def test_collapsed_videos(ids, collapsed):
    assert collapse_videos(ids, start=START, pad=PAD, end=END) == collapsed


def test_time_positions_follow_the_rate_and_text_starts_behind_them():
    ids = [9, 9, *[PAD] * 8, 9, IMAGE, 9]
    grids, rates = {PAD: [[4, 2, 4]], IMAGE: [[1, 2, 2]]}, {PAD: [3.3], IMAGE: [1.0]}
    found = qwen2_5_positions(ids, grids, rates, merge=2)
    assert found[0].tolist() == [0, 1, 2, 2, 5, 5, 8, 8, 11, 11, 12, 13, 14]
    assert found[2].tolist() == [0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 12, 13, 14]


@dataclass
class Sides:
    """A model family as verl and as vLLM see it."""

    processor: Any
    vllm: Any
    positions_of: Callable[[list[int], list[Any]], torch.Tensor]

    def trainer(self, content: list[dict]) -> SimpleNamespace:
        """By verl's own functions: what the rollout server gets, and what is trained on."""
        messages = [{"role": "user", "content": content}]
        patch = self.processor.image_processor.patch_size
        images, videos, _ = RLHFDataset._process_multi_modal_info(messages, patch, {})
        text = self.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids = build_multimodal_processor_inputs(self.processor, text=[text], images=images, videos=videos)["input_ids"]
        worker = object.__new__(AgentLoopWorker)
        worker.processor, worker.tokenizer = self.processor, self.processor.tokenizer
        media = {name: data for name, data in (("images", images), ("videos", videos)) if data}
        output = SimpleNamespace(multi_modal_data=media, mm_processor_kwargs={})
        features = worker._compute_multi_modal_inputs(output, ids)
        positions = worker._compute_position_ids(ids, torch.ones_like(ids), features)[0, -3:]
        return SimpleNamespace(ids=ids[0].tolist(), media=media, positions=positions, features=features)

    def rollout(self, ids: list[int], media: dict[str, list]) -> SimpleNamespace:
        """By vLLM's own functions: what its model runs on."""
        from vllm.multimodal.inputs import MultiModalFeatureSpec

        short = rollout_utils.qwen2_5_vl_dedup_image_tokens(ids, self.processor)
        items = self.vllm.info.parse_mm_data({name.removesuffix("s"): data for name, data in media.items()})
        made = self.vllm(short, mm_items=items, hf_processor_mm_kwargs={})
        features = [
            MultiModalFeatureSpec(data=data, modality=kind, identifier="", mm_position=place)
            for kind, places in made["mm_placeholders"].items()
            for data, place in zip(made["mm_kwargs"][kind], places, strict=True)
        ]
        found = made["prompt_token_ids"]
        return SimpleNamespace(ids=found, positions=self.positions_of(found, features), features=features)


@pytest.fixture(scope="module")
def sides(tmp_path_factory) -> dict[str, Sides]:
    pytest.importorskip("vllm")
    from vllm.config import ModelConfig
    from vllm.model_executor.models.qwen2_5_vl import Qwen2_5_VLForConditionalGeneration
    from vllm.model_executor.models.qwen3_vl import Qwen3VLForConditionalGeneration
    from vllm.multimodal import MULTIMODAL_REGISTRY
    from vllm.plugins import load_general_plugins

    load_general_plugins()
    root = tmp_path_factory.mktemp("models")
    tokenizer = train_tokenizer(["what is in it"], max_words=20)
    build.save(build.build_model(tokenizer, SMALL, seed=0), build.build_processor(tokenizer), root / "qwen3")
    tiny_qwen2_5.write(root / "qwen3", root / "qwen2_5")
    found = {}
    for family, model in (("qwen3", Qwen3VLForConditionalGeneration), ("qwen2_5", Qwen2_5_VLForConditionalGeneration)):
        config = ModelConfig(model=str(root / family), tokenizer=str(root / family), dtype="float32")
        stub = SimpleNamespace(config=config.hf_config)
        for name in ("_get_mrope_input_positions", "iter_mm_grid_thw"):
            if function := inspect.getattr_static(model, name, None):
                bound = function.__func__ if isinstance(function, staticmethod) else MethodType(function, stub)
                setattr(stub, name, bound)
        found[family] = Sides(
            hf_processor(str(root / family)),
            MULTIMODAL_REGISTRY.create_processor(config),
            lambda ids, features, stub=stub, model=model: model.get_mrope_input_positions(stub, ids, features)[0],
        )
    return found


def picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (64, 96, 3), dtype=np.uint8))


def image(seed: int) -> dict:
    return {"type": "image", "image": picture(seed)}


def video(frames: int, **rules: float) -> dict:
    shown = [picture(seed) for seed in range(frames)]
    return {"type": "video", "video": shown, "min_pixels": 4096, "max_pixels": 16384, **rules}


def text(words: str) -> dict:
    return {"type": "text", "text": words}


MEDIA = {
    "one image": [image(1), text("what is it")],
    "images": [image(1), text("and"), image(2), image(3), text("what")],
    "video": [video(6), text("what is in it")],
    "odd number of frames": [video(5), text("what")],
    "times in the question": [video(6, sample_fps=0.5), text("<0.5 seconds> what is in <1.5 seconds>")],
    "uneven rate": [video(24, sample_fps=1.3), text("what")],
    "two videos": [video(4), video(6, sample_fps=1.0), text("what")],
    "two videos apart": [video(4), text("and"), video(6), text("what")],
    "image and video": [image(1), video(4), text("what")],
    "video and images": [video(4), image(1), text("what"), image(2)],
}


@pytest.mark.parametrize("family", ["qwen3", "qwen2_5"])
@pytest.mark.parametrize("kind", MEDIA)
def test_vllm_runs_on_what_is_trained_on(sides, family, kind):
    trained = sides[family].trainer(MEDIA[kind])
    run = sides[family].rollout(trained.ids, trained.media)
    assert run.ids == trained.ids
    assert run.positions.tolist() == trained.positions.tolist()
    for modality, name in (("image", "pixel_values"), ("video", "pixel_values_videos")):
        shown = [feature.data[name].data for feature in run.features if feature.modality == modality]
        assert torch.equal(torch.cat(shown), trained.features[name]) if shown else name not in trained.features


@pytest.mark.parametrize("family", ["qwen3", "qwen2_5"])
def test_prompts_without_media_reach_vllm_as_they_are(sides, family):
    processor = sides[family].processor
    ids = processor.tokenizer("what is <|vision_start|> in it <0.5 seconds><|vision_end|>").input_ids
    assert rollout_utils.qwen2_5_vl_dedup_image_tokens(ids, processor) == ids
    assert rollout_utils.qwen2_5_vl_dedup_image_tokens(ids, None) == ids


def test_video_tokens_patch_is_still_needed(sides):
    processor = sides["qwen3"].processor
    ids = sides["qwen3"].trainer(MEDIA["video"]).ids
    stock = inspect.unwrap(rollout_utils.qwen2_5_vl_dedup_image_tokens)(ids, processor)
    assert stock.count(processor.video_token_id) == 3, "one for each of the video's time patches"


def test_outer_marks_patch_is_still_needed(sides, monkeypatch):
    from vllm.model_executor.models.qwen3_vl import Qwen3VLMultiModalProcessor as patched

    trained = sides["qwen3"].trainer(MEDIA["video"])
    monkeypatch.setattr(patched, "get_video_repl", staticmethod(inspect.unwrap(patched.get_video_repl)))
    assert len(sides["qwen3"].rollout(trained.ids, trained.media).ids) == len(trained.ids) - 2


def test_frame_rates_patch_is_still_needed(sides, monkeypatch):
    trained = sides["qwen2_5"].trainer(MEDIA["video"])
    info = sides["qwen2_5"].vllm.info
    monkeypatch.setitem(vars(info), "data_parser", inspect.unwrap(type(info).get_data_parser)(info))
    run = sides["qwen2_5"].rollout(trained.ids, trained.media)
    assert run.features[0].data["second_per_grid_ts"].data.item() == pytest.approx(2 / 24)
    assert trained.features["second_per_grid_ts"].tolist() == [1.0]


def test_video_positions_patch_is_still_needed(sides, monkeypatch):
    patched = sides["qwen2_5"].trainer(MEDIA["uneven rate"])
    fresh = hf_processor(sides["qwen2_5"].processor.config._name_or_path)
    monkeypatch.setattr(AgentLoopWorker, "_compute_position_ids", inspect.unwrap(AgentLoopWorker._compute_position_ids))
    stock = Sides(fresh, None, None).trainer(MEDIA["uneven rate"])
    assert stock.ids == patched.ids
    assert stock.positions.max() < patched.positions.max()
