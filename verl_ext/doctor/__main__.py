"""`python -m verl_ext.doctor [--json] [--no-ray] [--sample N] [--config-dir DIR] OVERRIDE…`: see the package."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

import verl_ext
from verl_ext.config_fields import LAYER_KEYS
from verl_ext.doctor.finding import LEVELS, Finding, fault


def compose_run(overrides: list[str], config_dir: Path | None = None) -> DictConfig:
    """The configuration that `verl_ext.main_ppo` would run with; ValueError for overrides that do not fit.

    `config_dir`: Hydra's `--config-dir`, a folder of further configurations.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.config_search_path import SearchPathQuery
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException

    try:
        with initialize_config_dir(str(Path(verl_ext.__file__).parent / "configs"), version_base=None):
            if config_dir is not None:  # in the place that Hydra's command line gives it
                search_path = GlobalHydra.instance().config_loader().get_search_path()
                search_path.prepend("command-line", f"file://{config_dir.resolve()}", SearchPathQuery("schema"))
            return compose("g2rpo_trainer", overrides=overrides)
    except HydraException as error:
        raise ValueError(str(error)) from error


def remedy(error: str) -> str:
    """What to do about overrides that do not compose, by what Hydra says of them."""
    key = found[1] if (found := re.search(r"Could not override '([^']+)'", error)) else ""
    layer = re.fullmatch(r"verl_ext\.(?:defaults|(?:categories|tasks)\.[^.]+)\.(.+)", key)
    if layer and layer[1] in LAYER_KEYS:
        return f"a key that the layer does not have yet needs a plus: +{key}=…"
    near = difflib.get_close_matches(key, keys_of(OmegaConf.to_container(compose_run([]))), 1)
    return f"the nearest key is {near[0]}" if near else "mend the override that the message names"


def keys_of(block: dict, path: str = "") -> list[str]:
    """Every key of a configuration with its path."""
    keys = []
    for name, value in block.items():
        keys += [f"{path}{name}", *(keys_of(value, f"{path}{name}.") if isinstance(value, dict) else [])]
    return keys


def examine(
    overrides: list[str], *, ray: bool = True, sample: int = 32, config_dir: Path | None = None
) -> Iterator[Finding]:
    """Every finding, as it is made."""
    from verl_ext.doctor import configuration, data, environment, model

    yield from environment.version_findings()
    yield from environment.plugin_findings()
    if ray:
        yield from environment.ray_findings()
    try:
        run = compose_run(overrides, config_dir)
        plain = OmegaConf.to_container(run, resolve=True)
    except Exception as error:  # Hydra and OmegaConf raise many kinds; each means that there is no run to look at
        yield fault("configuration", f"the overrides do not compose: {error}", remedy(str(error)))
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
        epilog="Exit codes: 0 nothing wrong, 1 faults, 2 wrong usage.",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--no-ray", action="store_true", help="do not start Ray to ask a worker")
    parser.add_argument(
        "--sample", type=int, default=32, metavar="N", help="rows of each file to try (default %(default)s)"
    )
    parser.add_argument(
        "--config-dir", "-cd", type=Path, metavar="DIR", help="folder of further configurations, as main_ppo takes it"
    )
    options, overrides = parser.parse_known_args(argv)
    if unknown := [word for word in overrides if word.startswith("-")]:
        parser.error(f"unknown option {unknown[0]}; beside the options above, words are Hydra overrides, KEY=VALUE")
    if options.sample < 1:
        parser.error(f"--sample {options.sample}: it must be 1 or more")
    if options.config_dir is not None and not options.config_dir.is_dir():
        parser.error(f"--config-dir {options.config_dir} is no folder")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    found, report = [], sys.stdout
    # What libraries print has no place between the findings, and would spoil the JSON.
    with contextlib.redirect_stdout(sys.stderr):
        for one in examine(overrides, ray=not options.no_ray, sample=options.sample, config_dir=options.config_dir):
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
