"""What a room's noise and a voice in it ask of the room file: numbers with reasons, or advice where no number helps.

The rules:

Gain        raises the voice to `TARGET_DBFS`, and no further than its peaks leave `HEADROOM_DB`. It does not lower: a
            voice that is loud and not clipped is heard.
Noise       `min_snr_db` must lie above what the noise swings, and below what three of four frames of the voice reach.
            Where a second opinion confirms speech (`gate.confirm`), noise that swings is its business.
Detector    `aggressiveness` is the strictest at which most of the voice is still taken for one.
Pauses      `hang_over_ms` must outlast the longest pause within a sentence that was read.

What is in force and fits stays as it is. All is measured before the gain, which moves noise and voice alike.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from voice_node.audio.level import SILENCE_DBFS
from voice_node.audio.loudness import Noise, Voice
from voice_node.settings.schema import RoomSettings

TARGET_DBFS = -26.0
"""The nominal level of speech in telephony (ITU-T P.56): services and detectors were made with it."""
HEADROOM_DB = 6.0
NEAR_ENOUGH_DB = 3.0
MOST_GAIN_DB = 30
LEAST_SNR_DB = 3
LONGEST_HANG_OVER_MS = 1500
_MOST_CLIPPED = 10
LEAST_HEARD_DBFS = SILENCE_DBFS + 1
"""What is not louder is digital silence."""
_LEAST_DIFFERENCE_DB = 3.0
_LEAST_SPEECH_S = 0.8
_MOST_SWING_DB = 15.0
_LOUDEST_ROOM_DBFS = -40.0
_LARGEST_OFFSET = 0.05
_WELL_HEARD = 0.6
_OFTEN_WRONG = 0.1
_AFTER_PAUSE_MS = 250


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What a detector said at one strictness, as shares of 1."""

    of_voice: float
    """Active frames of the voice that it took for speech."""
    of_noise: float
    """Frames of the room alone that it took for speech, and that stood out of the noise as far as speech must."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One key of the room file."""

    section: str
    key: str
    now: float
    value: float
    reason: str

    @property
    def is_change(self) -> bool:
        """It is not what the file says already."""
        return self.value != self.now


def obstacles(noise: Noise, voice: Voice) -> list[str]:
    """What must be mended before numbers mean anything, in plain words."""
    if max(noise.level_dbfs, voice.level_dbfs, voice.peak_dbfs) <= LEAST_HEARD_DBFS:
        return [
            "Not a single sound came: the microphone is muted, or this is another device or channel. Look whether "
            "its capture is on (`alsamixer`, F4, space), and which device it is (`voice-node devices`)."
        ]
    found = []
    if voice.clipped > _MOST_CLIPPED:
        found.append(
            f"Too loud: {voice.clipped} samples of your voice are clipped, and no setting here brings them back. Turn "
            "the capture level down (`alsamixer`, F4), or speak from farther away."
        )
    if noise.swing_db > _MOST_SWING_DB:
        found.append(
            f"It was not quiet: while it listened to the room, something was {noise.swing_db:.0f} dB louder than the "
            "rest. Wait until nobody speaks and nothing clatters."
        )
    elif voice.level_dbfs - noise.level_dbfs < _LEAST_DIFFERENCE_DB or voice.active_s < _LEAST_SPEECH_S:
        found.append(
            "Your voice does not stand out of the noise of the room: is this the right microphone (`voice-node "
            "devices`), is it on, and near enough? Or did you not read the sentence?"
        )
    elif TARGET_DBFS - voice.level_dbfs > MOST_GAIN_DB + NEAR_ENOUGH_DB:
        found.append(
            f"Too quiet: your voice comes at {voice.level_dbfs:.0f} dBFS, which only the sound card can raise without "
            "raising its own hiss. Turn the capture level up (`alsamixer`, F4), or speak from nearer."
        )
    return found


def remarks(noise: Noise, voice: Voice) -> list[str]:
    """What is worth a look, and is no setting of the room file."""
    found = []
    if noise.hum_hz is not None:
        found.append(
            f"The mains hum ({noise.hum_hz} Hz) is in the sound, at {noise.hum_dbfs:.0f} dBFS: another power supply or "
            "cable for the microphone, away from mains cables, takes it out; `capture.high_pass_hz: 100` most of it."
        )
    if abs(noise.offset) > _LARGEST_OFFSET:
        found.append(
            f"The sound card adds a constant {100 * noise.offset:.0f} % of full scale. It is no noise, but loud words "
            "clip earlier: another sound card has none."
        )
    if noise.level_dbfs > _LOUDEST_ROOM_DBFS:
        found.append(f"The room is loud ({noise.level_dbfs:.0f} dBFS): is the microphone beside a fan or the speaker?")
    snr_db = voice.level_dbfs - noise.level_dbfs
    if snr_db < 10:
        found.append(
            f"Your voice is only {snr_db:.0f} dB above the noise: a nearer microphone helps more than numbers."
        )
    return found


def propose_gain(voice: Voice, settings: RoomSettings) -> Proposal:
    """`capture.gain_db`, for sound that was measured without any."""
    now = settings.capture.gain_db
    room_db = -HEADROOM_DB - voice.peak_dbfs
    wanted = min(TARGET_DBFS - voice.level_dbfs, room_db)
    value = float(min(MOST_GAIN_DB, max(0, round(wanted))))
    if abs(wanted - now) <= NEAR_ENOUGH_DB or value == now:
        return Proposal("capture", "gain_db", now, now, f"your voice comes at {voice.level_dbfs + now:.0f} dBFS")
    reason = f"your voice comes at {voice.level_dbfs:.0f} dBFS; {TARGET_DBFS:.0f} is what services expect"
    if value and room_db <= TARGET_DBFS - voice.level_dbfs:
        reason += f", but its peaks ({voice.peak_dbfs:.0f}) leave no room for more"
    elif not value:
        reason = f"your voice comes at {voice.level_dbfs:.0f} dBFS, which is loud enough as it is"
    return Proposal("capture", "gain_db", now, value, reason)


def propose_distance(noise: Noise, voice: Voice, settings: RoomSettings, *, is_confirmed: bool = False) -> Proposal:
    """`gate.min_snr_db`; `is_confirmed`: a second opinion is at work."""
    now = settings.gate.min_snr_db
    least = LEAST_SNR_DB if is_confirmed else max(LEAST_SNR_DB, math.ceil(noise.swing_db + 1))
    most = max(LEAST_SNR_DB, math.floor(voice.faint_dbfs - noise.floor_dbfs - 1))
    swings = f"the noise swings by {noise.swing_db:.0f} dB"
    stands = f"most of your voice stands {voice.faint_dbfs - noise.floor_dbfs:.0f} dB above its floor"
    if least <= now <= most:
        return Proposal("gate", "min_snr_db", now, now, f"{swings}, {stands}")
    if least > most:
        return Proposal("gate", "min_snr_db", now, float(most), f"{stands}; {swings}, so it opens the gate at times")
    value = least if now < least else min(most, max(least, 6))
    return Proposal("gate", "min_snr_db", now, float(value), swings if now < least else stands)


def propose_strictness(verdicts: Mapping[int, Verdicts], settings: RoomSettings) -> Proposal:
    """`gate.aggressiveness`, from the detector's verdicts at each."""
    now = settings.gate.aggressiveness
    fits = [at for at, said in verdicts.items() if said.of_voice >= _WELL_HEARD]
    value = max(fits, default=max(verdicts, key=lambda at: verdicts[at].of_voice - verdicts[at].of_noise))
    if now in fits and verdicts[now].of_noise <= _OFTEN_WRONG:
        value = now
    said = verdicts[value]
    reason = f"{100 * said.of_voice:.0f} % of your voice and {100 * said.of_noise:.0f} % of the noise count as speech"
    if value != now:
        before = verdicts[now]
        reason += f"; with {now}, {100 * before.of_voice:.0f} % and {100 * before.of_noise:.0f} %"
    return Proposal("gate", "aggressiveness", now, value, reason)


def propose_hang_over(voice: Voice, settings: RoomSettings) -> Proposal:
    """`gate.hang_over_ms`, from one sentence that was read without a stop."""
    now = settings.gate.hang_over_ms
    needed = math.ceil((voice.longest_pause_ms + _AFTER_PAUSE_MS) / 50) * 50
    value = min(LONGEST_HANG_OVER_MS, needed) if needed > now else now
    return Proposal(
        "gate",
        "hang_over_ms",
        now,
        max(now, value),
        f"your longest pause within the sentence was {voice.longest_pause_ms} ms",
    )
