"""What is written is what verl's own dataset class reads."""

from __future__ import annotations

from omegaconf import OmegaConf

from data_prep.offline import TASKS, OfflineSource
from data_prep.schema import make_row, read_row_image
from data_prep.writer import RowWriter


def test_verl_reads_every_row(tmp_path):
    from verl.utils.dataset.rl_dataset import RLHFDataset

    from verl_ext.tiny_model.build import build_processor
    from verl_ext.tiny_model.tokenizer import train_tokenizer

    text_only = make_row(
        data_source="text", task="arithmetic", category="math_vqa", index=0, prompt="1 + 1?", ground_truth="2", info={}
    )
    rows = [*(OfflineSource().row("train", index) for index in range(len(TASKS))), text_only]
    with RowWriter(tmp_path / "train.parquet") as writer:
        for row in rows:
            writer.write(row)
        writer.finish()
        writer.publish()
    tokenizer = train_tokenizer(row["prompt"][0]["content"] for row in rows)
    config = OmegaConf.create(
        {"max_prompt_length": 256, "filter_overlong_prompts_workers": None, "cache_dir": str(tmp_path / "cache")}
    )
    dataset = RLHFDataset(str(tmp_path / "train.parquet"), tokenizer, config, build_processor(tokenizer))
    # verl drops a row whose prompt it cannot build, so the count is the proof that it could.
    assert len(dataset) == len(rows)
    assert dataset[len(TASKS)]["raw_prompt"] == text_only["prompt"]
    for row, item in zip(rows, dataset, strict=True):
        if row["images"]:
            image, text = item["raw_prompt"][0]["content"]
            assert image["image"].convert("RGB").tobytes() == read_row_image(row).tobytes()
            assert "<image>" + text["text"] == row["prompt"][0]["content"]
        assert (item["data_source"], item["index"]) == (row["data_source"], row["extra_info"]["index"])
        assert item["reward_model"] == row["reward_model"] and item["extra_info"] == row["extra_info"]
