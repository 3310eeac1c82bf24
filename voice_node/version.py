"""Which version this is. A module of its own: who asks the installed packages takes some 50 ms."""

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("voice-node")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+unknown"


VERSION = _installed()
