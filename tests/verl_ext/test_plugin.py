"""The plug-in in fresh processes, against the installed verl."""

import os
import subprocess
import sys

import pytest
import torch

from verl_ext import verl_patches

pytestmark = pytest.mark.timeout(300)


def run_python(code: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **env}, timeout=280
    )


def test_import_verl_registers_everything_when_asked_for():
    done = run_python(
        "import sys, verl\n"
        "early = [name for name in ('verl_ext.estimator', 'verl_ext.trainer', 'reward_fns.registry') "
        "if name in sys.modules]\n"
        "from verl.plugin.platform import PlatformRegistry\n"
        "from verl.trainer.ppo.core_algos import get_adv_estimator_fn\n"
        "from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls\n"
        "from verl.trainer.ppo.v1 import get_trainer_cls\n"
        "print(early, PlatformRegistry.get('cpu'), get_adv_estimator_fn('g2rpo').__name__, "
        "get_reward_manager_cls('verl_ext').__name__, get_trainer_cls('verl_ext_sync').__name__)",
        VERL_PLATFORM="",
    )
    expected = "[] None compute_g2rpo_advantage VerlExtRewardManager TaskAwareSync"
    assert done.stdout.splitlines()[-1:] == [expected], done.stderr


def test_failing_plugin_is_reported_at_error():
    done = run_python("import sys; sys.modules['verl_ext.verl_patches'] = None\nimport verl\nprint('verl is up')")
    assert "verl_ext could not be loaded" in done.stderr
    assert done.stdout.splitlines()[-1] == "verl is up"


def test_cpu_platform_where_asked_for():
    done = run_python(
        "import verl\nfrom verl.plugin.platform import get_platform\nprint(get_platform().device_name)",
        VERL_PLATFORM="cpu",
        CUDA_VISIBLE_DEVICES="",
    )
    assert done.stdout.splitlines()[-1:] == ["cpu"], done.stderr


def test_cpu_patches_stay_off_where_a_gpu_is_visible(monkeypatch):
    monkeypatch.setenv("VERL_PLATFORM", "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not verl_patches.cpu_is_active()
