"""The tiny model: tokenizer, folder, warm start, cache. Pictures are plain colours, so that steps take milliseconds."""

from __future__ import annotations

import io
import json

import pytest
import torch
from PIL import Image

from data_prep.prompts import prompt
from data_prep.schema import make_row
from data_prep.writer import RowWriter
from verl_ext.tiny_model import __main__ as command
from verl_ext.tiny_model import batches, build, fast, make, rows, warm_start
from verl_ext.tiny_model.muon import orthogonal
from verl_ext.tiny_model.tokenizer import INSTRUCTIONS, train_tokenizer

COLORS = ("red", "blue", "green")
SIZE = build.ModelSize(
    text_width=32, text_depth=1, heads=1, text_mlp=32, vision_width=32, vision_depth=1, vision_mlp=32
)
RECIPE = warm_start.Recipe(steps=4, batch=8, warmup=2)


def colour_row(index: int) -> dict:
    color = COLORS[index % 3]
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), color).save(picture, "PNG")
    info = {"worked": f"{color} square", "target": color, "caption": f"a1 {color} square"}
    return make_row(
        data_source="offline/shape_color", task="shape_color", category="general_vqa", index=index,
        prompt=prompt("What colour is the square?", kind="word"), ground_truth=color, info=info,
        images=[picture.getvalue()],
    )  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with RowWriter(folder / "train.parquet") as writer:
        for index in range(60):
            writer.write(colour_row(index))
        entry = writer.finish()
        writer.publish()
    manifest = {"arguments": {"thinking_tag": "thinking"}, "splits": {"train": entry}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def parts(data):
    """Tokenizer, processor, model, examples, encoded examples."""
    table = list(rows.read_rows(data / "train.parquet"))
    tokenizer = train_tokenizer(text for row in table for text in rows.texts_of(row, thinking_tag="thinking"))
    processor = build.build_processor(tokenizer)
    model = build.build_model(tokenizer, SIZE, seed=0)
    examples = [rows.to_example(row, thinking_tag="thinking") for row in table]
    return tokenizer, processor, model, examples, [batches.encode(example, processor) for example in examples]


def pairs(parts, count: int = 8) -> list:
    return [(row, turn) for row, turn in zip(parts[4], ["worked", "quick", "caption"] * count, strict=False)][:count]


def test_whole_numbers_are_single_tokens(parts):
    tokenizer = parts[0]
    for number in [*range(100), *range(100, 1001, 10)]:
        assert len(tokenizer(str(number)).input_ids) == 1, number


@pytest.mark.parametrize(
    "text", ['<answer>{"boxes": [105, 20]}</answer>', "naïve 東京 ;\n", "A. 3 B. 7", *INSTRUCTIONS[:2]]
)
def test_text_survives_the_tokenizer(parts, text):
    tokenizer = parts[0]
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_a_copied_letter_is_the_same_token(parts):
    tokenizer = parts[0]
    letter = tokenizer("B").input_ids
    assert len(letter) == 1 and letter[0] in tokenizer(" A. 3 B. 7").input_ids


def test_the_folder_loads_with_the_auto_classes(parts, tmp_path):
    from transformers import AutoModelForImageTextToText, AutoProcessor

    _, processor, model, examples, _ = parts
    build.save(model, processor, tmp_path)
    loaded, model_again = AutoProcessor.from_pretrained(tmp_path), AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert type(loaded).__name__ == "Qwen3VLProcessor" and type(model_again) is type(model)
    assert model_again.config.text_config.vocab_size == len(loaded.tokenizer)
    assert model_again.config.text_config.architectures
    text = rows.prompt_text(examples[0].prompt, loaded)
    inputs = loaded(text=[text], images=[examples[0].image], return_tensors="pt")
    assert (inputs["input_ids"] == loaded.image_token_id).sum() == 4
    with torch.no_grad():
        assert torch.equal(model(**inputs).logits, model_again(**inputs).logits)


def test_encoding_agrees_with_the_processor(parts):
    _, processor, _, examples, encoded = parts
    text = rows.prompt_text(examples[0].prompt, processor)
    inputs = processor(text=[text], images=[examples[0].image], return_tensors="pt")
    assert inputs["input_ids"][0].tolist() == encoded[0].turns["worked"][0]


def test_the_fast_loss_is_the_models_own(parts):
    _, processor, model, _, _ = parts
    batch = batches.collate(pairs(parts), processor)
    own = model(**batch, use_cache=False).loss
    own.backward()
    grads = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    with fast.fast_vision(model):
        loss = fast.response_loss(model, batch)
        loss.backward()
    assert loss.item() == pytest.approx(own.item(), rel=1e-5)
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, grads[name], rtol=1e-3, atol=1e-6)
    assert "forward" not in model.model.visual.__dict__
    model.zero_grad()


def test_orthogonal_brings_singular_values_near_one():
    values = torch.linalg.svdvals(orthogonal(torch.randn(2, 24, 8, generator=torch.Generator().manual_seed(0))))
    assert values.min() > 0.5 and values.max() < 1.5


def test_stages_of_the_teacher():
    recipe = warm_start.Recipe(steps=100, quick_by_task={"relation": 0.4})
    assert recipe.shares("relation", 0)[0] > 0.3
    assert recipe.shares("relation", 99) == (0.0, 0.4) and recipe.shares("arithmetic", 99) == (0.0, recipe.quick[2])


def test_batches_do_not_depend_on_where_a_run_starts(parts):
    def turns(first: int) -> list:
        found = batches.schedule(parts[4], batch=8, seed=1, shares=RECIPE.shares, first_step=first)
        return [[(id(row), turn) for row, turn in next(found)] for _ in range(9 - first)]

    assert turns(0)[3:] == turns(3)


def test_steps_reduce_the_loss_and_resume_to_the_same_weights(parts, tmp_path):
    tokenizer, processor, _, _, encoded = parts

    def run(state, model, **settings):
        recipe = warm_start.Recipe(batch=8, warmup=2, **settings)
        return warm_start.train(
            model, processor, encoded, recipe=recipe, seed=0, state=state, progress=False, save_every=30
        )

    straight = build.build_model(tokenizer, SIZE, seed=0)
    losses = run(tmp_path / "a.pt", straight, steps=40)
    assert losses[-1] < 0.7 * losses[0]
    resumed = build.build_model(tokenizer, SIZE, seed=5)
    assert run(tmp_path / "a.pt", resumed, steps=40) == pytest.approx(losses, rel=1e-4)
    for first, second in zip(straight.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-5)


def test_made_once_and_again_only_when_an_input_changes(data, tmp_path):
    out = tmp_path / "model"
    settings = {"data": data, "out": out, "size": SIZE, "recipe": RECIPE, "progress": False}
    report, made = make.make_tiny_model(**settings)
    assert made and report["parameters"] > 0 and set(report["held_out"]) == {"shape_color"}
    assert json.loads((out / make.REPORT).read_text()) == report
    assert not (out / warm_start.STATE).exists() and not list(tmp_path.glob(".*"))
    assert make.make_tiny_model(**settings) == (report, False)
    assert make.inputs_of(data, seed=1, size=SIZE, recipe=RECIPE)["hash"] != report["inputs"]["hash"]


def test_held_out_rows_are_not_trained_on(parts):
    held_out, training = make.split_rows(parts[3])
    assert held_out and len(held_out) + len(training) == len(parts[3])
    assert not {row.extra_info["index"] for row in held_out} & {row.extra_info["index"] for row in training}


def test_missing_data_is_an_error_that_names_it(tmp_path, capsys):
    assert command.main(["--data", str(tmp_path), "--out", str(tmp_path / "model")]) == 2
    assert "manifest.json" in capsys.readouterr().err


def test_a_row_without_a_target_is_named(data):
    row = next(rows.read_rows(data / "train.parquet"))
    row["extra_info"]["info"] = json.dumps({"worked": "red"})
    with pytest.raises(ValueError, match=r"row 0 of offline/shape_color.*'target'"):
        rows.to_example(row, thinking_tag="thinking")
