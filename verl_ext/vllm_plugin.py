"""Entry point of group `vllm.general_plugins`: called by vLLM in every one of its processes."""

from __future__ import annotations


def register() -> None:
    """Keep the weights of vLLM's CPU linear layers in place, so that a weight update from the trainer can reach them.

    vLLM 0.24 for CPUs packs each linear layer for oneDNN and drops the original weight; a later weight update then
    fails and the run hangs. On a GPU this does nothing.
    """
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        from vllm import _custom_ops

        _custom_ops._supports_onednn = False
