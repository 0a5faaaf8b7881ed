"""Which checkpoint a run goes on from, decided before Ray starts.

verl trusts its tracker file, and finds a checkpoint that is cut off only after everything has started. It writes
`data.pt` after all the actor's files, and the tracker after that, neither of them atomically.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from verl_ext import state_file

TRACKER = "latest_checkpointed_iteration.txt"
FOLDER = "global_step_"
IDENTITY = ("algorithm.adv_estimator", "actor_rollout_ref.model.path", "trainer.v1.trainer_mode")
"""What a run is seldom meant to change when it goes on."""


def damage(folder: Path, *, asynchronous: bool = False) -> list[str]:
    """Why a run cannot go on from `folder`, each with the file; [] if it is whole.

    Lengths and structure are looked at, not every byte, so that a checkpoint of many GB costs no time.
    """
    if not folder.is_dir():
        return [f"{folder} is not there"]
    found = []
    if not any((folder / "actor").glob("*")):
        found.append(f"{folder / 'actor'} has no files (verl deletes old ones: trainer.max_actor_ckpt_to_keep)")
    # One that verl has marked as complete, but without a queue, was written by the synchronous trainer, which has none.
    needed = ["data.pt", *(["transfer_queue"] if asynchronous and not _marked(folder) else [])]
    found += [f"{folder / name} is missing: it was never written to the end" for name in needed
              if not (folder / name).exists()]  # fmt: skip
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _WHOLE):
        try:
            whole = _WHOLE[path.suffix](path)
        except (OSError, ValueError) as error:
            found.append(str(error) if str(path) in str(error) else f"{path} cannot be read: {error}")
        else:
            found += [] if whole else [f"{path} is cut off, at {path.stat().st_size} bytes"]
    return found


def _marked(folder: Path) -> bool:
    tracker, step = folder.parent / TRACKER, folder.name.removeprefix(FOLDER)
    text = tracker.read_bytes().decode(errors="replace").strip() if tracker.exists() else ""
    return text.isdecimal() and step.isdecimal() and int(step) <= int(text)


def _whole_json(path: Path) -> bool:
    if path.name == "verl_ext.json":
        state_file.load(path)
    else:
        json.loads(path.read_text())
    return True


def _whole_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if not 0 < size < 2**27:
            return False
        entries = json.loads(file.read(size))
    ends = [entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"]
    return path.stat().st_size == 8 + size + max(ends, default=0)


# torch writes zip files, whose directory stands at the end.
_WHOLE = {".pt": zipfile.is_zipfile, ".json": _whole_json, ".safetensors": _whole_safetensors}


def steps_of(root: Path) -> list[int]:
    """Steps of the checkpoint folders under `root`, newest first."""
    names = (path.name.removeprefix(FOLDER) for path in root.glob(f"{FOLDER}*") if path.is_dir())
    return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


def choose(root: Path, *, asynchronous: bool = False) -> tuple[Path | None, list[str]]:
    """(checkpoint to go on from in place of verl's choice, what is wrong with that); (None, []) where it will do.

    ValueError if nothing whole is left. Steps after the checkpoint are computed anew, so nothing is lost but time.
    """
    tracker = root / TRACKER
    if not tracker.exists():
        return None, []
    text = tracker.read_bytes().decode(errors="replace").strip()
    if text.isdecimal():
        problems = damage(root / f"{FOLDER}{text}", asynchronous=asynchronous)
        if not problems:
            return None, []
    else:
        problems = [f"{tracker} holds {text[:40]!r}, not a step: it was not written to the end"]
    whole = (root / f"{FOLDER}{step}" for step in steps_of(root) if str(step) != text)
    other = next((folder for folder in whole if not damage(folder, asynchronous=asynchronous)), None)
    if other is None:
        raise ValueError(
            f"the run cannot go on from its checkpoints: {'; '.join(problems)}; and no other in {root} is whole. "
            "Restore the file, or start anew with trainer.resume_mode=disable or another trainer.default_local_dir"
        )
    return other, problems


def settle(config: DictConfig) -> str | None:
    """Point the run at a whole checkpoint; a sentence for the log if that is not the one that verl would take.

    ValueError if the one that is asked for is damaged, or none is whole.
    """
    trainer, root = config.trainer, Path(config.trainer.default_local_dir)
    asynchronous = not str(trainer.v1.trainer_mode).endswith("_sync") and trainer.v1.trainer_mode != "sync"
    if trainer.resume_mode == "resume_path":
        problems = damage(Path(str(trainer.resume_from_path)), asynchronous=asynchronous)
        if problems:
            whole = [step for step in steps_of(root) if not damage(root / f"{FOLDER}{step}", asynchronous=asynchronous)]
            names = ", ".join(f"{FOLDER}{step}" for step in whole) or "none"
            raise ValueError(f"trainer.resume_from_path: {'; '.join(problems)}. Whole ones in {root}: {names}")
        _refuse_other_ranks(Path(str(trainer.resume_from_path)), config)
    if trainer.resume_mode != "auto":
        return None
    folder, problems = choose(root, asynchronous=asynchronous)
    if folder is None:
        if (root / TRACKER).exists():
            _refuse_other_ranks(root / f"{FOLDER}{(root / TRACKER).read_text().strip()}", config)
        return None
    _refuse_other_ranks(folder, config)
    trainer.resume_mode, trainer.resume_from_path = "resume_path", str(folder)
    return f"{'; '.join(problems)}. The run goes on from {folder.name}; later steps are computed anew"


def changed(config: DictConfig, run_dir: Path) -> str | None:
    """A sentence for the log if the run goes on from what another estimator, model or trainer left there."""
    before = run_dir / "config.yaml"
    tracker = Path(config.trainer.default_local_dir) / TRACKER
    if config.trainer.resume_mode == "disable" or not before.exists() or not tracker.exists():
        return None
    old, now = OmegaConf.load(before), OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    pairs = ((key, OmegaConf.select(old, key), OmegaConf.select(now, key)) for key in IDENTITY)
    differ = [f"{key}={new} (before: {known})" for key, known, new in pairs if known != new]
    if not differ:
        return None
    return (
        f"the checkpoints in {config.trainer.default_local_dir} are of a run with other settings, and this one goes on "
        f"from them: {', '.join(differ)}. To start anew, name another folder (trainer.default_local_dir, "
        "verl_ext.run_dir) or set trainer.resume_mode=disable"
    )


def _refuse_other_ranks(folder: Path, config: DictConfig) -> None:
    """ValueError if other numbers of GPUs wrote the checkpoint: FSDP's files are one for each rank."""
    written = folder / "actor" / "fsdp_config.json"
    ranks = config.trainer.nnodes * config.trainer.n_gpus_per_node
    if not written.exists() or (found := json.loads(written.read_text()).get("world_size")) in (None, ranks):
        return
    raise ValueError(
        f"{folder} was written by {found} ranks, the run has {ranks} (trainer.nnodes x trainer.n_gpus_per_node): go on "
        f"with {found}, or merge it (python -m verl.model_merger merge --backend fsdp --local_dir {folder}/actor "
        "--target_dir MODEL) and start anew from actor_rollout_ref.model.path=MODEL"
    )


def goes_on_from(config: DictConfig) -> str:
    """What the same command will do after the run has stopped."""
    root = Path(config.trainer.default_local_dir)
    if config.trainer.get("resume_mode") == "disable":
        return "the same command starts from the beginning: trainer.resume_mode=disable"
    try:
        folder, _ = choose(root)
        step = folder.name.removeprefix(FOLDER) if folder else (root / TRACKER).read_text().strip()
    except FileNotFoundError:
        return "no checkpoint was written, so the same command starts from the beginning"
    except (OSError, ValueError) as error:
        return str(error)
    return f"the same command goes on after step {step}"
