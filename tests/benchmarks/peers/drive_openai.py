"""OpenAI's SDK with a microphone, and no gate. usage: URL FILE.wav (24 kHz)"""

import asyncio
import base64
import sys

from openai import AsyncOpenAI

from tests.benchmarks.peers.paced import paced


async def _main(url: str, path: str) -> None:
    client = AsyncOpenAI(api_key="none", websocket_base_url=url.removesuffix("/realtime"))
    async with client.realtime.connect(model="gpt-realtime") as connection:
        await connection.recv()
        await connection.session.update(session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        async for piece in paced(path):
            await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2]))
