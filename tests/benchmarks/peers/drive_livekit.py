"""livekit-agents: an AgentSession with the Silero plugin and OpenAI's Realtime model. usage: URL FILE.wav (24 kHz)

No room and no server of LiveKit: the session's audio input is the recording. Turns are those of the local detector, as
ours are those of our gate.
"""

# mypy: disable-error-code="import-not-found, import-untyped, misc"
# What it drives is installed in an environment of its own, and is Any here.

import asyncio
import sys
import wave
from collections.abc import AsyncIterator

from livekit import rtc
from livekit.agents import Agent, AgentSession
from livekit.agents.voice.io import AudioInput
from livekit.plugins import openai, silero

from tests.benchmarks.peers.paced import paced


class _Recording(AudioInput):
    def __init__(self, path: str) -> None:
        super().__init__(label="recording")
        with wave.open(path) as file:
            self._rate_hz = file.getframerate()
        self._pieces: AsyncIterator[bytes] = paced(path)

    async def __anext__(self) -> rtc.AudioFrame:
        piece = await anext(self._pieces)
        return rtc.AudioFrame(piece, self._rate_hz, 1, len(piece) // 2)


async def _main(url: str, path: str) -> None:
    model = openai.realtime.RealtimeModel(
        base_url=url.replace("ws://", "http://").removesuffix("/realtime"),
        api_key="none",
        turn_detection=None,
        modalities=["text"],
    )
    session = AgentSession(llm=model, vad=silero.VAD.load(), turn_handling={"turn_detection": "vad"})
    session.input.audio = _Recording(path)
    await session.start(Agent(instructions="Listen."))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2]))
