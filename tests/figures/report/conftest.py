"""A real headless Chromium, spoken to in its DevTools protocol over a pipe, and pages for it to show."""

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage")
FLAGS += ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars")
PATIENCE = 60.0  # seconds for one answer, on a machine that is busy


class Browser:
    """One Chromium with one tab. `send` waits for the answer; events gather in `events` on the way."""

    def __init__(self, program: str, profile: Path) -> None:
        reading, to_it = os.pipe()
        self._from_it, writing = os.pipe()
        self._to_it, self._left, self._count, self._session = to_it, b"", 0, ""
        self.events: list[dict[str, Any]] = []
        # Chromium reads from descriptor 3 and writes to 4.
        line = f'exec "$0" "$@" 3<&{reading} 4>&{writing}'
        options = [*FLAGS, f"--user-data-dir={profile}", "--remote-debugging-pipe"]
        self._process = subprocess.Popen(
            ["bash", "-c", line, program, *options, "about:blank"],
            pass_fds=(reading, writing),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reading)
        os.close(writing)
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._to_it, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def _receive(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._from_it], [], [], max(0.0, until - time.monotonic()))
            assert ready, "Chromium does not answer"
            piece = os.read(self._from_it, 1 << 20)
            assert piece, "Chromium has ended"
            self._left += piece
        text, self._left = self._left.split(b"\0", 1)
        message = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message

    def go(self, page: Path, after: str = "", **media: str) -> None:
        """Show a page and wait until it has loaded; after: query and fragment; media: its features, as prefers_..."""
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.send("Emulation.setEmulatedMedia", features=features)
        for url in ("about:blank", page.as_uri() + after):  # from one fragment to another nothing would load
            self.events.clear()
            self.send("Page.navigate", url=url)
            while not any(event["method"] == "Page.loadEventFired" for event in self.events):
                self._receive()

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression, a promise's when it has come; fails on an exception."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def complaints(self) -> list[str]:
        """What the page has written to the console as an error, and exceptions that nobody caught."""
        logged = [event["params"] for event in self.events if event["method"] == "Log.entryAdded"]
        found = [one["entry"]["text"] for one in logged if one["entry"]["level"] in ("error", "warning")]
        return found + [str(event["params"]) for event in self.events if event["method"] == "Runtime.exceptionThrown"]

    def requests(self) -> list[str]:
        """Addresses that were asked for, beside the page's own and what lies inside it."""
        sent = [event["params"]["request"]["url"] for event in self.events if event["method"].endswith("willBeSent")]
        sent += [event["params"]["request"]["url"] for event in self.events if event["method"].endswith("WillBeSent")]
        return [url for url in sent if not url.startswith(("data:", "blob:")) and not url.endswith("/index.html")]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        os.close(self._to_it)
        os.close(self._from_it)


def _program() -> str | None:
    return os.environ.get("PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium for all tests of the page."""
    program = _program()
    if program is None:
        pytest.skip(f"no Chromium is installed ({', '.join(NAMES)} or PLAYWRIGHT_CHROMIUM_EXECUTABLE_PATH)")
    opened = Browser(program, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def planted(tmp_path: Path) -> Callable[[Path, str, str], Path]:
    """A copy of a page with one text put in the place of another: a fault that a test has to notice."""

    def plant(page: Path, old: str, new: str) -> Path:
        text = page.read_text(encoding="utf-8")
        assert old in text
        # The rule about scripts would stop planted ones: that it does is a test of its own.
        wrong = text.replace(old, new).replace("script-src 'sha256-", "script-src 'unsafe-inline' 'none-")
        (tmp_path / "index.html").write_text(wrong, encoding="utf-8")
        return tmp_path / "index.html"

    return plant
