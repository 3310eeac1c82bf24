"""What `doctor` looks at on the sound cards. A card that the running room holds is left alone."""

import contextlib

from voice_node.audio.calibration import LEAST_HEARD_DBFS
from voice_node.audio.level import SILENCE_DBFS
from voice_node.cli.calibrate_listening import Glimpse, Listening
from voice_node.cli.doctor_finding import Finding, Patient, Status, off_loop
from voice_node.model.errors import CaptureLost
from voice_node.runtime.portaudio import PROBED_RATES_HZ, PortAudio
from voice_node.runtime.sound_devices import DeviceMissing

WAV = "wav:"
LISTEN_S = 1.5
_DEVICES = "`voice-node devices` lists what is there; a part of the name goes into the room file."


async def check_microphone(patient: Patient) -> list[Finding]:
    """Found, opened, and not silent."""
    capture = patient.settings.capture
    if isinstance(capture.device, str) and capture.device.startswith(WAV):
        return [Finding("microphone", Status.OK, f"a recording: {capture.device.removeprefix(WAV)}")]
    if patient.is_running:
        return [Finding("microphone", Status.OK, "not opened: the room runs, and holds it")]
    listening, levels = Listening(capture), list[float]()

    def show(glimpse: Glimpse) -> None:
        levels.append(glimpse.level_dbfs)

    try:
        await listening.start()
        rate_hz = await listening.listen(LISTEN_S, show)
    except CaptureLost as error:
        return [Finding("microphone", Status.FAULT, str(error), f"{_DEVICES} Does another program hold it?")]
    finally:
        with contextlib.suppress(CaptureLost):
            await listening.close()
    return [heard(listening.name, rate_hz, max(levels, default=SILENCE_DBFS))]


def heard(name: str, rate_hz: int, loudest_dbfs: float) -> Finding:
    """What the loudest frame of a second of sound means."""
    if loudest_dbfs <= LEAST_HEARD_DBFS:
        advice = "Is its capture switched on (`alsamixer`, F4, space)? Is capture.channel the right one?"
        return Finding("microphone", Status.FAULT, f"{name}: opens, and gives digital silence", advice)
    return Finding("microphone", Status.OK, f"{name}: opens at {rate_hz} Hz, hears {loudest_dbfs:.0f} dBFS")


async def check_speaker(patient: Patient) -> list[Finding]:
    """Found, and takes a sample rate; nothing is played."""
    device = patient.settings.playback.device
    if device == "none":
        return [Finding("speaker", Status.OK, "none: replies are words on MQTT")]
    return [await off_loop(lambda: _speaker(device, is_running=patient.is_running))]


def _speaker(device: int | str, *, is_running: bool) -> Finding:
    with PortAudio.open() as library:
        try:
            found = library.find(device, "output")
        except DeviceMissing as missing:
            advice = f"{_DEVICES} Without a speaker: playback: {{device: none}}."
            return Finding("speaker", Status.FAULT, str(missing), advice)
        if is_running:
            return Finding("speaker", Status.OK, f"{found.name}: there; not tried, because the room runs")
        channels = min(2, found.channels("output"))
        rates = [rate for rate in PROBED_RATES_HZ if library.takes(found, "output", rate, channels)]
    if not rates:
        return Finding("speaker", Status.FAULT, f"{found.name}: takes no sample rate", "Does another program hold it?")
    return Finding("speaker", Status.OK, f"{found.name}: takes {', '.join(map(str, rates))} Hz")
