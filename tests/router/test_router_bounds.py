"""Nothing grows, whatever comes and never ends."""

import sys
from typing import Any

from tests.router.switchboard import Switchboard, call, closed, finished, lost, of, opened
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model.turn import ServiceTrouble, TokenCount, Usage
from voice_node.router.problems import MOST_PROBLEMS
from voice_node.router.router import MOST_TURNS


def size_of(value: Any, seen: set[int] | None = None) -> int:
    """Entries in all containers below `value`."""
    seen = set() if seen is None else seen
    if id(value) in seen or isinstance(value, str | bytes | type):
        return 0
    seen.add(id(value))
    if isinstance(value, dict):
        return len(value) + sum(size_of(entry, seen) for entry in value.values())
    if hasattr(value, "__len__") and hasattr(value, "__iter__") and not hasattr(value, "__dict__"):
        return len(value) + sum(size_of(entry, seen) for entry in value)
    return sum(size_of(entry, seen) for name, entry in getattr(value, "__dict__", {}).items() if name != "_settings")


def live(board: Switchboard, number: int) -> None:
    """One turn, ended in one of many ways; every id is new."""
    turn_id = f"t{number}"
    board.hears(opened(turn_id))
    board.hears(Usage(turn_id, "m", TokenCount(text=1)))
    board.hears(ServiceTrouble(f"code_{number}", "x", turn_id))
    if number % 7:
        board.hears(closed(turn_id))
    board.hears(call(f"c{number}", turn_id))
    board.gets(cmd.Ask("?"))
    match number % 6:
        case 0:
            board.gets(cmd.ToolResult("light", f"c{number}", output=1))
            board.hears(finished(turn_id))
        case 1:
            board.hears(lost(turn_id))
            board.hears(closed(turn_id))
        case 2:
            pass  # never ends, never answered
        case 3:
            board.hears(finished(f"t{number - 3}"))
        case 4:
            board.router.undelivered(f"c{number}", "away", board.now)
            board.hears(finished(turn_id))
            board.hears(finished(turn_id))
        case _:
            board.hears(finished(turn_id))
            board.hears(Usage(turn_id, "m", transcription_s=1))
    board.after(1)


def test_nothing_grows_over_a_thousand_turns() -> None:
    board = Switchboard()
    for number in range(400):
        live(board, number)
    before = size_of(board.router)
    for number in range(400, 1400):
        live(board, number)
    assert size_of(board.router) <= before + 20
    assert before > MOST_TURNS + MOST_PROBLEMS, "the measure sees what is there"
    assert sys.getsizeof(board.router.__dict__) < 10_000


def test_codes_beyond_the_most_are_counted_together() -> None:
    board = Switchboard()
    for number in range(MOST_PROBLEMS + 5):
        board.hears(ServiceTrouble(f"code_{number}", "x"))
    (order,) = of(ctl.Examine, board.gets(cmd.Diagnose()))
    assert order.data["problems"]["others"] == 5
    assert len(order.data["problems"]) == MOST_PROBLEMS + 1
