"""What is written is what verl's own dataset class reads."""

from __future__ import annotations

import random
from io import BytesIO

from omegaconf import OmegaConf
from PIL import Image

from data_prep.images import seen_size
from data_prep.offline import TASKS, OfflineSource
from data_prep.prompts import full_prompt
from data_prep.schema import make_row, read_row_image
from data_prep.writer import RowWriter


def write(path, rows) -> str:
    with RowWriter(path) as writer:
        for row in rows:
            writer.write(row)
        writer.finish()
        writer.publish()
    return str(path)


def dataset(path, rows, tmp_path, **options):
    from verl.utils.dataset.rl_dataset import RLHFDataset

    from verl_ext.tiny_model.build import build_processor
    from verl_ext.tiny_model.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(row["prompt"][0]["content"] for row in rows)
    settings = {"filter_overlong_prompts_workers": None, "cache_dir": str(tmp_path / "cache"), **options}
    return RLHFDataset(path, tokenizer, OmegaConf.create(settings), build_processor(tokenizer))


def test_verl_reads_every_row(tmp_path):
    text_only = make_row(
        data_source="text", task="arithmetic", category="math_vqa", index=0, prompt="1 + 1?", ground_truth="2", info={}
    )
    rows = [*(OfflineSource().row("train", index) for index in range(len(TASKS))), text_only]
    found = dataset(write(tmp_path / "train.parquet", rows), rows, tmp_path, max_prompt_length=256)
    # verl drops a row whose prompt it cannot build, so the count is the proof that it could.
    assert len(found) == len(rows)
    assert found[len(TASKS)]["raw_prompt"] == text_only["prompt"]
    for row, item in zip(rows, found, strict=True):
        if row["images"]:
            image, text = item["raw_prompt"][0]["content"]
            assert image["image"].convert("RGB").tobytes() == read_row_image(row).tobytes()
            assert "<image>" + text["text"] == row["prompt"][0]["content"]
        assert (item["data_source"], item["index"]) == (row["data_source"], row["extra_info"]["index"])
        assert item["reward_model"] == row["reward_model"] and item["extra_info"] == row["extra_info"]


def picture(color: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (96, 64), color).save(buffer, format="PNG")
    return buffer.getvalue()


def test_verl_reads_images_paths_frames_and_videos_of_one_file(tmp_path):
    from verl.utils.dataset.rl_dataset import RLHFDataset

    paths = []
    for color in ("red", "blue"):
        paths.append(str(tmp_path / f"{color}.png"))
        (tmp_path / f"{color}.png").write_bytes(picture(color))
    media = [
        {"images": [picture("red")]},
        {"images": [paths[1], picture("red")]},
        {},
        {"videos": [{"video": [*paths, *paths], "sample_fps": 2.0, "min_pixels": 4096, "max_pixels": 65536}]},
        {"videos": ["/data/a.mp4"]},
        {"videos": [paths], "images": [paths[0]]},
    ]
    rows = []
    for index, each in enumerate(media):
        text = full_prompt("Q?", kind="text", images=len(each.get("images", ())), videos=len(each.get("videos", ())))
        rows.append(make_row(data_source="mixed", task="ocr", category="document", index=index, prompt=text,
                             ground_truth="x", info={}, **each))  # fmt: skip
    path = write(tmp_path / "train.parquet", rows)
    found = [item["raw_prompt"] for item in dataset(path, rows, tmp_path, filter_overlong_prompts=False)]
    assert found[2] == rows[2]["prompt"]
    contents = [messages[0]["content"] for messages in found if messages != rows[2]["prompt"]]
    colors = [[part["image"].getpixel((0, 0)) for part in parts if part["type"] == "image"] for parts in contents]
    red, blue = (255, 0, 0), (0, 0, 255)
    assert colors == [[red], [blue, red], [], [], [red]]
    videos = [[part for part in parts if part["type"] == "video"] for parts in contents]
    assert videos[2] == [{"type": "video", **media[3]["videos"][0]}]
    assert videos[3] == [{"type": "video", "video": "/data/a.mp4"}] and videos[4][0]["video"] == paths
    _, clips, _ = RLHFDataset._process_multi_modal_info(found[3], 16, OmegaConf.create({}))
    frames, described = clips[0]
    assert frames.shape[0] == 4 and described["fps"] == 2.0


def test_images_are_seen_in_the_size_that_the_prompt_names():
    from qwen_vl_utils.vision_process import smart_resize

    rng = random.Random(0)
    sizes = [(rng.randint(1, 3000), rng.randint(1, 3000)) for _ in range(2000)]
    for width, height in [*sizes, (14, 42), (70, 70), (4000, 4000), (56, 56), (1, 1), (1, 190)]:
        if max(width, height) <= 200 * min(width, height):
            assert seen_size(width, height, 28) == tuple(reversed(smart_resize(height, width, factor=28)))
