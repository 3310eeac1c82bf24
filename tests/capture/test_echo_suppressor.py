import numpy as np
import pytest

from tests.fakes.echo_room import Room, level_db, needs_espeak, pcm_of, replies, samples_of
from voice_node.capture.echo_suppressor import EchoSuppressor


@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_an_echo_is_suppressed_and_a_silent_reference_changes_little(rate_hz: int) -> None:
    needs_espeak()
    played = replies(4, rate_hz, pause_s=0.2)
    room = Room(rate_hz=rate_hz)
    echo = room.echo(played) + room.noise(len(played))
    suppressor = EchoSuppressor()
    frame = rate_hz // 50
    left = b"".join(
        suppressor.suppress(pcm_of(echo[start : start + frame]), pcm_of(played[start : start + frame]), rate_hz)
        for start in range(0, len(echo), frame)
    )

    assert len(left) == 2 * len(echo)
    assert level_db(samples_of(left)[rate_hz:]) < level_db(echo[rate_hz:]) - 20


def test_a_voice_alone_passes() -> None:
    needs_espeak()
    voice = replies(3, 16000)
    suppressor = EchoSuppressor()
    left = samples_of(
        b"".join(
            suppressor.suppress(pcm_of(voice[start : start + 320]), bytes(640), 16000) for start in range(0, 48000, 320)
        )
    )

    assert abs(level_db(left) - level_db(voice)) < 1
    assert np.corrcoef(np.abs(left[:-160]), np.abs(voice[:-160]))[0, 1] > 0.3
