"""The model: does its config load, does it fit its processor and the data settings, what memory does a GPU need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from verl_ext.doctor.finding import Finding, fault, note, ok, warning

BYTES_FP32, BYTES_BF16 = 4, 2
GIB = 2**30


def load_config(config: Mapping[str, Any]) -> tuple[Any, list[Finding]]:
    """transformers' config of the model, or None and the reason (none for a folder that `main_ppo.check` misses)."""
    from transformers import AutoConfig

    name = str(config["actor_rollout_ref"]["model"]["path"])
    path = Path(name).expanduser()
    if name.startswith(("/", ".", "~")) and not path.is_dir():
        return None, []
    try:
        return AutoConfig.from_pretrained(path if path.is_dir() else name), []
    except (OSError, ValueError, KeyError) as error:
        short = str(error).strip().splitlines()[0][:200]
        fix = "a folder with config.json, or the id of a model on the hub (and a network)"
        return None, [fault("model", f"the config of {name} cannot be loaded: {short}", fix)]


def model_findings(config: Mapping[str, Any], model: Any) -> Iterator[Finding]:
    name = config["actor_rollout_ref"]["model"]["path"]
    from data_prep.check_rows import load_processor

    try:
        processor = load_processor(str(Path(name).expanduser()))
    except ValueError as error:
        yield fault("model", str(error), "the model folder needs its processor's files (preprocessor_config.json)")
        return
    yield ok("model", f"{name}: {model.model_type}, processor {type(processor).__name__}")
    text = getattr(model, "text_config", model)
    length = len(processor.tokenizer)
    if length > text.vocab_size:
        yield fault(
            "model",
            f"the tokenizer has {length} tokens, the model {text.vocab_size} embeddings",
            "resize the embeddings",
        )
    vision = getattr(model, "vision_config", None)
    patch = getattr(vision, "patch_size", None)
    wanted = config["data"]["image_patch_size"]
    if patch and patch != wanted:
        yield fault(
            "model",
            f"data.image_patch_size={wanted}, but the vision tower has patches of {patch}",
            f"data.image_patch_size={patch}",
        )
    limit = getattr(text, "max_position_embeddings", None)
    asked = config["data"]["max_prompt_length"] + config["data"]["max_response_length"]
    if limit and asked > limit:
        yield fault(
            "model", f"prompt and response take {asked} tokens, the model knows {limit} positions", "lower them"
        )
    if not getattr(processor, "chat_template", None) and not getattr(processor.tokenizer, "chat_template", None):
        yield fault("model", "neither processor nor tokenizer has a chat template", "use an instruct model")
    trainer, actor = config["trainer"], config["actor_rollout_ref"]["actor"]
    sharded = actor["strategy"] == "fsdp2" and trainer["nnodes"] * trainer["n_gpus_per_node"] > 1
    fused = config["actor_rollout_ref"]["model"].get("use_fused_kernels")
    if fused and sharded and not getattr(model, "tie_word_embeddings", False):
        yield fault(
            "model",
            "actor_rollout_ref.model.use_fused_kernels=true reads the head's weights past FSDP2, so that no rank gets "
            "the gradient of the others' rows",
            "actor_rollout_ref.model.use_fused_kernels=false; actor.entropy_checkpointing=true saves memory as well",
        )


def parameters(model: Any) -> int | None:
    """Parameters of the model, counted without allocating it; None for a config that builds no model here."""
    import torch
    from transformers import AutoModelForImageTextToText

    try:
        with torch.device("meta"):
            built = AutoModelForImageTextToText.from_config(model)
    except (ValueError, KeyError, ImportError, RuntimeError, AttributeError, TypeError):
        return None
    return sum(weight.numel() for weight in built.parameters())


def estimate(config: Mapping[str, Any], model: Any, *, gpu_memory: float | None = None) -> Iterator[Finding]:
    """Memory of a GPU in the update and in generation, and tokens of a step.

    Update: fp32 weights, gradients and both Adam moments (16 bytes a parameter, over all GPUs; what is offloaded is on
    the GPU while it is used), and the logits of one micro-batch with their gradient, in bf16. An entropy in chunks adds
    each chunk's fp32 copy and softmax, which its gradient needs, unless the backward computes it anew. Activations and
    the gathered weights of a layer are left out, so it is a lower bound.
    """
    count = parameters(model)
    if not count:
        yield note("model", "no estimate of memory: the model cannot be built from its config here")
        return
    actor, rollout = config["actor_rollout_ref"]["actor"], config["actor_rollout_ref"]["rollout"]
    trainer, data = config["trainer"], config["data"]
    gpus = trainer["nnodes"] * trainer["n_gpus_per_node"]
    text = getattr(model, "text_config", model)
    lora = config["actor_rollout_ref"]["model"].get("lora_rank", 0)
    states = count * (BYTES_BF16 if lora else 4 * BYTES_FP32) / gpus
    tokens = actor["ppo_max_token_len_per_gpu"]
    kept = actor.get("entropy_from_logits_with_chunking") and not actor.get("entropy_checkpointing")
    logits = tokens * text.vocab_size * (2 * BYTES_BF16 + (2 * BYTES_FP32 if kept else 0))
    update = (states + logits) / GIB
    weights = count * BYTES_BF16 / rollout["tensor_model_parallel_size"] / GIB
    responses = data["train_batch_size"] * rollout["n"]
    yield note(
        "model",
        f"{count / 1e9:.3g} billion parameters; a GPU needs at least {update:.1f} GiB in the update (states "
        f"{states / GIB:.1f}, logits of a micro-batch {logits / GIB:.1f}), {weights:.1f} GiB for vLLM's weights",
    )
    yield note(
        "model",
        f"a step is {responses} responses, at most {responses * data['max_response_length'] / 1e6:.2f} million tokens, "
        f"behind prompts of at most {responses * data['max_prompt_length'] / 1e6:.2f} million",
    )
    if gpu_memory is None:
        return
    if update > gpu_memory:
        yield fault(
            "model",
            f"the update needs {update:.0f} GiB of a GPU's {gpu_memory:.0f}",
            "more GPUs, a smaller actor_rollout_ref.actor.ppo_max_token_len_per_gpu, "
            "actor_rollout_ref.actor.entropy_checkpointing=true, or LoRA",
        )
    share = rollout["gpu_memory_utilization"]
    if weights > share * gpu_memory:
        yield fault(
            "model",
            f"vLLM may use {share * gpu_memory:.0f} GiB of a GPU, its weights alone take {weights:.0f}",
            "raise actor_rollout_ref.rollout.tensor_model_parallel_size or gpu_memory_utilization",
        )
    elif share > 0.85:
        yield warning("model", f"gpu_memory_utilization={share} leaves little for the trainer", "0.5 to 0.7")
