"""pipecat: Silero and smart-turn before OpenAI's Realtime service. usage: URL FILE.wav (16 kHz)

The input transport is pipecat's own for microphones, with the recording in PyAudio's place; turns are those of the
local detectors, as ours are those of our gate.
"""

# mypy: disable-error-code="import-not-found, import-untyped, misc"
# What it drives is installed in an environment of its own, and is Any here.

import asyncio
import sys

from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import CancelFrame, EndFrame, InputAudioRawFrame, StartFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from tests.benchmarks.peers.paced import paced

_RATE_HZ = 16000


class _Recording(BaseInputTransport):
    def __init__(self, path: str) -> None:
        super().__init__(TransportParams(audio_in_enabled=True, audio_in_sample_rate=_RATE_HZ))
        self._path = path
        self._playing: asyncio.Task[None] | None = None

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self._playing = self.create_task(self._play())

    async def stop(self, frame: EndFrame) -> None:
        await self._end()
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        await self._end()
        await super().cancel(frame)

    async def _play(self) -> None:
        async for piece in paced(self._path):
            await self.push_audio_frame(InputAudioRawFrame(audio=piece, sample_rate=_RATE_HZ, num_channels=1))

    async def _end(self) -> None:
        if self._playing is not None:
            await self.cancel_task(self._playing)
            self._playing = None


async def _main(url: str, path: str) -> None:
    logger.remove()
    logger.add(sys.stderr, level="WARNING")  # its default, every step of its own, is for those who build it
    by_us = events.SessionProperties(
        output_modalities=["text"], audio=events.AudioConfiguration(input=events.AudioInput(turn_detection=False))
    )
    settings = OpenAIRealtimeLLMService.Settings(session_properties=by_us)
    llm = OpenAIRealtimeLLMService(api_key="none", base_url=url, settings=settings)
    aggregators = LLMContextAggregatorPair(
        LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    pipeline = Pipeline([_Recording(path), aggregators.user(), llm, aggregators.assistant()])
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(PipelineWorker(pipeline, params=PipelineParams(), idle_timeout_secs=None))
    await runner.run()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2]))
