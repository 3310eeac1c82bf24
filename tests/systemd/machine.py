"""A machine of our own: systemd booted by `systemd-nspawn` on this machine's files, which it cannot change.

Everything that it writes is in memory, in a mount namespace of its own, and it has no network but its loopback. It is
in a process namespace whose first process is killed with ours, however ours ends: the kernel then takes all of it away.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

BOOT_S = 90.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PREFIX = "voice-node-"
_TOOLS = ("systemd-nspawn", "nsenter", "unshare", "setpriv", "mount")
_BOOT = """
set -e
place=$1
for cgroup in $3; do mkdir "$cgroup"; echo 0 > "$cgroup/cgroup.procs"; done
mount -t tmpfs -o size=3g,mode=755 machine "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" overlay "$place/root"
cd "$place/root"
rm -rf opt/voice-node etc/voice-node var/lib/voice-node var/lib/private/voice-node usr/local/bin/voice-node srv
mkdir srv
exec systemd-nspawn --quiet --boot --directory="$place/root" --machine="$2" $4 --private-network \\
  --console=pipe --link-journal=no systemd.unit=multi-user.target systemd.mask=mosquitto.service
"""


def why_not(*programs: str) -> str | None:
    """Why no machine with these programs can be had here, or None."""
    if os.geteuid() != 0:
        return "only root can boot a container"
    missing = [tool for tool in (*_TOOLS, *programs) if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "this kernel knows no overlay"
    return None


class CannotBoot(Exception):
    """It is not to be had in this sandbox; the text is what it said."""


class Machine:
    """One machine, from `with` to its end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"{_PREFIX}{os.getpid()}"
        self._cgroups: list[Path] = []
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._first = 0

    @property
    def root(self) -> Path:
        """Its files."""
        return Path(f"/proc/{self._first}/root")

    def __enter__(self) -> Self:
        """Boot; raises CannotBoot."""
        place = self._folder / "machine"
        place.mkdir()
        options = ""
        if not Path("/run/systemd/system").is_dir():  # nobody here gives it a cgroup of its own
            options = "--register=no --keep-unit"
            self._cgroups = _own_cgroups(self._name)
        log = self._folder / "console.log"
        names = " ".join(map(str, self._cgroups))
        with log.open("wb") as console:
            self._nspawn = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"),
                    *("--pid", "--fork", "--kill-child", "--mount-proc"),
                    *("bash", "-c", _BOOT, "boot", str(place), self._name, names, options),
                ],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
            )  # fmt: skip
        try:
            self.until(self._is_up, BOOT_S)
        except TimeoutError:
            self.__exit__(None, None, None)
            raise CannotBoot(f"it did not boot: {log.read_text(errors='replace')[-1000:]}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._nspawn is not None
        if self._first:
            os.kill(self._first, 9)
        elif self._nspawn.poll() is None:
            self._nspawn.kill()
        self._nspawn.wait(30)
        for cgroup in self._cgroups:
            _remove(cgroup)

    def run(
        self, *command: str, timeout_s: float = 60, check: bool = True, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """A command as its root; standard error comes with standard output."""
        done = subprocess.run(
            [
                *("nsenter", "--target", str(self._first), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"),
                *("env", "--chdir=/", *command),
            ],
            env={"PATH": PATH, "LANG": "C.UTF-8"} | environ,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
        return done

    def read(self, *command: str) -> str:
        """What it prints, whether it is content or not."""
        return self.run(*command, check=False).stdout.strip()

    def until(self, condition: Callable[[], bool], deadline_s: float = 60) -> None:
        """Return when it holds; raises TimeoutError."""
        ends_at = time.monotonic() + deadline_s
        while not condition():
            if time.monotonic() > ends_at:
                raise TimeoutError
            time.sleep(0.2)

    def _is_up(self) -> bool:
        assert self._nspawn is not None
        if self._nspawn.poll() is not None:
            raise TimeoutError
        if not self._first:
            leaders = [pid for nspawn in _children(self._nspawn.pid) for pid in _children(nspawn) if _is_init(pid)]
            self._first = leaders[0] if leaders else 0
        return bool(self._first) and self.read("systemctl", "is-system-running") in ("running", "degraded")


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _is_init(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return "\nName:\tsystemd\n" in f"\n{status}" and any(
        line.startswith("NSpid:") and line.split()[-1] == "1" for line in status.splitlines()
    )


def _remove(cgroup: Path) -> None:
    for folder in sorted((found for found in cgroup.rglob("*") if found.is_dir()), reverse=True):
        folder.rmdir()
    if cgroup.exists():
        cgroup.rmdir()


def _is_populated(cgroup: Path) -> bool:
    return any(procs.read_text() for procs in cgroup.rglob("cgroup.procs"))


def _own_cgroups(name: str) -> list[Path]:
    """Where this process is, one level deeper, in the hierarchies that systemd writes to.

    Those of a machine whose test was killed are taken away first: the kernel leaves them, empty.
    """
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        folders = {"name=systemd": ["systemd"], "": ["unified", "."]}.get(controllers, [])
        for folder in folders:
            place = Path("/sys/fs/cgroup") / folder
            if (place / "cgroup.procs").exists():
                here = place / path.lstrip("/")
                for other in here.glob(f"{_PREFIX}*"):
                    if not Path("/proc", other.name.removeprefix(_PREFIX)).exists() and not _is_populated(other):
                        _remove(other)
                found.append(here / name)
                break
    return found
