"""A sound card where there is none: a private PulseAudio with null sinks. PortAudio sees it through libasound.

`room` is a mono sink at 48 kHz: what is played into it is what the microphone hears. `stage` is a stereo one, for a
card with two channels. `speaker` is a stereo sink: what the node plays is recorded from `speaker.monitor`.
`plug` and `unplug` load and unload a sink as a card that comes and goes: a device of its own in PortAudio's list, with
a server of its own, since one with another card would move its streams there. `load` and `unload` do it where they are.
`norewinds=1` is essential: without it capture starts seconds late, and a reply is swallowed faster than it sounds.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyaudio
import pytest

from voice_node.runtime.portaudio import Patience, PortAudio

_TOOLS = ("pulseaudio", "pactl", "paplay", "parec")
_DEADLINE_S = 15.0


def missing_tool() -> str | None:
    """The first of PulseAudio's programs that is not installed, or None."""
    return next((tool for tool in _TOOLS if shutil.which(tool) is None), None)


_ROOM = """
load-module module-null-sink sink_name=room rate=48000 channels=1 norewinds=1
load-module module-null-sink sink_name=stage rate=48000 channels=2 norewinds=1
load-module module-null-sink sink_name=speaker rate=48000 channels=2 norewinds=1
load-module module-remap-source master=room.monitor source_name=mic rate=48000 channels=1
set-default-sink speaker
set-default-source mic
"""


class SoundCard:
    """One server in one directory; `start` and `kill` may follow each other."""

    def __init__(self, directory: Path, script: str = _ROOM) -> None:
        self._directory = directory
        self._script = script
        self._server: subprocess.Popen[bytes] | None = None
        self._modules: dict[str, str] = {}
        """Those of the sinks that were loaded, by name."""
        self._slots: dict[str, SoundCard] = {}
        """Servers of cards that are or were plugged in."""
        self._plugged: list[str] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to see this card."""
        return {
            "PULSE_SERVER": f"unix:{self._directory}/pulse.sock",
            "PULSE_RUNTIME_PATH": f"{self._directory}/runtime",
            "PULSE_COOKIE": f"{self._directory}/cookie",
            "ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{self._cards}",
        }

    @property
    def _cards(self) -> Path:
        return self._directory / "cards.conf"

    def start(self) -> None:
        """Return when the sinks are there. RuntimeError: the server does not come up."""
        socket = self._directory / "pulse.sock"
        socket.unlink(missing_ok=True)
        self._modules.clear()
        self._list_cards()
        script = self._directory / "script.pa"
        script.write_text(
            f"load-module module-native-protocol-unix auth-anonymous=1 socket={socket}\n{self._script}",
            encoding="utf-8",
        )
        log = self._directory / "pulse.log"
        self._server = subprocess.Popen(
            [
                "pulseaudio", "-n", "-F", str(script), "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
                "--disallow-exit=yes", "--realtime=no", "--high-priority=no", f"--log-target=newfile:{log}",
            ],
            env={**os.environ, **self.environment, "HOME": str(self._directory)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline and self._server.poll() is None:
            if socket.exists() and ("mic" in self._ask("list", "short", "sources") or not self._script):
                return
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"PulseAudio does not come up: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")

    def kill(self) -> None:
        """End the server as a pulled plug would: without a word to its clients."""
        for slot in self._slots.values():
            slot.kill()
        self._slots.clear()
        self._plugged.clear()
        if self._server is not None:
            self._server.send_signal(signal.SIGKILL)
            self._server.wait()
            self._server = None

    def freeze(self) -> None:
        """Let the server hang, as an ill driver does: it is there but answers nothing. `thaw` mends it."""
        if self._server is not None:
            self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        if self._server is not None:
            self._server.send_signal(signal.SIGCONT)

    def plug(self, name: str, rate_hz: int = 48000, channels: int = 1) -> None:
        """A card comes, whose microphone hears what is played into it. It is the last in the list of devices."""
        if name not in self._slots:
            directory = self._directory / name
            directory.mkdir()
            self._slots[name] = SoundCard(directory, script="")
            self._slots[name].start()
        self._slots[name].load(name, rate_hz, channels)
        self._plugged.append(name)
        self._list_cards()

    def unplug(self, name: str) -> None:
        """A card goes, and with it its streams. The cards behind it move up in the list of devices."""
        self._slots[name].unload(name)
        self._plugged.remove(name)
        self._list_cards()

    def load(self, name: str, rate_hz: int = 48000, channels: int = 1) -> None:
        """One more sink, and its monitor as a source."""
        module = self._ask(
            "load-module", "module-null-sink",
            f"sink_name={name}", f"rate={rate_hz}", f"channels={channels}", "norewinds=1",
        )  # fmt: skip
        self._modules[name] = module.strip()

    def unload(self, name: str) -> None:
        """The server moves its streams to others, if it has any."""
        self._ask("unload-module", self._modules.pop(name))

    def _list_cards(self) -> None:
        """Tell ALSA of the cards: PortAudio lists what is configured."""
        lines = []
        for name in self._plugged:
            server = self._slots[name].environment["PULSE_SERVER"]
            source, sink = (
                f'{{ type pulse server "{server}" device "{device}" }}' for device in (f"{name}.monitor", name)
            )
            lines.append(f"pcm.{name} {{ type asym capture.pcm {source} playback.pcm {sink} }}\n")
        self._cards.write_text("".join(lines))

    def play(self, recording: Path, sink: str = "room", latency_ms: int = 30) -> "subprocess.Popen[bytes]":
        """Begin to play a WAV file into a sink or a card; the lower the latency, the more often all are woken."""
        return subprocess.Popen(
            ["paplay", f"--latency-msec={latency_ms}", f"--device={sink}", str(recording)],
            env={**os.environ, **self._slots.get(sink, self).environment},
        )

    def record(self, path: Path, rate_hz: int = 48000, source: str = "speaker.monitor") -> "subprocess.Popen[bytes]":
        """Begin to record a source or a card as raw mono s16le into `path`; terminate the process to stop."""
        slot = self._slots.get(source.removesuffix(".monitor"), self)
        with path.open("wb") as file:
            return subprocess.Popen(
                [
                    "parec", "--raw", "--latency-msec=20", f"--device={source}", f"--rate={rate_hz}", "--channels=1",
                    "--format=s16le",
                ],
                stdout=file,
                env={**os.environ, **slot.environment},
            )  # fmt: skip

    def carry_back(self) -> None:
        """Let whoever opens a speaker next play into the room: the microphone hears it beside what else is there.

        A loopback from `speaker` would be another room: it stretches sound by 200 ppm, and tears it where the machine
        is busy, which air does not.
        """
        self.play_to("room")

    def play_to(self, sink: str) -> None:
        """Let `default` mean this sink for whoever opens a speaker next."""
        self._ask("set-default-sink", sink)

    def listen_to(self, source: str) -> None:
        """Let `default` mean this source for whoever opens a microphone next."""
        self._ask("set-default-source", source)

    def listeners(self) -> int:
        """How many programs record from this card at the moment."""
        return self._ask("list", "short", "source-outputs").count("protocol-native")

    def clients(self) -> int:
        """How many programs are connected, this question left out."""
        return len(self._ask("list", "short", "clients").splitlines()) - 1

    def players(self) -> int:
        """How many programs hold a stream that plays at the moment."""
        return self._ask("list", "short", "sink-inputs").count("protocol-native")

    def _ask(self, *arguments: str) -> str:
        answer = subprocess.run(
            ["pactl", *arguments],
            env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
        return answer.stdout


def limit_cards(monkeypatch: pytest.MonkeyPatch, rates_hz: Sequence[int], channels: Sequence[int]) -> None:
    """Let every card refuse all but these, as a cheap one does: PulseAudio's converts whatever it is asked for."""

    class Limited(pyaudio.PyAudio):  # type: ignore[misc]  # PyAudio ships no types
        def get_device_info_by_index(self, device_index: int) -> Any:
            most = {"maxInputChannels": max(channels), "maxOutputChannels": max(channels)}
            return {**super().get_device_info_by_index(device_index), **most}

        def is_format_supported(self, rate: int, **wishes: Any) -> Any:
            refuse(rate, wishes.get("input_channels") or wishes.get("output_channels"), ValueError)
            return super().is_format_supported(rate, **wishes)

        def open(self, **wishes: Any) -> Any:
            refuse(wishes["rate"], wishes["channels"], OSError)
            return super().open(**wishes)

    def refuse(rate_hz: int, count: int | None, error: type[OSError | ValueError]) -> None:
        if rate_hz not in rates_hz:
            raise error(-9997, "Invalid sample rate")
        if count not in channels:
            raise error(-9998, "Invalid number of channels")

    monkeypatch.setattr(pyaudio, "PyAudio", Limited)


@pytest.fixture
def new_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody in this process asked for a new list of devices yet."""
    monkeypatch.setattr(PortAudio, "_patience", {"input": Patience(), "output": Patience()})


@pytest.fixture
def sound_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundCard]:
    """A sound card of one's own, which PortAudio in this process sees. Skips where PulseAudio is not installed."""
    if (tool := missing_tool()) is not None:
        pytest.skip(f"{tool} is not installed: apt-get install pulseaudio pulseaudio-utils libasound2-plugins")
    directory = tmp_path / "sound_card"
    directory.mkdir()
    with SoundCard(directory) as card:
        for name, value in card.environment.items():
            monkeypatch.setenv(name, value)
        yield card
