"""The least that streams a microphone to a Realtime session: no gate, no SDK. usage: URL FILE.wav (24 kHz)"""

import asyncio
import base64
import sys

from websockets.asyncio.client import connect

from tests.benchmarks.peers.paced import paced

_SESSION = '{"type":"session.update","session":{"type":"realtime","audio":{"input":{"turn_detection":null}}}}'


async def _main(url: str, path: str) -> None:
    async with connect(url) as connection:
        await connection.recv()
        await connection.send(_SESSION)
        async for piece in paced(path):
            sound = base64.b64encode(piece).decode()
            await connection.send(f'{{"type":"input_audio_buffer.append","audio":"{sound}"}}')


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2]))
