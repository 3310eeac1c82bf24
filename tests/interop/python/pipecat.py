"""pipecat: a pipeline around its service. WAY is `vad`, `semantic` or `manual`, or `beta` for a version that had it."""

import asyncio
from importlib import import_module
from typing import Any

from tests.interop.python.talk import KEY, URL, WAY, pieces, report, speech, until

IS_BETA = WAY == "beta"
frames = import_module("pipecat.frames.frames")
Processor: Any = import_module("pipecat.processors.frame_processor").FrameProcessor
tasks, runners = import_module("pipecat.pipeline.task"), import_module("pipecat.pipeline.runner")
pipelines, schemas = import_module("pipecat.pipeline.pipeline"), import_module("pipecat.adapters.schemas.tools_schema")
functions = import_module("pipecat.adapters.schemas.function_schema")
if IS_BETA:
    events = import_module("pipecat.services.openai_realtime_beta.events")
    Service = import_module("pipecat.services.openai_realtime_beta.openai").OpenAIRealtimeBetaLLMService
    Context = import_module("pipecat.processors.aggregators.openai_llm_context").OpenAILLMContext
else:
    events = import_module("pipecat.services.openai.realtime.events")
    Service = import_module("pipecat.services.openai.realtime.llm").OpenAIRealtimeLLMService
    Context = import_module("pipecat.processors.aggregators.llm_context").LLMContext


class Tap(Processor):  # type: ignore[misc]  # a class of another environment
    """Notes what passes."""

    def __init__(self) -> None:
        super().__init__()
        self.words = ""
        self.replies = 0
        self.transcripts: list[str] = []
        self.errors: list[str] = []

    async def process_frame(self, frame: Any, direction: Any) -> None:
        await super().process_frame(frame, direction)
        match type(frame).__name__:
            case "TTSTextFrame":
                self.words += frame.text
            case "TTSStoppedFrame":
                self.replies += 1
            case "TranscriptionFrame":
                self.transcripts.append(frame.text)
            case "ErrorFrame":
                self.errors.append(frame.error)
        await self.push_frame(frame, direction)


def properties() -> Any:
    turns = {"manual": False, "semantic": events.SemanticTurnDetection()}.get(WAY, events.TurnDetection())
    if IS_BETA:
        return events.SessionProperties(
            input_audio_transcription=events.InputAudioTranscription(), turn_detection=turns
        )
    heard = events.AudioInput(transcription=events.InputAudioTranscription(), turn_detection=turns)
    return events.SessionProperties(audio=events.AudioConfiguration(input=heard))


async def judge(found: dict[str, Any]) -> None:
    service = Service(api_key=KEY, base_url=URL, model="gpt-realtime", session_properties=properties())
    outputs: dict[str, Any] = {"set_light": {"error": "too hot"}, "get_time": "noon"}

    async def call(parameters: Any) -> None:
        found["calls"].append(parameters.function_name)
        await parameters.result_callback(outputs[parameters.function_name])

    for name in outputs:
        service.register_function(name, call)
    known = [functions.FunctionSchema(name=name, description=name, properties={}, required=[]) for name in outputs]
    asked = {"role": "user", "content": "turn on the kitchen light"}
    context = Context([asked], schemas.ToolsSchema(standard_tools=known))
    if IS_BETA:
        pair = service.create_context_aggregator(context)
    else:
        pair = import_module("pipecat.processors.aggregators.llm_response_universal").LLMContextAggregatorPair(context)
    before, after = Tap(), Tap()
    pipeline = pipelines.Pipeline([pair.user(), before, service, after, pair.assistant()])
    rates = tasks.PipelineParams(audio_in_sample_rate=24000, audio_out_sample_rate=24000)
    task = tasks.PipelineTask(pipeline, params=rates, idle_timeout_secs=None)
    running = asyncio.create_task(runners.PipelineRunner(handle_sigint=False).run(task))

    async def hear() -> None:
        count = len(found["calls"])
        if WAY == "manual":
            await task.queue_frame(frames.UserStartedSpeakingFrame())
        for piece in pieces(speech() + (b"" if WAY == "manual" else bytes(96000))):
            await task.queue_frame(frames.InputAudioRawFrame(audio=piece, sample_rate=24000, num_channels=1))
        if WAY == "manual":
            await task.queue_frame(frames.UserStoppedSpeakingFrame())
        await until(lambda: len(found["calls"]) > count)

    try:
        await task.queue_frame(frames.LLMRunFrame())
        await until(lambda: after.replies > 0)
        found["reply"] = after.words
        await hear()
        await until(lambda: "noon" in after.words.lower() and after.replies > 1)
        await task.queue_frame(frames.BotStoppedSpeakingFrame())  # as a speaker would, or it truncates this reply later
        try:
            await service.retrieve_conversation_item("nowhere")
        except Exception as error:  # noqa: BLE001  # it raises no narrower one
            found["unknown"] = str(error)
        if not IS_BETA:
            await service.reset_conversation()
            await task.queue_frame(frames.LLMRunFrame())
            await asyncio.sleep(1)  # nothing tells that the new session is there
            await hear()
    finally:
        found["transcript"] = next(iter(before.transcripts + after.transcripts), "")
        found["errors"] += before.errors + after.errors
        await task.cancel()
        await running


report(judge)
