"""`python -m verl_ext.doctor [--json] [--no-ray] [--sample N] OVERRIDE…`: see the package."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

import verl_ext
from verl_ext.doctor.finding import LEVELS, Finding, fault


def compose_run(overrides: list[str]) -> DictConfig:
    """The configuration that `verl_ext.main_ppo` would run with; ValueError for overrides that do not fit."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    try:
        with initialize_config_dir(str(Path(verl_ext.__file__).parent / "configs"), version_base=None):
            return compose("g2rpo_trainer", overrides=overrides)
    except HydraException as error:
        raise ValueError(str(error)) from error


def examine(overrides: list[str], *, ray: bool = True, sample: int = 32) -> Iterator[Finding]:
    """Every finding, as it is made."""
    from verl_ext.doctor import configuration, data, environment, model

    yield from environment.version_findings()
    yield from environment.plugin_findings()
    if ray:
        yield from environment.ray_findings()
    try:
        run = compose_run(overrides)
        plain = OmegaConf.to_container(run, resolve=True)
    except Exception as error:  # Hydra and OmegaConf raise many kinds; each means that there is no run to look at
        yield fault("configuration", f"the overrides do not compose: {error}", "the nearest key stands in the message")
        return
    yield from environment.machine_findings(plain)
    yield from configuration.configuration_findings(run)
    loaded, problems = model.load_config(plain)
    yield from problems
    if loaded is not None:
        yield from model.model_findings(plain, loaded)
        yield from model.estimate(plain, loaded, gpu_memory=gpu_memory())
    yield from data.data_findings(plain, model_type=loaded.model_type if loaded is not None else "", sample=sample)
    yield from configuration.task_findings(run, data.tasks_of(plain))


def gpu_memory() -> float | None:
    """GiB of the first GPU, if there is one."""
    import torch

    if not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_properties(0).total_memory / 2**30


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m verl_ext.doctor",
        description="Check environment, data, model and configuration of a run before it starts.",
        epilog="Exit codes: 0 nothing wrong, 1 faults.",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--no-ray", action="store_true", help="do not start Ray to ask a worker")
    parser.add_argument(
        "--sample", type=int, default=32, metavar="N", help="rows of each file to try (default %(default)s)"
    )
    options, overrides = parser.parse_known_args(argv)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    found, report = [], sys.stdout
    # What libraries print has no place between the findings, and would spoil the JSON.
    with contextlib.redirect_stdout(sys.stderr):
        for one in examine(overrides, ray=not options.no_ray, sample=options.sample):
            found.append(one)
            if not options.json:
                print(one.as_text(), file=report, flush=True)
    counts = Counter(one.level for one in found)
    if options.json:
        print(json.dumps({"findings": [one.as_json() for one in found], "counts": counts}, indent=2))
    else:
        print(", ".join(f"{counts[level]} {level}" for level in LEVELS if counts[level]))
    return 1 if counts["fault"] else 0


if __name__ == "__main__":
    sys.exit(main())
