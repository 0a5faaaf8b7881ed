import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Chromium, find

# The run folders that the tests of the report make.
sys.path.append(str(Path(__file__).parents[1] / "verl_ext"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: opens pages in headless Chromium (skipped where there is none)")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One Chromium for all tests. Skips without the program or without the package that talks to it."""
    program = find()
    if program is None:
        pytest.skip("no Chromium: `apt-get install chromium`, or name one in CHROMIUM")
    pytest.importorskip("websockets.sync.client", reason="no websockets: `pip install websockets`")
    with Chromium(program, tmp_path_factory.mktemp("chromium")) as chromium:
        yield chromium
