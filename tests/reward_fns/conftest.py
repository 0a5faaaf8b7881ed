from __future__ import annotations

import pytest

from reward_fns import symbolic


@pytest.fixture(autouse=True, scope="session")
def _one_symbolic_worker() -> None:
    """A worker takes seconds to import sympy; one is enough here."""
    symbolic.POOL_SIZE = 1
