from dataclasses import replace

import pytest

from voice_node.audio.calibration import (
    Verdicts,
    obstacles,
    propose_distance,
    propose_gain,
    propose_hang_over,
    propose_strictness,
    remarks,
)
from voice_node.audio.level import SILENCE_DBFS
from voice_node.audio.loudness import Noise, Voice
from voice_node.settings.schema import RoomSettings

NOISE = Noise(level_dbfs=-60, floor_dbfs=-61, swing_db=2, offset=0, hum_hz=None)
VOICE = Voice(level_dbfs=-27, faint_dbfs=-35, peak_dbfs=-12, clipped=0, active_s=4, longest_pause_ms=200)
GOOD = {0: Verdicts(1, 0.2), 1: Verdicts(1, 0.1), 2: Verdicts(0.95, 0.05), 3: Verdicts(0.8, 0)}


def room(**sections: object) -> RoomSettings:
    return RoomSettings.model_validate({"room": "kitchen", **sections})


def test_a_good_room_stays_as_it_is() -> None:
    assert obstacles(NOISE, VOICE) == []
    assert remarks(NOISE, VOICE) == []
    proposals = [
        propose_gain(VOICE, room()),
        propose_distance(NOISE, VOICE, room()),
        propose_strictness(GOOD, room()),
        propose_hang_over(VOICE, room()),
    ]
    assert [(proposal.section, proposal.key) for proposal in proposals] == [
        ("capture", "gain_db"),
        ("gate", "min_snr_db"),
        ("gate", "aggressiveness"),
        ("gate", "hang_over_ms"),
    ]
    assert not any(proposal.is_change for proposal in proposals)
    assert all(proposal.reason for proposal in proposals)


@pytest.mark.parametrize(
    ("noise", "voice", "advice"),
    [
        (
            replace(NOISE, level_dbfs=SILENCE_DBFS, floor_dbfs=SILENCE_DBFS, swing_db=0),
            replace(VOICE, level_dbfs=SILENCE_DBFS, peak_dbfs=SILENCE_DBFS, active_s=0),
            "Not a single sound came: the microphone is muted",
        ),
        (NOISE, replace(VOICE, clipped=400, peak_dbfs=0), "Too loud: 400 samples"),
        (NOISE, replace(VOICE, level_dbfs=-70, faint_dbfs=-75), "does not stand out of the noise"),
        (NOISE, replace(VOICE, active_s=0.3), "did you not read the sentence"),
        (replace(NOISE, level_dbfs=-80, floor_dbfs=-81), replace(VOICE, level_dbfs=-62), "Too quiet: your voice"),
        (replace(NOISE, swing_db=25), VOICE, "It was not quiet"),
    ],
)
def test_what_no_number_mends_is_advice(noise: Noise, voice: Voice, advice: str) -> None:
    (found,) = obstacles(noise, voice)
    assert advice in found


def test_some_clipped_samples_are_no_trouble() -> None:
    assert obstacles(NOISE, replace(VOICE, clipped=3)) == []


def test_what_is_worth_a_look() -> None:
    hum, offset, fan, far = remarks(
        Noise(level_dbfs=-38, floor_dbfs=-39, swing_db=2, offset=-0.2, hum_hz=50, hum_dbfs=-50),
        replace(VOICE, level_dbfs=-32),
    )
    assert "50 Hz" in hum
    assert "-20 % of full scale" in offset
    assert "fan" in fan
    assert "only 6 dB above" in far


@pytest.mark.parametrize(
    ("level", "peak", "now", "gain", "reason"),
    [
        (-44, -30, 0, 18, "comes at -44 dBFS; -26 is what services expect"),
        (-44, -14, 0, 8, "its peaks (-14) leave no room for more"),
        (-28, -12, 0, 0, "comes at -28"),
        (-44, -30, 16, 16, "comes at -28"),
        (-20, -8, 20, 0, "loud enough as it is"),
        (-15, -2, 0, 0, "comes at -15"),
        (-58, -40, 0, 30, "services expect"),
    ],
)
def test_gain(level: float, peak: float, now: float, gain: float, reason: str) -> None:
    proposal = propose_gain(replace(VOICE, level_dbfs=level, peak_dbfs=peak), room(capture={"gain_db": now}))
    assert proposal.value == gain
    assert proposal.is_change is (gain != now)
    assert reason in proposal.reason


@pytest.mark.parametrize(
    ("swing", "faint", "now", "wanted"),
    [
        (2, -35, 6, 6),
        (7, -35, 6, 8),  # the noise would open it
        (2, -56, 6, 4),  # faint words would not
        (2, -35, 35, 6),  # no reason for so much
        (9, -56, 6, 4),  # neither fits: rather open on noise than deaf
        (2, -62, 6, 3),
        (2, -35, 0, 3),
    ],
)
def test_the_distance_from_the_noise(swing: float, faint: float, now: float, wanted: float) -> None:
    noise, voice = replace(NOISE, swing_db=swing), replace(VOICE, faint_dbfs=faint)
    proposal = propose_distance(noise, voice, room(gate={"min_snr_db": now}))
    assert proposal.value == wanted


@pytest.mark.parametrize(
    ("heard", "wrong", "now", "wanted"),
    [
        ((1, 1, 0.95, 0.3), (0, 0, 0, 0), 3, 2),
        ((0.5, 0.4, 0.3, 0.1), (0.1, 0.1, 0.1, 0), 3, 0),
        ((1, 1, 1, 0.8), (0.5, 0.4, 0.3, 0.1), 1, 3),
        ((1, 1, 1, 0.8), (0, 0, 0, 0), 1, 1),
    ],
)
def test_strictness(heard: tuple[float, ...], wrong: tuple[float, ...], now: int, wanted: int) -> None:
    verdicts = {at: Verdicts(heard[at], wrong[at]) for at in range(4)}
    proposal = propose_strictness(verdicts, room(gate={"aggressiveness": now}))
    assert proposal.value == wanted
    assert ("; " in proposal.reason) is (wanted != now)


@pytest.mark.parametrize(
    ("pause", "now", "wanted"), [(200, 700, 700), (600, 700, 850), (1200, 700, 1450), (900, 2000, 2000)]
)
def test_a_pause_within_the_sentence_does_not_end_it(pause: int, now: int, wanted: int) -> None:
    proposal = propose_hang_over(replace(VOICE, longest_pause_ms=pause), room(gate={"hang_over_ms": now}))
    assert proposal.value == wanted


def test_a_second_opinion_takes_care_of_noise_that_swings() -> None:
    restless = replace(NOISE, swing_db=9)
    assert propose_distance(restless, VOICE, room()).value == 10
    assert not propose_distance(restless, VOICE, room(), is_confirmed=True).is_change
    assert propose_distance(restless, replace(VOICE, faint_dbfs=-56), room(), is_confirmed=True).value == 4
