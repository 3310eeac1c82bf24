"""livekit-plugins-openai: its model, without a room. WAY is `vad`, `manual`, `text`, `azure` or `reconnect`."""

import asyncio
from importlib import import_module
from typing import Any

from tests.interop.python.talk import KEY, LAMP, URL, WAY, pieces, report, speech, until

aiohttp, rtc, llm = import_module("aiohttp"), import_module("livekit.rtc"), import_module("livekit.agents.llm")
openai = import_module("livekit.plugins.openai")
_WAYS: dict[str, dict[str, Any]] = {
    "vad": {},
    "manual": {"turn_detection": None},
    "text": {"modalities": ["text"]},
    "reconnect": {"max_session_duration": 4.0},
}


async def _unused() -> str:
    """This is called by nobody: the judge reads the calls from the model."""
    return ""


def model(http: Any) -> Any:
    if WAY != "azure":
        kind = openai.realtime.RealtimeModel
        return kind(base_url=URL, api_key=KEY, http_session=http, model="gpt-realtime", **_WAYS[WAY])
    home = URL.replace("ws", "http", 1).removesuffix("/v1/realtime")
    return openai.realtime.RealtimeModel.with_azure(
        azure_deployment="gpt-realtime",
        azure_endpoint=home,
        api_key=KEY,
        http_session=http,
        api_version="2024-10-01-preview",
    )


async def taken(generation: Any) -> tuple[str, int, list[Any], str]:
    """Words, samples, calls and the last message's id."""

    async def calls() -> list[Any]:
        return [call async for call in generation.function_stream]

    async def samples(message: Any) -> int:
        return sum([frame.samples_per_channel async for frame in message.audio_stream])

    words, sound, message_id = "", 0, ""
    called = asyncio.create_task(calls())
    async for message in generation.message_stream:
        played = asyncio.create_task(samples(message))
        words += "".join([str(piece) async for piece in message.text_stream])
        sound, message_id = sound + await played, message.message_id
    return words, sound, await called, message_id


async def judge(found: dict[str, Any]) -> None:
    seen: list[tuple[str, Any]] = []
    async with aiohttp.ClientSession() as http:
        session = model(http).session()

        def note(kind: str) -> None:
            session.on(kind, lambda event=None: seen.append((kind, event)))

        def of(kind: str) -> list[Any]:
            return [event for name, event in seen if name == kind]

        def hear(sound: bytes) -> None:
            for piece in pieces(sound):
                session.push_audio(rtc.AudioFrame(piece, 24000, 1, len(piece) // 2))

        async def answered(item: Any) -> tuple[str, int, list[Any], str]:
            context = session.chat_ctx.copy()
            context.items.append(item)
            await session.update_chat_ctx(context)
            return await taken(await session.generate_reply())

        async def spoken() -> list[Any]:
            """The calls that speech brought."""
            sound, count, began = speech(), len(of("generation_created")), len(of("input_speech_started"))
            if WAY == "manual":
                hear(sound)
                session.commit_audio()
                return (await taken(await session.generate_reply()))[2]
            hear(sound[:30720])
            await until(lambda: len(of("input_speech_started")) > began)
            session.interrupt()
            hear(sound[30720:] + bytes(96000))
            await until(lambda: len(of("generation_created")) > count)
            return (await taken(of("generation_created")[-1]))[2]

        for kind in ("generation_created", "input_speech_started", "error", "session_reconnected"):
            note(kind)
        note("input_audio_transcription_completed")
        await session.update_instructions("Be brief.")
        tools = [llm.function_tool(_unused, name=name, description=name) for name in ("set_light", "get_time")]
        await session.update_tools(tools)

        asked = llm.ChatMessage(role="user", content=["turn on the kitchen light"])
        (call,) = (await answered(asked))[2]
        output = llm.FunctionCallOutput(call_id=call.call_id, output=LAMP, is_error=False, name=call.name)
        words, sound, _, message_id = await answered(output)
        if sound:
            session.truncate(message_id=message_id, modalities=["audio", "text"], audio_end_ms=120)
        calls = [call, *await spoken()]
        found |= {"reply": words, "sound": sound > 0}
        if WAY == "reconnect":
            await until(lambda: of("session_reconnected"))
            calls += await spoken()
        found["calls"] += [one.name for one in calls]
        await until(lambda: of("input_audio_transcription_completed"))
        found["transcript"] = of("input_audio_transcription_completed")[-1].transcript
        context = session.chat_ctx.copy()
        context.items.clear()
        await session.update_chat_ctx(context)
        found["errors"] += [str(event.error) for event in of("error")]
        await session.aclose()


report(judge)
