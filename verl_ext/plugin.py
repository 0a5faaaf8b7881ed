"""Entry point of group `verl.plugins`: loaded by verl at the end of `import verl`, in every process.

Nothing heavy happens here. Each part of verl that offers a registry gets our entries when that part is imported,
through wrapt's post-import hooks, so `import verl` stays as cheap as it was.
verl logs a failing plug-in at DEBUG only; ours reports at ERROR.
"""

from __future__ import annotations

import importlib
import logging
from types import ModuleType

import wrapt

logger = logging.getLogger(__name__)

# verl module that holds a registry -> our module that registers with it when imported
ADAPTERS = {
    "verl.trainer.ppo.core_algos": "verl_ext.estimator",
    "verl.experimental.reward_loop.reward_manager": "verl_ext.reward_manager",
    "verl.trainer.ppo.v1": "verl_ext.trainer",
}


def _register_when_imported(verl_module: str, adapter: str) -> None:
    def load_adapter(_module: ModuleType) -> None:
        try:
            importlib.import_module(adapter)
        except Exception:
            logger.error("verl_ext could not register %s with %s", adapter, verl_module, exc_info=True)
            raise

    wrapt.register_post_import_hook(load_adapter, verl_module)


def _load() -> None:
    from verl_ext import verl_patches

    for verl_module, adapter in ADAPTERS.items():
        _register_when_imported(verl_module, adapter)
    verl_patches.apply()


try:
    _load()
except Exception:
    logger.error("verl_ext could not be loaded into verl; g2rpo and its shaping are not available", exc_info=True)
    raise
