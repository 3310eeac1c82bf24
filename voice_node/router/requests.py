"""Requests of home automation and of people's commands: each is answered, and most move a stage."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, assert_never

from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model.moment import Moment
from voice_node.model.report import Response
from voice_node.router.action import Action
from voice_node.router.calling import Calling
from voice_node.router.follow_up import FollowUp
from voice_node.router.status import Status
from voice_node.router.tuning import Tuning

MOST_TURNS = 64


class Requests:
    """What `request/+` asks for."""

    def __init__(
        self,
        next_turn_id: Callable[[], str],
        status: Status,
        tuning: Tuning,
        calling: Calling,
        follow_up: FollowUp,
        diagnosis: Callable[[], Mapping[str, Any]],
        *,
        hears_when_spent: bool = False,
    ) -> None:
        self._next_turn_id = next_turn_id
        self._status = status
        self._tuning = tuning
        self._calling = calling
        self._follow_up = follow_up
        self._diagnosis = diagnosis
        self._hears_when_spent = hears_when_spent
        self._typed: deque[str] = deque(maxlen=MOST_TURNS)

    def asked_by(self, turn_id: str) -> str:
        """How the person spoke who began this turn: `text` or `voice`."""
        return "text" if turn_id in self._typed else "voice"

    def answer(self, request: cmd.Request, now: Moment) -> list[Action]:
        """What becomes of a request."""
        match request:
            case cmd.Listen():
                return self._listen(request)
            case cmd.Stop(reply_to):
                self._follow_up.stopped()
                return [*self._calling.stop(now), Response("stop", reply_to=reply_to)]
            case cmd.Say(text, listen_after, volume, reply_to):
                turn_id = self._begin(is_followed=listen_after)
                return [ctl.SayText(turn_id, text, volume), Response("say", None, {"turn_id": turn_id}, reply_to)]
            case cmd.Ask(text, instructions, reply_to):
                turn_id = self._begin(is_followed=False)
                self._calling.forget_questions()
                return [
                    ctl.AskText(turn_id, text, instructions),
                    Response("ask", None, {"turn_id": turn_id}, reply_to),
                ]
            case cmd.Decide():
                return self._calling.decide(request, now)
            case cmd.Reset(reply_to):
                self._calling.forget_questions()
                return [ctl.ResetConversation(), Response("reset", reply_to=reply_to)]
            case cmd.Reload(reply_to):
                return [ctl.ReloadSettings(reply_to)]
            case cmd.Diagnose(reply_to):
                return [ctl.Examine(self._diagnosis(), reply_to)]
            case _:
                assert_never(request)

    def _listen(self, request: cmd.Listen) -> list[Action]:
        activation = self._tuning.settings.activation
        if self._status.is_muted:
            return [Response("listen", "the microphone is muted", {}, request.reply_to)]
        if self._status.is_over_budget and not self._hears_when_spent:
            return [Response("listen", "the day's budget is spent", {}, request.reply_to)]
        if activation.mode == "voice":  # a voice opens its gate at any time
            return [Response("listen", None, {"already": "listening"}, request.reply_to)]
        timeout_ms = request.timeout_ms or activation.window_ms
        chime = [ctl.SoundChime(ctl.Chime.LISTENING)] if self._tuning.settings.playback.chimes else []
        return [
            ctl.OpenGate(timeout_ms),
            Response("listen", None, {"timeout_ms": timeout_ms}, request.reply_to),
            *chime,
        ]

    def _begin(self, *, is_followed: bool) -> str:
        turn_id = self._next_turn_id()
        self._follow_up.typed(turn_id, is_followed=is_followed)
        self._typed.append(turn_id)
        self._status.begin_thinking(turn_id)
        return turn_id
