"""What a new room file changes, and which of it a running session cannot take over."""

from voice_node.settings.session import SessionSettings

_FIXED = ("provider", "url", "dialect", "type", "model", "auth", "input_format", "output_format")
"""Settled when the connection opens, or with the sound that already went over it."""


def at_next_session(
    old: SessionSettings, new: SessionSettings, *, has_spoken: bool = True, is_in_turn: bool = True
) -> list[str]:
    """The changed keys that act from the next session on, as `session.KEY`; all others a `session.update` can change.

    The API fixes the model for a session's life, the voice from the first sound of it, the speed during a turn, and
    tracing once it is on.
    """
    fixed = list(_FIXED)
    if has_spoken:
        fixed.append("voice")
    if is_in_turn:
        fixed.append("speed")
    if old.tracing is not None:
        fixed.append("tracing")
    return [f"session.{name}" for name in fixed if getattr(old, name) != getattr(new, name)]
