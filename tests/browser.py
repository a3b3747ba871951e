"""A real browser, driven over its debugging pipe: two file descriptors, messages in JSON that end in a zero byte."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run",
    "--disable-background-networking", "--disable-extensions", "--allow-file-access-from-files",
)  # fmt: skip
# The browser reads descriptor 3 and writes to 4, whatever they are in this process.
PLUMBER = """import fcntl, os, sys
for number, given in zip((3, 4), [fcntl.fcntl(int(word), fcntl.F_DUPFD, 10) for word in sys.argv[1:3]]):
    os.dup2(given, number)
os.execvp(sys.argv[3], sys.argv[3:])"""


class Page:
    """One page of a browser.

    Attributes
    ----------
    requests : list of str
        Addresses that it asked for, but for what is inside the page itself (data:, blob:).
    errors : list of str
        Of its scripts.
    """

    def __init__(self, to: Any, back: Any) -> None:
        self._to, self._back, self._number, self._session = to, back, 0, None
        self.requests: list[str] = []
        self.errors: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a message; what the page tells meanwhile is noted."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while True:
            told = self._read()
            if told.get("id") == self._number:
                assert "error" not in told, told
                return told["result"]

    def _read(self) -> dict[str, Any]:
        content = bytearray()
        while (byte := self._back.read(1)) != b"\0":
            assert byte, "the browser ended"
            content += byte
        told = json.loads(content)
        if told.get("method") == "Network.requestWillBeSent":
            address = told["params"]["request"]["url"]
            self.requests += [] if address.startswith(("data:", "blob:")) else [address]
        if told.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(told["params"]["exceptionDetails"])[:2000])
        return told

    def open(self, address: str, *, width: int = 1100, height: int = 800, dark: bool = False) -> None:
        """Show a page, and wait until it is loaded."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url=address)
        self.until("location.href !== 'about:blank' && document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of an expression; promises are awaited."""
        found = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def picture(self) -> np.ndarray:
        """(height, width, 3) uint8: the page as it is shown."""
        with Image.open(io.BytesIO(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))) as image:
            return np.asarray(image.convert("RGB"))

    def until(self, script: str, seconds: float = 60.0) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < end, f"never came true: {script}"
            time.sleep(0.05)


@contextmanager
def browsing(folder: Path) -> Iterator[Page]:
    """A page of a new browser, whose profile is made in a folder."""
    assert CHROMIUM is not None
    here, there = os.pipe(), os.pipe()
    command = [sys.executable, "-c", PLUMBER, str(here[0]), str(there[1]), CHROMIUM, *FLAGS,
               "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}"]  # fmt: skip
    with open(folder / "browser.log", "wb") as log:
        process = subprocess.Popen(
            command, pass_fds=(here[0], there[1]), stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        os.close(here[0])
        os.close(there[1])
        with os.fdopen(here[1], "wb") as to, os.fdopen(there[0], "rb") as back:
            try:
                yield Page(to, back)
            finally:
                process.terminate()
                process.wait(30)
