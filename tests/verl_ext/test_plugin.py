"""The plug-in in fresh processes, against the installed verl."""

import os
import subprocess
import sys

import pytest


def run_python(code: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **env}, timeout=110
    )


def test_import_verl_registers_everything():
    done = run_python(
        "import verl\n"
        "from verl.trainer.ppo.core_algos import get_adv_estimator_fn\n"
        "from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls\n"
        "from verl.trainer.ppo.v1 import get_trainer_cls\n"
        "print(get_adv_estimator_fn('g2rpo').__name__, get_reward_manager_cls('verl_ext').__name__, "
        "get_trainer_cls('verl_ext_sync').__name__)",
        VERL_PLATFORM="",
    )
    assert done.stdout.split()[-3:] == ["compute_g2rpo_advantage", "VerlExtRewardManager", "TaskAwareSync"], done.stderr


def test_import_verl_loads_no_adapter_before_its_registry():
    done = run_python(
        "import sys, verl\n"
        "print([name for name in sys.modules if name in ('verl.trainer.ppo.core_algos', 'verl_ext.estimator', "
        "'verl_ext.trainer', 'reward_fns.registry')])"
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_failing_plugin_is_reported_at_error():
    done = run_python(
        "import sys; sys.modules['verl_ext.verl_patches'] = None\nimport verl\nprint('verl is up')",
    )
    assert "verl_ext could not be loaded" in done.stderr
    assert done.stdout.splitlines()[-1] == "verl is up"


@pytest.mark.parametrize("platform, active", [("cpu", True), ("", False)])
def test_cpu_platform_only_where_asked_for(platform, active):
    done = run_python(
        "import verl, sys\nfrom verl.plugin.platform import PlatformRegistry\n"
        "print(PlatformRegistry.get('cpu') is not None, 'verl_ext.cpu_platform' in sys.modules)",
        VERL_PLATFORM=platform,
        CUDA_VISIBLE_DEVICES="",
    )
    assert done.stdout.splitlines()[-1] == f"{active} {active}", done.stderr


def test_cpu_patches_stay_off_where_a_gpu_is_visible(monkeypatch):
    import torch

    from verl_ext import verl_patches

    monkeypatch.setenv("VERL_PLATFORM", "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not verl_patches.cpu_is_active()
