"""What somebody may write into a room file: settings, or a ConfigError that names its lines."""

from random import Random

from tests.fuzz.case_file import CaseFile
from voice_node.model.errors import ConfigError
from voice_node.router.tools import schema_problems
from voice_node.settings.load import load_room

ROOMS = (
    b"room: kitchen\nlanguage: de\n",
    b"""room: kitchen
capture: {device: hw:1,0, channel: 1, gain_db: 3.5, echo: off}
gate:
  hang_over_ms: 400  # so long
  min_snr_db: 6
session:
  provider: custom
  url: ws://127.0.0.1:8/v1/realtime
  turn_detection: {type: server_vad, threshold: 0.5}
mqtt: {host: broker.lan, port: 8883, tls: {ca: ca.pem}}
""",
    b"""room: bath
tools:
  - &light
    name: light
    description: "Switches the light"
    parameters:
      type: object
      properties: {on: {type: boolean}, level: {type: integer, minimum: 0}}
      required: [on]
    timeout_s: 5
  - name: door
    description: |
      Opens
      the door
    confirm: pin
    hours: 07:00-22:00
    publish: {topic: "zigbee2mqtt/{on}/set", payload: {state: ON}}
activation: {mode: wake_word, wake_word: [okay_nabu, hey_jarvis]}
budget: {usd_per_day: 1.5}
""",
)
TOKENS = (
    *(
        b"\t",
        b"  ",
        b"\n",
        b": ",
        b"- ",
        b"&a ",
        b"*a",
        b"*light",
        b"!!python/object:os.system ",
        b"!x ",
        b"<<: *light",
        b"|\n",
    ),
    *(
        b">-",
        b"'",
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b"#",
        b"%YAML 1.1\n",
        b"---\n",
        b"...\n",
        b"? ",
        b"~",
        b"null",
        b"no",
    ),
    *(
        b"22:30",
        b"0123",
        b"0x1f",
        b"1e999",
        b".nan",
        b"-.inf",
        b"2026-13-45",
        b"9" * 5000,
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
    ),
    *(
        b"[" * 60,
        b"\\U00110000",
        b'"\\U00110000"',
        b"\xe2\x80\xa8",
        b"room: x\n",
        b"\nroom: 5\n",
        b"x" * 3000,
        b"{a: " * 40,
    ),
)


class RoomFiles(CaseFile):
    """See `campaign.Target`."""

    def __init__(self, dice: Random) -> None:
        super().__init__(dice, "room.yaml")

    def make(self) -> bytes:
        """A mutated room file."""
        mutated = self._mutator.bytes(self._dice.choice(ROOMS), TOKENS)
        self._path.write_bytes(mutated)
        return mutated

    def feed(self, case: bytes) -> None:
        """Read it."""
        try:
            load_room(self._path, [schema_problems])
        except ConfigError as error:
            told = str(error)
            assert told, "the file is refused without a word"
            assert all(line.startswith(f"{self._path}:") for line in told.split("\n")), (
                f"a line names no file: {told:.500}"
            )
