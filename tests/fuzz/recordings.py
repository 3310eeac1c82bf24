"""What somebody may hand over as a recording: samples, or a ConfigError that names the file."""

import io
import struct
import wave
from random import Random

from tests.fuzz.case_file import CaseFile
from voice_node.capture.wav_reader import inspect_wav, read_wav
from voice_node.model.errors import ConfigError

TOKENS = (
    *(
        b"RIFF",
        b"WAVE",
        b"fmt ",
        b"data",
        b"LIST",
        b"\x00",
        b"\xff",
        b"\xff" * 4,
        b"\x00" * 4,
        b"\x01\x00",
        b"\xfe\xff",
    ),
    *(struct.pack("<I", size) for size in (1, 16, 40, 8000, 192000, 2**31, 2**32 - 2)),
)


def _good(channels: int, sample_bytes: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(channels)
        target.setsampwidth(sample_bytes)
        target.setframerate(16000)
        target.writeframes(bytes(range(240)) * channels * sample_bytes)
    return file.getvalue()


def _extensible() -> bytes:
    shape = struct.pack("<HHIIHHHHI", 0xFFFE, 2, 48000, 48000 * 8, 8, 32, 22, 32, 3)
    shape += bytes.fromhex("0100000000001000800000aa00389b71")
    body = b"WAVE" + b"LIST\x04\x00\x00\x00INFO" + b"fmt " + struct.pack("<I", 40) + shape
    body += b"data" + struct.pack("<I", 800) + bytes(800)
    return b"RIFF" + struct.pack("<I", len(body)) + body


GOOD = (_good(1, 2), _good(2, 1), _good(6, 3), _extensible())


class Recordings(CaseFile):
    """See `campaign.Target`."""

    def __init__(self, dice: Random) -> None:
        super().__init__(dice, "sound.wav")

    def make(self) -> bytes:
        """A mutated file, mostly in its head."""
        good = self._dice.choice(GOOD)
        split = 80 if self._dice.random() < 0.8 else len(good)
        mutated = self._mutator.bytes(good[:split], TOKENS) + good[split:]
        self._path.write_bytes(mutated)
        return mutated

    def feed(self, case: bytes) -> None:
        """Read all of it."""
        try:
            sound = inspect_wav(self._path)
            heard = sum(len(piece) for piece in read_wav(sound, sound.channels - 1, 3200))
        except ConfigError as error:
            told = str(error)
        else:
            assert heard == sound.frames * 2
            assert heard <= len(case) * 2, "more sound than there is"
            return
        assert told.startswith(f"{self._path}: "), told
