"""A voice in a room: sound -> segments -> turns -> messages."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("voice-node")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"
