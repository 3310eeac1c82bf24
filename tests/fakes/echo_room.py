"""A room for echoes: a loudspeaker's sound comes back to the microphone as in a room, and people speak over it.

Everything is the same each time. Speech is espeak-ng's; the room is a decaying random response with a direct path.
"""

import io
import shutil
import subprocess
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from voice_node.model.audio import BYTES_PER_SAMPLE, Frame, PlayedBlock

Samples = NDArray[np.float32]

REPLIES = (
    "The kitchen light is on now. It is twenty one degrees in the living room, and the heating will start at six.",
    "I have set a timer for ten minutes. Do you want me to tell you when it is over?",
    "Tomorrow it will rain in the morning, and in the afternoon the sun comes out with a light wind from the west.",
    "There are three things on your list: milk, bread, and a birthday card for your sister.",
    "I did not understand that. Could you say it again, please?",
    "The door of the garage was opened at seven and closed again twelve minutes later. Nobody has used it since.",
    "Here is what I found. A soft boiled egg takes about six minutes, if it comes from the fridge perhaps seven.",
)
REPLY_VOICES = ("en-us", "en-gb+f3", "en-us+m4", "en-gb", "en-us+f1")
SENTENCES = (
    "Stop please, that is enough",
    "Turn off the light in the kitchen",
    "What time is it in Berlin",
    "No, I meant the bedroom",
)
VOICES = ("en-gb+m2", "en-us+f2", "en-gb-scotland", "en-us+m5")


def needs_espeak() -> None:
    """Skip where there is no speech."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: apt-get install espeak-ng")


@cache
def say(text: str, voice: str, rate_hz: int, speed: int = 165, pitch: int = 45) -> Samples:
    """A sentence, its mean level at -20 dBFS."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text]
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(sound)) as file:
        own_hz = file.getframerate()
        pcm = file.readframes(2**30)
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.float32)
    return scaled(soxr.resample(samples, own_hz, rate_hz), -20)


def replies(seconds: float, rate_hz: int, pause_s: float = 1.0) -> Samples:
    """Varied replies, one after the other."""
    pieces: list[Samples] = []
    number = 0
    while sum(map(len, pieces)) < seconds * rate_hz:
        text, voice = REPLIES[number % len(REPLIES)], REPLY_VOICES[number % len(REPLY_VOICES)]
        pieces += [say(text, voice, rate_hz, 150 + 10 * (number % 4)), np.zeros(int(pause_s * rate_hz), np.float32)]
        number += 1
    out: Samples = np.concatenate(pieces)[: int(seconds * rate_hz)].astype(np.float32)
    return out


def scaled(samples: Samples, dbfs: float) -> Samples:
    """The same sound at that mean level."""
    out: Samples = (samples * 10 ** (dbfs / 20) / np.sqrt(np.mean(np.square(samples)))).astype(np.float32)
    return out


def level_db(samples: Samples) -> float:
    """The mean level in dB below full scale."""
    return float(10 * np.log10(np.mean(np.square(samples.astype(np.float64))) + 1e-12))


def pcm_of(samples: Samples) -> bytes:
    """As mono s16le."""
    out: bytes = np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()
    return out


def samples_of(pcm: bytes) -> Samples:
    """From mono s16le."""
    out: Samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
    return out


@dataclass(frozen=True)
class Room:
    """How sound gets from the loudspeaker to the microphone."""

    rate_hz: int = 16000
    delay_ms: float = 40
    t60_s: float = 0.3
    gain: float = 0.45
    distortion: float = 0
    """0: none; 2 flattens loud passages."""
    noise_dbfs: float = -60
    seed: int = 1

    def response(self) -> Samples:
        """Direct sound, a few early reflections, a decaying rest."""
        random = np.random.default_rng(self.seed)
        seconds = np.arange(int(1.2 * self.t60_s * self.rate_hz)) / self.rate_hz
        rest = random.standard_normal(len(seconds)) * 10 ** (-3 * seconds / self.t60_s)
        early = int(0.02 * self.rate_hz)
        rest[:early] *= random.random(early) < 0.1
        rest *= 0.5 / np.sqrt(np.sum(rest**2))
        rest[0] = 1.0
        delay = np.zeros(round(self.delay_ms * self.rate_hz / 1000))
        whole = np.concatenate([delay, rest])
        out: Samples = (whole * self.gain / np.sqrt(np.sum(whole**2))).astype(np.float32)
        return out

    def echo(self, played: Samples) -> Samples:
        """What comes back of it, as long as it."""
        if self.distortion:
            played = (np.tanh(self.distortion * played) / self.distortion).astype(np.float32)
        response = self.response()
        size = 1 << (len(played) + len(response)).bit_length()
        spectrum = np.fft.rfft(played, size) * np.fft.rfft(response, size)
        echo: Samples = np.fft.irfft(spectrum, size)[: len(played)].astype(np.float32)
        return echo

    def noise(self, count: int) -> Samples:
        """The room without anybody."""
        return scaled(np.random.default_rng(self.seed + 1).standard_normal(count).astype(np.float32), self.noise_dbfs)


@dataclass(frozen=True)
class Talk:
    """What people say over the replies."""

    samples: Samples
    spans: tuple[tuple[float, float], ...]
    """Seconds from and to which each sentence lasts."""


def talk_over(seconds: float, rate_hz: int, dbfs: float, every_s: float = 6.5, first_s: float = 8) -> Talk:
    """A sentence every now and then, each at that level."""
    samples = np.zeros(int(seconds * rate_hz), np.float32)
    spans: list[tuple[float, float]] = []
    at_s = first_s
    while at_s < seconds - 4:
        number = len(spans)
        sentence = scaled(say(SENTENCES[number % len(SENTENCES)], VOICES[number % len(VOICES)], rate_hz), dbfs)
        start = int(at_s * rate_hz)
        samples[start : start + len(sentence)] += sentence
        spans.append((at_s, at_s + len(sentence) / rate_hz))
        at_s += every_s
    return Talk(samples, tuple(spans))


@dataclass(frozen=True)
class Cards:
    """Two sound cards with clocks of their own: blocks and frames as their threads would bring them."""

    frame_ms: int = 20
    frames_per_visit: int = 3
    """How many frames come at once."""
    under_way_s: float = 0.03
    """From the hand-over to the loudspeaker."""
    input_latency_s: float = 0.01
    drift: float = 0.0
    """How much faster the loudspeaker's clock is: 1e-4 is 100 ppm."""
    jitter_s: float = 0.002
    """Threads come late by up to this."""

    def run(
        self, played: Samples, heard: Samples, rate_hz: int, began_at: float = 1000.0
    ) -> Iterator[PlayedBlock | Frame]:
        """In the order in which they come. Both begin at the same moment; silent blocks are not handed over."""
        random = np.random.default_rng(5)
        block, frame = rate_hz // 100, rate_hz * self.frame_ms // 1000
        events: list[tuple[float, int, PlayedBlock | Frame]] = []
        handed_at = 0.0
        for start in range(0, len(played) - block + 1, block):
            if played[start : start + block].any():
                leaves_at = began_at + start / (rate_hz * (1 + self.drift))
                pcm = pcm_of(played[start : start + block])
                handed_at = max(handed_at, leaves_at - self.under_way_s + random.uniform(0, self.jitter_s))
                place = PlayedBlock(start, pcm, rate_hz, leaves_at + random.uniform(0, 0.0005))  # its driver knows
                events.append((handed_at, len(events), place))
        for index in range(len(heard) // frame):
            visit = index // self.frames_per_visit + 1
            came_at = began_at + self.input_latency_s + visit * self.frames_per_visit * self.frame_ms / 1000
            late = np.random.default_rng(visit).uniform(0, self.jitter_s)
            at = came_at + late - (visit * self.frames_per_visit - 1 - index) * self.frame_ms / 1000
            pcm = pcm_of(heard[index * frame : (index + 1) * frame])
            assert len(pcm) == frame * BYTES_PER_SAMPLE
            events.append((came_at + late, len(events), Frame(index, pcm, rate_hz, at)))
        for _, _, event in sorted(events, key=lambda event: event[:2]):
            yield event
