"""Takes the pictures of docs/home_assistant.md anew: `python -m tests.home_assistant.pictures`. Needs chromium.

A real Home Assistant with a room that was asked something in writing and heard something else; nothing in
the pictures is made up.
"""

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.fakes.broker import Broker
from tests.home_assistant.conftest import DEVICES
from tests.home_assistant.program import ROOT, SHIPPED, HomeAssistant, installed
from tests.home_assistant.rooms import IDENTITY, Room, living, said
from tests.system.house import recording

PICTURES = ROOT / "docs" / "pictures"
PATIENCE_S = 60.0
QUIET_S = 30.0
"""Until the room hears a sentence: Home Assistant has found it by then."""
TEXT_OF_PAGE = """
(function words(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.textContent;
  if (["STYLE", "SCRIPT"].includes(node.nodeName)) return "";
  const below = [...(node.shadowRoot ? node.shadowRoot.childNodes : []), ...node.childNodes];
  return (node.value || "") + " " + below.map(words).join(" ");
})(document.body)
"""


class Page:
    """One page of a browser, driven by its debugging protocol."""

    def __init__(self, socket: Connection) -> None:
        self._socket = socket
        self._count = 0

    def do(self, method: str, **parameters: Any) -> Any:
        """One command and its result."""
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(PATIENCE_S))
            if answer.get("id") == self._count:
                return answer["result"]

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        return self.do("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def shows(self, *wanted: str) -> None:
        """Wait until these words are on it, and drawn."""
        end = time.monotonic() + PATIENCE_S
        while missing := [words for words in wanted if words not in str(self.evaluate(TEXT_OF_PAGE))]:
            assert time.monotonic() < end, f"the page does not show {missing}"
            time.sleep(0.2)
        time.sleep(3)  # what is animated has come to rest

    def take(self, path: Path, height: int) -> None:
        """A picture of 1500 pixels' width, small enough for a page of documentation."""
        size = {"width": 1250, "height": height, "deviceScaleFactor": 1.5, "mobile": False}
        self.do("Emulation.setDeviceMetricsOverride", **size)
        time.sleep(2)
        path.write_bytes(base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A browser without a window."""
    program = shutil.which("chromium")
    assert program is not None, "chromium is not installed"
    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    command = [program, *arguments, f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            place, end = folder / "DevToolsActivePort", time.monotonic() + PATIENCE_S
            while not place.exists() or not place.read_text().strip():
                assert time.monotonic() < end, "chromium does not start"
                time.sleep(0.1)
            port = place.read_text().splitlines()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [target for target in json.load(answer) if target["type"] == "page"]
            with connect(pages[0]["webSocketDebuggerUrl"], max_size=None) as socket:
                yield Page(socket)
        finally:
            process.terminate()


def log_in(page: Page, home_assistant: HomeAssistant) -> None:
    """What the frontend keeps of somebody who has logged in."""
    tokens = {
        "access_token": home_assistant.token,
        "token_type": "Bearer",
        "expires_in": 10**9,
        "expires": 10**14,
        "hassUrl": home_assistant.url,
        "clientId": f"{home_assistant.url}/",
        "refresh_token": "",
    }
    page.do("Page.navigate", url=f"{home_assistant.url}/manifest.json")
    time.sleep(2)
    page.evaluate(f"localStorage.setItem('hassTokens', {json.dumps(json.dumps(tokens))})")


async def main() -> None:
    """Both pictures."""
    with tempfile.TemporaryDirectory(prefix="voice-node-pictures-") as name, Broker() as broker:
        folder = Path(name)
        packages: dict[str, dict[str, Any] | Path] = {
            "voice_node": SHIPPED / "packages" / "voice_node.yaml",
            "devices": DEVICES,
        }
        home_assistant = HomeAssistant(installed(), folder / "config", broker.port, packages)
        try:
            await asyncio.to_thread(home_assistant.start)
            (folder / "room").mkdir()
            heard = recording(folder / "room.wav", QUIET_S, 1, 300.0)
            capture = {"device": f"wav:{heard}"}
            async with living(folder / "room", broker, name="Kitchen", gate={}, capture=capture) as (spy, _):
                room = Room(home_assistant)
                await room.found()
                await room.shows("state", "idle")
                await room.asked("turn off the kitchen light")
                await said(spy, "kitchen light is off")
                await spy.wait_for(lambda seen: b"kitchen light is on" in seen.payload, 2 * QUIET_S)
                await room.shows("last_response", lambda state: "light is on" in state["state"])
                await room.shows("state", "idle")
                await asyncio.to_thread(take, home_assistant, folder / "browser")
        finally:
            home_assistant.stop()


def take(home_assistant: HomeAssistant, folder: Path) -> None:
    """Of the shipped dashboard, and of the device's own page."""
    dashboard = YAML(typ="safe").load(SHIPPED / "dashboard.yaml")
    place = {"url_path": "voice-kitchen", "title": "Voice", "icon": "mdi:view-dashboard"}
    home_assistant.ask("lovelace/dashboards/create", **place, show_in_sidebar=True)
    home_assistant.ask("lovelace/config/save", url_path="voice-kitchen", config=dashboard)
    device = home_assistant.device(IDENTITY)
    assert device is not None
    with browser(folder) as page:
        log_in(page, home_assistant)
        page.do("Page.navigate", url=f"{home_assistant.url}/voice-kitchen")
        page.shows("turn on the kitchen light", "The kitchen light is on.", "New conversation", "Problem")
        page.take(PICTURES / "dashboard.png", 700)
        page.do("Page.navigate", url=f"{home_assistant.url}/config/devices/device/{device['id']}")
        page.shows("Follow-up window", "Tokens today")
        page.take(PICTURES / "device.png", 2020)


if __name__ == "__main__":
    asyncio.run(main())
