"""What only a browser shows: nothing sticks out of a small screen, colours can be read, the form arrives."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from websockets.sync.client import ClientConnection, connect

from register.app.http import create_app
from tests.web.conftest import ELECTION, Register

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)  # fmt: skip

#: Every text with less contrast to what lies under it than WCAG 2.2 (1.4.3, AA) asks for.
FAINT = """
(() => {
  const light = c => { const v = c.map(x => x / 255).map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
                       return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
  const parts = s => s.match(/[0-9.]+/g).map(Number);
  const under = e => { for (; e; e = e.parentElement) { const c = parts(getComputedStyle(e).backgroundColor);
                       if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
  const speaks = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  return [...document.querySelectorAll('body *')].filter(speaks).filter(e => {
      const s = getComputedStyle(e), a = light(parts(s.color)), b = light(under(e));
      const large = parseFloat(s.fontSize) >= 24 || parseFloat(s.fontSize) >= 18.66 && s.fontWeight >= 600;
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < (large ? 3 : 4.5); })
    .map(e => e.tagName + ': ' + e.textContent.trim().slice(0, 40));
})()
"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Tab:
    """One tab of a browser, spoken to in the Chrome DevTools Protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0

    def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=30))
            if answer.get("id") == self._number:
                return answer["result"]

    def open(self, url: str, *, width: int = 320, dark: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=640, deviceScaleFactor=1, mobile=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=url)
        self.wait(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def wait(self, condition: str) -> None:
        deadline = time.monotonic() + 30
        while not self.ask(condition):
            assert time.monotonic() < deadline, condition
            time.sleep(0.05)

    def ask(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: the pages are not looked at in a browser")
    profile = tmp_path / "profile"
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _port(profile / "DevToolsActivePort", process)
        tabs = httpx.get(f"http://127.0.0.1:{port}/json", timeout=30).json()
        address = next(each["webSocketDebuggerUrl"] for each in tabs if each["type"] == "page")
        with connect(address, max_size=None) as connection:
            yield Tab(connection)
    finally:
        process.terminate()
        process.wait(30)


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text().strip()):
        assert process.poll() is None, "the browser did not start"
        assert time.monotonic() < deadline, "the browser does not answer"
        time.sleep(0.05)
    return int(file.read_text().split()[0])


@pytest.fixture
def address(register: Register) -> Iterator[str]:
    """A server on a free port of this machine."""
    register.settle()
    register.call()
    register.conclude()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(register.system), log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


def test_nothing_sticks_out_of_a_small_screen_colours_can_be_read_and_the_form_arrives(tab: Tab, address: str) -> None:
    tab.call("Page.enable")
    for path in ("/", "/where-do-i-vote", f"/elections/{ELECTION}", "/log", "/nothing"):
        for language in ("bs", "sr-Cyrl", "en"):
            tab.open(f"{address}{path}?lang={language}")
            assert tab.ask(TOO_WIDE) == 0, f"{path} in {language} is too wide for 320 pixels"
        for dark in (False, True):
            tab.open(f"{address}{path}?lang=en&dark={dark}", dark=dark)
            assert tab.ask(FAINT) == [], f"{path}, dark: {dark}"
    # The form of a real browser carries what the page expects of it: cookie, token, an origin that may be null.
    tab.open(f"{address}/where-do-i-vote?lang=en")
    typed = {"jmb": "0101970100017", "surname": "Nepostojić", "day": "1", "month": "1", "year": "1970"}
    for name, value in typed.items():
        tab.ask(f"document.getElementById({json.dumps(name)}).value = {json.dumps(value)}")
    tab.ask("document.querySelector('button').click()")
    tab.wait("document.querySelector('h1').textContent === 'Nothing was found'")
    assert tab.ask("location.href") == f"{address}/where-do-i-vote?lang=en"
