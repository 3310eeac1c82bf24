"""Six more homes, each with sentences that are one but for a word or two: `python -m tests.benchmarks.near_misses`

Three of them (`tuned_...`) are what the recogniser's weights were fitted to; the others (`held_out_...`) are spoken by
other voices, Caribbean and Lancastrian among them, at 120 to 210 words a minute, and nothing was fitted to them.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

from tests.benchmarks.offline import Counts, Spoken
from tests.benchmarks.sentences import draw
from tests.benchmarks.spoken import Speaker, ways
from voice_node.local.intents import Intents
from voice_node.local.recogniser import Recogniser
from voice_node.settings.tools import Tool

_HOMES = Path(__file__).parent / "homes"
_VOICES = {
    "tuned": ("en-us", "en-gb-scotland", "en-us+f3", "en-gb+m5", "en-gb-x-rp", "en-us-nyc", "en-gb+f4"),
    "held_out": (
        *("en-gb", "en-gb-x-gbclan", "en-us+m2", "en-gb+f2"),
        *("en-029", "en-gb-x-gbcwmd+f1", "en-us+f5", "en-gb-x-rp+m3"),
    ),
}
SPEEDS, PITCHES = (120, 210), (25, 80)
"""From slower to quicker, and from lower to higher, than the benchmark's."""
_PATIENCE_S = 120.0
"""For one sentence, on a machine that has other things to do."""


def spoken_in(file: Path, tools: list[Tool], count: int, speaker: Speaker) -> list[Spoken]:
    """So many commands of this home, and as many of the others."""
    voices = next(voices for part, voices in _VOICES.items() if file.stem.startswith(part))
    others = [line.strip() for line in YAML(typ="safe").load(file)["others"].splitlines()]
    said = [*draw(tools, count, seed=11), *((text, None) for text in random.Random(3).sample(others, count))]
    chosen = [way for seed in (100, 200) for way in ways(count, seed, voices, SPEEDS, PITCHES)]
    return [
        Spoken(text, meaning, way, speaker.speak(text, way)) for (text, meaning), way in zip(said, chosen, strict=True)
    ]


async def listen(file: Path, count: int, folder: Path, counts: Counts) -> None:
    """Say it all to the home's own recogniser."""
    tools = [Tool(**raw) for raw in YAML(typ="safe").load(file)["tools"]]
    intents, names = Intents(tools, "en"), {tool.name for tool in tools}
    recogniser = Recogniser(intents.grammar, decode_s=_PATIENCE_S)
    try:
        for spoken in spoken_in(file, tools, count, Speaker(folder)):
            heard = await recogniser.recognise(spoken.pcm)
            understood = intents.match_all(heard.text, names) if heard.is_command else ()
            counts.note(spoken, understood, heard.is_doubtful)
    finally:
        await recogniser.close()


def main() -> int:
    """Print what became of the sentences of either part."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.near_misses", description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="commands, and others, of each home; at most 88")
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="near-misses-") as folder:
        for part in _VOICES:
            counts = Counts()
            for file in sorted(_HOMES.glob(f"{part}_*.yaml")):
                asyncio.run(listen(file, wishes.count, Path(folder), counts))
            print(part, counts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
