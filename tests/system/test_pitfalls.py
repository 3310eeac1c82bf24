"""Thirty things that go wrong for clients of Realtime services, as users reported them, and that they end well here.

 1 the beta dialect is switched off          16 no user transcript at all
 2 the session ends after an hour            17 a transcription model that knows no turn detection
 3 a reconnect loses the context             18 transcripts of silence
 4 a connection that is dead                 19 failures that only response.done tells
 5 a response is active already              20 every turn costs more than the last
 6 tool results while a response runs        21 cached tokens counted wrong
 7 calls of a response that was cancelled    22 16 kHz
 8 truncation beyond what came               23 settings that are silently not applied
 9 truncation of what nobody heard           24 memory that grows
10 a cancel that comes too late              25 messages of more than 1 MiB
11 a commit of too little                    26 interrupted audio goes on
12 server detection behind a gate            27 the model talks by itself
13 the first syllable                        28 defaults of turn detection
14 it hears itself                           29 a model is retired
15 transcripts late and out of order         30 services that cannot cancel or truncate

The tests of a row are called `test_row_<number>_...` and stand in the modules beside this one, which holds that there
is one for each. Wherever a turn can follow, the test ends with one that works.
"""

import re
from pathlib import Path


def test_every_row_has_its_test() -> None:
    beside = Path(__file__).parent.glob("test_pitfalls_*.py")
    rows = [re.findall(r"^(?:async )?def test_row_(\d\d)_", module.read_text(), re.MULTILINE) for module in beside]
    assert {int(row) for of_one in rows for row in of_one} == set(range(1, 31))
