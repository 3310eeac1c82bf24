"""A file that holds one input after the other, where that wears out no disk."""

import shutil
import tempfile
from pathlib import Path
from random import Random

from tests.fuzz.mutation import Mutator


class CaseFile:
    """What targets share whose inputs are files; see `campaign.Target`."""

    def __init__(self, dice: Random, name: str) -> None:
        self._dice = dice
        self._mutator = Mutator(dice)
        memory = Path("/dev/shm")
        self._folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None))
        self._path = self._folder / name

    def close(self) -> None:
        """Remove the file."""
        shutil.rmtree(self._folder)
