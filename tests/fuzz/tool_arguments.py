"""What a model may write as arguments of a call: through the schemas to what is published."""

import json
from random import Random
from typing import Any

from tests.fuzz.mutation import ODD, Mutator
from tests.fuzz.switchboard import Switchboard
from voice_node.model.turn import ToolCall

LIFE = 1000
GOOD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("light", {"on": True, "area": "bath", "level": 50, "colour": "#00ff00"}),
    ("light", {"on": False, "steps": [{"at": 1}, {"at": 2.5, "more": {"at": 3, "more": {}}}]}),
    ("door", {"on": True, "level": 0}),
    ("clock", {}),
    ("scene", {"name": "evening", "lamps": [{"id": 1, "on": True}, {"id": 2}], "nested": {"a": {"b": {"c": []}}}}),
    ("blind", {"name": "left", "position": 40}),
)


class ToolArguments:
    """See `campaign.Target`."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._mutator = Mutator(dice)
        self.board = Switchboard()
        self._number = 0

    def make(self) -> ToolCall:
        """A call whose arguments, name or ids are mutated."""
        dice = self._dice
        self._number += 1
        if self._number % LIFE == 0:
            self.board = Switchboard()
        name, good = dice.choice(GOOD)
        arguments = self._mutator.json(good) if dice.random() < 0.9 else json.dumps(good).encode()
        odd = [entry for entry in ODD if isinstance(entry, str)]
        if dice.random() < 0.05:
            name = dice.choice(odd)
        call_id = f"c{self._number}" if dice.random() < 0.95 else dice.choice(odd)[:256]
        return ToolCall(
            f"t{self._number}", _readable(call_id), _readable(name), _readable(arguments.decode(errors="replace"))
        )

    def feed(self, case: ToolCall) -> None:
        """One call of the model."""
        self.board.outcome(case)
        self.board.wait(0.5)

    def close(self) -> None:
        """Nothing is held."""


def _readable(text: str) -> str:
    """The session's decoder lets no half characters through."""
    return text.encode(errors="replace").decode()
