"""A real Home Assistant as a process: set up as a person does it, asked through its own interfaces."""

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "home_assistant"
START_S = 120.0
ANSWER_S = 15.0
_LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+(?:[+-]\d\d:?\d\d)? ([A-Z]+) \([^)]*\) \[([^\]]+)\] (.*)$")
_NOT_OURS = ("homeassistant.components.marketplace", "homeassistant.components.camera", "homeassistant.loader")
"""They miss the internet, or a library that nobody needs here."""


def installed(version: str | None = None) -> Path:
    """The virtual environment, built where it is missing; raises SetupFailed."""
    arguments = [str(ROOT / "script" / "setup_home_assistant"), *([version] if version else [])]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        raise SetupFailed((done.stderr.strip().splitlines() or ["it said nothing"])[-1])
    return Path(done.stdout.strip().splitlines()[-1])


class SetupFailed(Exception):
    """Home Assistant cannot be had on this machine; the text says why."""


class Refused(Exception):
    """Home Assistant did not do what it was asked to."""


class HomeAssistant:
    """One installation in `folder`; `start` after `stop` or `kill` finds everything as it was.

    Args:
        environment: its virtual environment.
        folder: of its configuration.
        broker_port: on this machine.
        packages: files of `packages/` in its configuration folder: name to content.
    """

    def __init__(
        self, environment: Path, folder: Path, broker_port: int, packages: dict[str, dict[str, Any] | Path]
    ) -> None:
        self._environment = environment
        self._folder = folder
        self._broker_port = broker_port
        self._packages = packages
        self._port = _free_port()
        self._token: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    @property
    def log_path(self) -> Path:
        """What it writes."""
        return self._folder / "console.log"

    @property
    def token(self) -> str:
        """Lasts for ten years."""
        assert self._token is not None
        return self._token

    def start(self) -> None:
        """Start, and wait until it hears discovery; the first time it is set up as well."""
        is_first = self._token is None
        if is_first:
            self._write_configuration()
        begin = self.log_size()
        python = self._environment / "bin" / "python"
        arguments: list[str | Path] = [
            python,
            "-m",
            "homeassistant",
            "-c",
            self._folder,
            "--skip-pip",
            "--log-no-color",
        ]
        with self.log_path.open("ab") as log:
            environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ, cwd=self._folder
            )
        _until(self._answers, START_S, self.tail)
        if is_first:
            self._onboard()
        _until(lambda: self.get("/api/config")["state"] == "RUNNING", START_S, self.tail)
        if is_first:
            self._add_broker()
            for action in ("turn_off", "turn_on"):  # their triggers found no broker before
                self.call(f"automation.{action}", entity_id="all")
        _until(lambda: "birth message sent" in self.log_from(begin).lower(), 60, self.tail)

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(40)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def get(self, path: str) -> Any:
        """GET below the address."""
        return self._request("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        """POST JSON."""
        return self._request("POST", path, {} if body is None else body)

    def call(self, action: str, **data: Any) -> Any:
        """Perform an action such as `switch.turn_on`."""
        return self.post(f"/api/services/{action.replace('.', '/')}", data)

    def states(self) -> dict[str, Any]:
        """All states by entity id."""
        return {state["entity_id"]: state for state in self.get("/api/states")}

    def ask(self, command: str, **fields: Any) -> Any:
        """One command of the WebSocket interface and its result."""
        with connect(self.url.replace("http", "ws") + "/api/websocket", max_size=None) as socket:
            socket.recv(ANSWER_S)
            socket.send(json.dumps({"type": "auth", "access_token": self._token}))
            assert json.loads(socket.recv(ANSWER_S))["type"] == "auth_ok"
            socket.send(json.dumps({"id": 1, "type": command, **fields}))
            while True:
                answer = json.loads(socket.recv(ANSWER_S))
                if answer.get("id") == 1 and answer["type"] == "result":
                    if not answer["success"]:
                        raise Refused(f"{command}: {answer['error']}")
                    return answer["result"]

    def device(self, identifier: str) -> dict[str, Any] | None:
        """The device of the registry with this MQTT identifier."""
        devices = self.ask("config/device_registry/list")
        return next((device for device in devices if ["mqtt", identifier] in device["identifiers"]), None)

    def entities(self, identifier: str) -> dict[str, dict[str, Any]]:
        """The registered entities of a device by unique id."""
        device = self.device(identifier)
        listed = self.ask("config/entity_registry/list")
        return {entry["unique_id"]: entry for entry in listed if device and entry["device_id"] == device["id"]}

    def triggers(self, identifier: str) -> set[tuple[str, str]]:
        """Type and subtype of each device trigger."""
        device = self.device(identifier)
        if device is None:
            return set()
        listed = self.ask("device_automation/trigger/list", device_id=device["id"])
        return {(entry["type"], entry["subtype"]) for entry in listed if entry["domain"] == "mqtt"}

    def automate(self, automation: dict[str, Any], topic: str) -> None:
        """Have this automation besides those of the packages; returns when it listens to `topic`."""
        (self._folder / "automations.yaml").write_text(json.dumps([automation]))
        self.call("automation.reload")
        _until(lambda: self._has_subscribed(topic), ANSWER_S, self.tail)

    def log_size(self) -> int:
        """For `complaints`: what is written from now on."""
        return self.log_path.stat().st_size if self.log_path.exists() else 0

    def log_from(self, begin: int) -> str:
        """What it wrote after `begin` bytes."""
        return self.log_path.read_bytes()[begin:].decode(errors="replace")

    def complaints(self, begin: int) -> list[str]:
        """Warnings and errors since `begin`, after proof that one would be seen."""
        proof = secrets.token_hex(8)
        self.call("system_log.write", message=f"proof {proof}", level="warning", logger="proof")
        _until(lambda: any(proof in line for line in self._warnings(begin)), ANSWER_S, self.tail)
        return [line for line in self._warnings(begin) if not line.startswith("WARNING proof: ")]

    def tail(self) -> str:
        """The end of its log."""
        lines = [line for line in self.log_from(0).splitlines() if " DEBUG " not in line]
        return "\n".join(lines[-40:])

    def _has_subscribed(self, topic: str) -> bool:
        lines = self.log_from(0).splitlines()
        return any(topic in line and "mqtt.client] Subscri" in line for line in lines)

    def _warnings(self, begin: int) -> Iterator[str]:
        for line in self.log_from(begin).splitlines():
            found = _LINE.match(line)
            if found and found[1] in ("WARNING", "ERROR", "CRITICAL") and not found[2].startswith(_NOT_OURS):
                yield f"{found[1]} {found[2]}: {found[3]}"

    def _request(self, method: str, path: str, body: Any = None) -> Any:
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        answer = httpx.request(method, self.url + path, json=body, headers=headers, timeout=ANSWER_S)
        if answer.is_error:
            raise Refused(f"{method} {path}: {answer.status_code} {answer.text}")
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.json() if is_json else answer.text

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"Home Assistant ended by itself:\n{self.tail()}"
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(self.url + "/manifest.json", timeout=ANSWER_S).is_success
        return False

    def _onboard(self) -> None:
        """The first user, and a token that outlasts a restart."""
        client = f"{self.url}/"
        user = {"client_id": client, "name": "Test", "username": "test", "password": "test-test", "language": "en"}
        code = self.post("/api/onboarding/users", user)["auth_code"]
        form = {"grant_type": "authorization_code", "code": code, "client_id": client}
        answer = httpx.post(f"{self.url}/auth/token", data=form, timeout=ANSWER_S)
        self._token = answer.raise_for_status().json()["access_token"]
        self._token = self.ask("auth/long_lived_access_token", client_name="tests", lifespan=3650)

    def _add_broker(self) -> None:
        """As a person adds the integration: two forms."""
        flow = self.post("/api/config/config_entries/flow", {"handler": "mqtt", "show_advanced_options": True})
        step = {"broker": "127.0.0.1", "port": self._broker_port}
        asked = {field["name"] for field in flow["data_schema"]}
        assert {"broker", "port"} <= asked, flow
        step |= {field["name"]: _untouched(field) for field in flow["data_schema"] if field.get("type") == "expandable"}
        flow = self.post(f"/api/config/config_entries/flow/{flow['flow_id']}", step)
        assert flow["type"] == "create_entry", flow

    def _write_configuration(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "packages").mkdir()
        for name, content in self._packages.items():
            target = self._folder / "packages" / f"{name}.yaml"
            target.write_text(content.read_text() if isinstance(content, Path) else as_yaml(content))
        shutil.copytree(SHIPPED / "blueprints", self._folder / "blueprints")
        (self._folder / "automations.yaml").write_text("[]\n")
        http: dict[str, Any] = {"server_host": ["127.0.0.1"], "server_port": self._port}
        settings: dict[str, Any] = {
            "api": {},
            "config": {},
            "system_log": {},
            "logger": {"default": "info", "logs": {"homeassistant.components.mqtt.client": "debug"}},
            "http": http,
        }
        home = "homeassistant:\n  name: Home\n  time_zone: UTC\n  packages: !include_dir_named packages\n"
        text = f"{home}{as_yaml(settings)}automation: !include automations.yaml\n"
        (self._folder / "configuration.yaml").write_text(text)
        # Later steps of the welcome would look for a home and devices; only the user is still to be made.
        self._store("onboarding", 4, 1, {"done": ["core_config", "analytics", "integration"]})
        self._store_http(http)

    def _store_http(self, http: dict[str, Any]) -> None:
        """Releases of 2026 keep the address in their store, and try a written one for five minutes only."""
        (package,) = self._environment.glob("lib/python3*/site-packages/homeassistant")
        source = package / "components" / "http" / "config.py"
        text = source.read_text() if source.exists() else ""
        if "yaml_migration_done" not in text:
            return
        version = re.search(r"^STORAGE_VERSION: Final = (\d+)", text, re.MULTILINE)
        minor = re.search(r"^STORAGE_MINOR_VERSION: Final = (\d+)", text, re.MULTILINE)
        profiles = re.findall(r'^    MODERN\w* = "([^"]+)"', (package / "util" / "ssl.py").read_text(), re.MULTILINE)
        stable = {
            **http,
            "cors_allowed_origins": [],
            "login_attempts_threshold": -1,
            "ip_ban_enabled": True,
            "use_x_frame_options": True,
            "ssl_profile": profiles[-1] if profiles else "modern",
            "created_at": "2026-01-01T00:00:00+00:00",
            "error": None,
            "error_message": None,
        }
        data = {"stable": stable, "pending": None, "yaml_migration_done": True}
        self._store("http", int(version[1]) if version else 1, int(minor[1]) if minor else 1, data)
        configuration = self._folder / "configuration.yaml"
        configuration.write_text(configuration.read_text().replace(as_yaml({"http": http}), ""))

    def _store(self, key: str, version: int, minor: int, data: Any) -> None:
        place = self._folder / ".storage" / key
        place.parent.mkdir(exist_ok=True)
        place.write_text(json.dumps({"version": version, "minor_version": minor, "key": key, "data": data}))


def _untouched(section: dict[str, Any]) -> dict[str, Any]:
    """A folded section of a form, as it is sent when nobody opens it: what must be there, and is off."""
    off: dict[str, Any] = {}
    for field in section["schema"]:
        if field.get("required"):
            options = field.get("selector", {}).get("select", {}).get("options")
            first = options[0] if options else False
            off[field["name"]] = first["value"] if isinstance(first, dict) else first
    return off


def as_yaml(content: dict[str, Any]) -> str:
    """JSON is YAML; one key a line."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in content.items())


def _until(condition: Callable[[], bool], deadline_s: float, explain: Callable[[], str]) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"Home Assistant did not get there in {deadline_s:.0f} s:\n{explain()}"
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
