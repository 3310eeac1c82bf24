"""All rooms as a table for a terminal; those that somebody should look at stand first."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from voice_node.cli.fleet_rooms import FleetRoom

_STYLES = {
    "idle": "green",
    "listening": "bold cyan",
    "thinking": "bold yellow",
    "speaking": "bold magenta",
    "muted": "dim",
    "offline": "bold red",
    "over_budget": "bold red",
}
_WIDE = 110
_FRAME_LINES = 6
"""Of the table and what stands around it."""


def fleet_view(
    rooms: Sequence[FleetRoom], now: datetime, width: int, height: int | None = None, notice: str = ""
) -> RenderableType:
    """The table, with a line that sums it up.

    Args:
        rooms: in any order.
        now: with a time zone.
        width: columns of the terminal; a narrow one does without the version and when a room was heard.
        height: lines of the terminal; rooms that have no place are counted. None: all.
        notice: what is wrong with the view itself.
    """
    ordered = sorted(rooms, key=lambda room: (not room.is_in_trouble, room.room))
    shown = ordered if height is None else ordered[: max(1, height - _FRAME_LINES)]
    is_wide = width >= _WIDE
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0), expand=True)
    table.add_column("room", no_wrap=True, overflow="ellipsis", max_width=24 if is_wide else 14)
    table.add_column("state", no_wrap=True)
    table.add_column("turn", no_wrap=True)
    table.add_column("latency", justify="right", no_wrap=True)
    table.add_column("today", justify="right", no_wrap=True)
    table.add_column("problems", ratio=1, overflow="ellipsis", no_wrap=True)
    if is_wide:
        table.add_column("version", no_wrap=True, overflow="ellipsis", max_width=12)
        table.add_column("heard", justify="right", no_wrap=True)
    for room in shown:
        table.add_row(*_row(room, now, is_wide=is_wide))
    lines: list[RenderableType] = [_summary(rooms, now), Text(), table]
    if len(shown) < len(ordered):
        lines.append(Text(f"and {len(ordered) - len(shown)} more", style="dim"))
    if not rooms:
        lines.append(Text("No room has told anything yet.", style="dim"))
    if notice:
        lines.append(Text(notice, style="bold red"))
    return Group(*lines)


def _summary(rooms: Sequence[FleetRoom], now: datetime) -> Text:
    online = sum(room.is_online is True for room in rooms)
    troubled = sum(room.is_in_trouble for room in rooms)
    busy = sum(room.is_online is True and room.state in ("listening", "thinking", "speaking") for room in rooms)
    usd = sum(room.usd_today or 0.0 for room in rooms if _is_of_today(room, now))
    line = Text(f"{len(rooms)} room{'s' * (len(rooms) != 1)}", style="bold")
    line.append(f"  {online} online", style="green")
    line.append(f"  {busy} in a turn", style="cyan" if busy else "dim")
    line.append(f"  {troubled} in trouble", style="bold red" if troubled else "dim")
    line.append(f"  ${usd:.2f} today", style="default")
    return line


def _row(room: FleetRoom, now: datetime, *, is_wide: bool) -> list[Text]:
    name = Text(room.room, style="bold" if room.is_in_trouble else "")
    cells = [name, _state(room, now), _turn(room), _latency(room), _cost(room, now), _problems(room)]
    return [*cells, *_facts(room, now)] if is_wide else cells


def _state(room: FleetRoom, now: datetime) -> Text:
    if room.is_online is False:
        return Text("down", style="bold red")
    state = room.state or "?"
    text = Text(state.replace("_", " "), style=_STYLES.get(state, "dim"))
    if room.since is not None:
        text.append(f" {_age((now - room.since).total_seconds())}", style="dim")
    return text


def _turn(room: FleetRoom) -> Text:
    if room.turn_id is not None and room.is_online:
        return Text("under way", style="cyan")
    if room.last_status is None:
        return Text("-", style="dim")
    return Text(room.last_status, style="" if room.last_status == "completed" else "yellow")


def _latency(room: FleetRoom) -> Text:
    if room.latency_ms is None:
        return Text("-", style="dim")
    ms = room.latency_ms
    return Text(f"{ms} ms" if ms < 10_000 else f"{ms / 1000:.0f} s", style="yellow" if ms > 2000 else "")


def _is_of_today(room: FleetRoom, now: datetime) -> bool:
    """A room that lives begins its days itself, wherever on earth it stands."""
    return room.is_online is True or room.usage_date == now.astimezone().date().isoformat()


def _cost(room: FleetRoom, now: datetime) -> Text:
    if room.usd_today is None or not _is_of_today(room, now):
        return Text("-", style="dim")
    text = Text(f"${room.usd_today:.2f}")
    if room.budget_usd:
        share = room.usd_today / room.budget_usd
        text.append(f" {share:>4.0%}", style="bold red" if share >= 1 else "yellow" if share >= 0.8 else "dim")
    return text


def _problems(room: FleetRoom) -> Text:
    """What does not work now; else the latest that went wrong, with how often, and how many others did."""
    if room.broken:
        return Text("; ".join(room.broken), style="bold red")
    if room.last_error is None:
        return Text("-", style="dim")
    count = room.problems.get(room.last_error, 1)
    text = Text(room.last_error.replace("_", " "), style="yellow")
    text.append(f" ×{count}" if count > 1 else "", style="dim")  # noqa: RUF001 - it is meant
    others = len(room.problems) - (room.last_error in room.problems)
    return text.append(f", {others} other{'s' * (others != 1)}" if others else "", style="dim")


def _facts(room: FleetRoom, now: datetime) -> tuple[Text, Text]:
    heard = "-" if room.seen_at is None else f"{_age((now - room.seen_at).total_seconds())} ago"
    return Text(room.version or "-", style="dim"), Text(heard, style="dim")


def _age(seconds: float) -> str:
    """Short; a clock that differs a little makes nothing negative."""
    seconds = max(0.0, seconds)
    for limit, unit, size in ((100, "s", 1), (6000, "min", 60), (36 * 3600, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"
