"""G5: how long a card that comes back keeps a room deaf, over PulseAudio's null sinks."""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tests.fakes.sound_card import SoundCard, missing_tool
from tests.fakes.until import until
from tests.system.goal import Result
from tests.system.recovery import fill
from voice_node.capture.microphone import Microphone
from voice_node.model.turn import CaptureChanged, ServiceTrouble
from voice_node.settings.schema import CaptureSettings

BACK_S = 5.0
LONGEST_AWAY_S = 3.0


async def microphone_back(folder: Path, repeats: int, seed: int) -> Result:
    """Pull the card and plug it in again, so often; the time from the plug to the first frame."""
    result, began, dice = Result("G5", "microphone back", seed), time.monotonic(), Random(seed)
    if (tool := missing_tool()) is not None:
        result.demand(f"{tool} is not installed", holds=False)
        return result
    times_s: list[float] = []
    with _card(folder) as card:
        card.plug("usb")
        told: list[CaptureChanged | ServiceTrouble] = []
        microphone = Microphone(CaptureSettings(device="usb"), 20, told.append)
        await microphone.start()
        heard_at = [0.0]

        async def listen() -> None:
            async for _ in microphone:
                heard_at[0] = time.monotonic()

        listening = asyncio.create_task(listen())
        try:
            for _ in range(repeats):
                since = time.monotonic()
                await until(lambda since=since: heard_at[0] > since, 20)  # type: ignore[misc]  # mypy knows no default in a lambda
                await asyncio.to_thread(card.unplug, "usb")
                await until(lambda: bool(told) and isinstance(told[-1], CaptureChanged) and not told[-1].is_open, 20)
                await asyncio.sleep(dice.uniform(0.0, LONGEST_AWAY_S))
                await asyncio.to_thread(card.plug, "usb")
                back = time.monotonic()
                await until(lambda back=back: heard_at[0] > back, 20)  # type: ignore[misc]  # as above
                times_s.append(heard_at[0] - back)
        finally:
            listening.cancel()
            await microphone.close()
    fill(result, times_s, BACK_S, is_worst=False)
    result.seconds = time.monotonic() - began
    return result


@contextlib.contextmanager
def _card(folder: Path) -> Iterator[SoundCard]:
    """A card of this process."""
    before = dict(os.environ)
    try:
        with SoundCard(folder) as card:
            os.environ.update(card.environment)
            yield card
    finally:
        os.environ.clear()
        os.environ.update(before)
