"""The README's tables say all that there is."""

import re
from pathlib import Path

import yaml

from verl_ext.metrics import METRICS, SHAPING_METRICS
from verl_ext.reward_manager import EVENTS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DEFAULTS = yaml.safe_load((ROOT / "verl_ext" / "configs" / "verl_ext_defaults.yaml").read_text())


def part(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def keys(tree: dict, path: str = "") -> list[str]:
    """Names of all settings; categories and tasks hold the keys of `defaults`."""
    found = []
    for key, value in tree.items():
        if path == "verl_ext." and key in ("categories", "tasks"):
            continue
        inner = isinstance(value, dict) and value and not {"accuracy", "format"} <= set(value)
        found += keys(value, f"{path}{key}.") if inner else [f"{path}{key}"]
    return found


def test_every_setting_is_in_the_table():
    # "`a.b.{x, y}`", "`a.b.x`, `y`" name a.b.x and a.b.y
    known = set()
    for line in part("Settings").splitlines():
        cell = line.split(" | ")[1] if line.count(" | ") >= 3 else ""
        names = re.findall(r"`([^`]+)`", cell)
        prefix = names[0].rpartition(".")[0] if names else ""
        for name in names:
            if braces := re.fullmatch(r"(.*)\.\{(.*)\}", name):
                known |= {f"{braces[1]}.{one.strip()}" for one in braces[2].split(",")}
            else:
                known.add(name if "." in name else f"{prefix}.{name}")
    known = {name for name in known if "categories.<c>." not in name}  # set for every category
    assert sorted(set(keys(DEFAULTS)) - known) == []
    assert sorted(known - set(keys(DEFAULTS)) - {"algorithm.adv_estimator"}) == []


def test_every_metric_is_in_the_table():
    text = part("Metrics")
    assert [name for name in (*METRICS, *SHAPING_METRICS) if f"`{name}`" not in text] == []
    assert f"`reward/{{{', '.join(f'verifier_{event}' for event in EVENTS)}}}`" in text


def test_files_that_the_readme_names_are_there():
    names = re.findall(r"`((?:examples|tests|verl_ext|reward_fns|data_prep|docs)/[\w/.]+\.(?:sh|py|md))`", README)
    names += re.findall(r"\]\((docs/[\w.]+)\)", README)
    assert len(names) > 10
    assert [name for name in names if not (ROOT / name).is_file()] == []
