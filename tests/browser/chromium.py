"""A page in headless Chromium through its debugging protocol: what it says, asks for and draws."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)  # fmt: skip
PATIENCE = 60.0
"""seconds for the program to start, and for one answer of it; a busy machine is slow"""


def find() -> str | None:
    """The program, if there is one."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass
class Opened:
    """What happened while a page was open."""

    complaints: list[str] = field(default_factory=list)
    """errors and warnings of the console, exceptions, whatever the browser logs (refused by the policy, …)"""
    requests: list[str] = field(default_factory=list)
    """addresses that were asked for, the page's own first; data: left out"""


class Chromium:
    """One browser with one tab."""

    def __init__(self, program: str, profile: Path) -> None:
        self.profile = profile
        self.process = subprocess.Popen(
            [program, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.number = 0
        self.opened = Opened()
        self.loaded = False

    def __enter__(self) -> Chromium:
        from websockets.sync.client import connect

        try:
            self.socket = connect(f"ws://127.0.0.1:{self._address()}", max_size=None, open_timeout=PATIENCE)
            self.session: str | None = None
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self._stop()

    def _stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _address(self) -> str:
        """Port and path, which the browser writes down once it listens."""
        file = self.profile / "DevToolsActivePort"
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"Chromium ended at once with exit code {self.process.returncode}")
            if file.exists() and len(lines := file.read_text().split()) == 2:
                return "".join(lines)
            time.sleep(0.05)
        raise RuntimeError(f"Chromium did not open its debugging port within {PATIENCE:.0f} s")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call the protocol and return its answer; events that come before it are noted."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while (answer := self._receive()).get("id") != self.number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def open(self, path: Path, *, width: int, height: int = 900, media: str = "") -> Opened:
        """Open a local file at a width and wait until it is loaded; returns what is noted until the next page."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", media=media)
        self.opened, self.loaded = Opened(), False
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not self.loaded:
            self._receive()
        return self.opened

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """The whole page as a PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.socket.recv(timeout=PATIENCE))
        event, params = message.get("method"), message.get("params", {})
        if event == "Page.loadEventFired":
            self.loaded = True
        elif event == "Network.requestWillBeSent" and not params["request"]["url"].startswith("data:"):
            self.opened.requests.append(params["request"]["url"])
        elif event == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.opened.complaints.append(str(params["args"]))
        elif event == "Runtime.exceptionThrown":
            self.opened.complaints.append(str(params["exceptionDetails"]))
        elif event == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.opened.complaints.append(params["entry"]["text"])
        return message
