"""azure-ai-voicelive, whose dialect is the beta: with what of its session is no extension of Azure's."""

import base64
from importlib import import_module
from typing import Any

from tests.interop.python.talk import KEY, LAMP, URL, pieces, report, speech

aio, models = import_module("azure.ai.voicelive.aio"), import_module("azure.ai.voicelive.models")
credentials = import_module("azure.core.credentials")


async def judge(found: dict[str, Any]) -> None:
    kinds = models.ServerEventType
    async with aio.connect(
        endpoint=URL, credential=credentials.AzureKeyCredential(KEY), model="gpt-realtime"
    ) as connection:

        async def until(kind: Any) -> Any:
            while True:
                event = await connection.recv()
                if event.type == kinds.ERROR:
                    found["errors"].append(event.error.code)
                if event.type == kind:
                    return event

        async def answered(item: Any) -> Any:
            await connection.conversation.item.create(item=item)
            await connection.response.create()
            return (await until(kinds.RESPONSE_DONE)).response.output[0]

        await until(kinds.SESSION_CREATED)
        parameters = {"type": "object", "properties": {}}
        offered = [
            models.FunctionTool(name=name, description=name, parameters=parameters)
            for name in ("set_light", "get_time")
        ]
        session = models.RequestSession(
            modalities=[models.Modality.TEXT, models.Modality.AUDIO],
            voice="alloy",
            tools=offered,
            turn_detection=models.ServerVad(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=500),
            input_audio_transcription=models.AudioInputTranscriptionOptions(model="whisper-1"),
        )
        await connection.session.update(session=session)
        await until(kinds.SESSION_UPDATED)
        words = models.InputTextContentPart(text="turn on the kitchen light")
        call = await answered(models.UserMessageItem(content=[words]))
        reply = await answered(models.FunctionCallOutputItem(call_id=call.call_id, output=LAMP))
        await connection.conversation.item.truncate(item_id=reply.id, content_index=0, audio_end_ms=100)
        await until(kinds.CONVERSATION_ITEM_TRUNCATED)
        for piece in pieces(speech() + bytes(96000)):
            await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())
        heard = await until(kinds.CONVERSATION_ITEM_INPUT_AUDIO_TRANSCRIPTION_COMPLETED)
        spoken = (await until(kinds.RESPONSE_DONE)).response.output[0]
        found |= {"transcript": heard.transcript, "reply": reply.content[0].transcript}
        found["calls"] += [call.name, spoken.name]
        await connection.response.cancel()
        await until(kinds.ERROR)


report(judge)
