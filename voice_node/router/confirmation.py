"""Calls that wait for a person. What a spoken yes needs stands in `questions`, what the code needs in `pin`.

Rules

1. `mqtt` and `pin`: the call is held, neither published nor answered, until it is decided; the model waits. So there is
   one call, one publish and one output. Silence refuses: after 60 s for `mqtt`, 30 s for `pin` and after each wrong
   code, less where the tool's own time would not fit into what the session waits for a call. So does `request/stop`; a
   mute refuses what the service would do by itself.
2. `mqtt`: an event tells home automation, with `needs_approval`, `call_id` and `expires_at`; `request/approve` and
   `request/deny` decide, the first one wins.
3. `pin`: the node itself asks for the code. From then on segments go to this device's recogniser alone, where there is
   one; else the service hears them, and their words and those of the model's answers are replaced by "[PIN]"; in the
   15 s after, only where they hold three digits. Less than three digits are no try. One right code lets every call pass
   that waits for it; one wrong one is one try.
4. `voice`: the call is answered at once and made again after the yes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from voice_node.model.control import HearPrivately, SayText
from voice_node.model.moment import Moment
from voice_node.model.report import EventType, Happening
from voice_node.model.turn import SpeechChanged, Transcript
from voice_node.router.action import Action
from voice_node.router.consent import PIN_AGAIN, PIN_QUESTION, digits_in, spoken_language
from voice_node.router.pin import PinLock
from voice_node.router.policy import Refused
from voice_node.router.questions import Questions, Verdict
from voice_node.router.wish import Wish
from voice_node.settings.schema import RoomSettings

APPROVAL_S = 60.0
PIN_S = 30.0
TRANSCRIPT_S = 12.0
CALL_S = 85.0
"""The session gives a call up after 90 s."""
SHORTEST_TRY = 3
GRACE_S = 15.0
"""How long after its time a code may still be said, and must not be repeated."""
REDACTED = "[PIN]"
MOST_TURNS = 64

NOT_AGREED = Refused("not_confirmed", "refused: the person did not say yes")


@dataclass(frozen=True, slots=True)
class Decided:
    """A call need not wait any more."""

    wish: Wish
    by: str
    """Who decided, for the audit: `voice`, `mqtt`, `pin`, `nobody`."""
    refused: Refused | None = None
    """None: it may be carried out."""
    is_question: bool = False
    """Not decided: the model is to ask the person."""


@dataclass(frozen=True, slots=True)
class _Held:
    wish: Wish
    policy: Literal["voice", "mqtt", "pin"]
    deadline_at: float


Outcome = tuple[list[Action], list[Decided]]


class Confirmation:
    """What waits for a person in one room."""

    def __init__(
        self, settings: RoomSettings, pin: PinLock, next_turn_id: Callable[[], str], *, hears_privately: bool
    ) -> None:
        """`hears_privately`: this device can recognise digits by itself."""
        self._language = spoken_language(settings.language)
        self._pin = pin
        self._next_turn_id = next_turn_id
        self._hears_privately = hears_privately
        self._questions = Questions(settings.language, settings.activation.follow_up_ms)
        self._held: dict[str, _Held] = {}
        self._pin_turns: list[str] = []
        """Turns in which the service may have heard the code."""
        self._grace_turns: list[str] = []
        """Turns that began shortly after: the code may have come too late."""
        self._grace_until = 0.0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def next_deadline(self) -> float | None:
        """When the first held call is refused."""
        return min((held.deadline_at for held in self._held.values()), default=None)

    def holds(self, call_id: str) -> bool:
        """This call waits."""
        return call_id in self._held

    def begin(self, wish: Wish, now: Moment) -> Outcome:
        """A call needs a person."""
        match wish.tool.policy:
            case "voice":
                return [], self._by_voice(wish, now)
            case "mqtt":
                return self._ask_home(wish, now), []
            case "pin":
                return self._ask_for_pin(wish, now)
            case _:
                return [], [Decided(wish, "rule")]

    def decide(self, call_id: str, now: Moment, *, is_approved: bool) -> Decided | None:
        """Home automation decides; None where no call of this id waits for it."""
        held = self._held.get(call_id)
        if held is None or held.policy != "mqtt" or held.deadline_at <= now.at:
            return None
        del self._held[call_id]
        return Decided(held.wish, "mqtt", None if is_approved else Refused("denied", "refused: a person denied it"))

    def speech(self, outcome: SpeechChanged, now: Moment) -> None:
        """The gate opened or closed."""
        if not outcome.is_open:
            return
        self._questions.speech(outcome.turn_id, now.at)
        if self._hears_privately:
            return
        if self._waits_for_pin:
            self._pin_turns = [*self._pin_turns, outcome.turn_id][-MOST_TURNS:]
        elif now.at < self._grace_until:
            self._grace_turns = [*self._grace_turns, outcome.turn_id][-MOST_TURNS:]

    def fell_silent(self, now: Moment) -> None:
        """The speaker did."""
        self._questions.fell_silent(now.at)

    def words(self, words: Transcript, now: Moment) -> tuple[Transcript, Outcome]:
        """What was said, as it may be repeated, and what it decides."""
        turn_id = words.turn_id.partition(".")[0]
        is_pin_turn = turn_id in self._pin_turns
        digits = digits_in(words.text, words.language or self._language)
        is_late = turn_id in self._grace_turns and len(digits) >= (SHORTEST_TRY if words.is_final else 1)
        shown = replace(words, text=REDACTED) if is_pin_turn or is_late else words
        if not words.is_final:
            return shown, ([], [])
        if words.role == "assistant":
            self._questions.put(words.turn_id, now.at, now.wall)
            return shown, ([], [])
        if is_pin_turn and self._waits_for_pin:
            return shown, self.number(digits, now)
        self._questions.heard(words, now.at)
        waiting = [held.wish for held in self._of("voice") if held.wish.turn_id == words.turn_id]
        decided = []
        for wish in waiting:
            del self._held[wish.call_id]
            is_agreed = self._questions.verdict(wish.identity, wish.turn_id, now.at) is Verdict.AGREED
            decided.append(Decided(wish, "voice", None if is_agreed else NOT_AGREED))
        return shown, ([], decided)

    def number(self, digits: str, now: Moment) -> Outcome:
        """A person said these digits."""
        if not self._waits_for_pin:
            return [], []
        if len(digits) < SHORTEST_TRY:
            return [], []
        if self._pin.is_right(digits, now.wall):
            return [*self._close_pin(now), *self._pin.remember()], self._settle("pin", None, "pin")
        if self._pin.is_locked(now.wall):
            locked = Refused("pin_locked", "refused: three wrong codes; no code is taken for 15 minutes")
            return [*self._close_pin(now), *self._pin.remember()], self._settle("pin", locked, "pin")
        for held in self._of("pin"):
            self._hold(held.wish, "pin", PIN_S, now)
        return [SayText(self._next_turn_id(), PIN_AGAIN[self._language]), *self._pin.remember()], []

    def expired(self, now: Moment) -> Outcome:
        """Nobody decided in time."""
        over = [held for held in self._held.values() if held.deadline_at <= now.at]
        return self._give_up(over, "not_confirmed", "refused: nobody confirmed it in time", now)

    def turn_over(self, turn_id: str, now: Moment, *, is_lost: bool) -> tuple[Outcome, int]:
        """A turn ended: its calls are not carried out. Also how many were agreed to and not made."""
        over = [held for held in self._held.values() if held.wish.turn_id == turn_id]
        unused = self._questions.turn_over(turn_id, now.at, now.wall, is_lost=is_lost)
        return self._give_up(over, "abandoned", "refused: the turn is over", now), len(unused)

    def stop(self, now: Moment) -> Outcome:
        """Somebody said stop: nothing that waits is carried out."""
        self._questions.void()
        return self._give_up(list(self._held.values()), "stopped", "refused: the person said stop", now)

    def ended(self, now: Moment) -> Outcome:
        """The node ends."""
        return self._give_up(list(self._held.values()), "abandoned", "refused: the room begins anew", now)

    def muted(self, now: Moment) -> Outcome:
        """The microphone is closed: what was said before it makes the service call nobody any more."""
        over = [held for held in self._held.values() if held.wish.is_of_service]
        return self._give_up(over, "muted", "refused: the room was muted", now)

    def follow_up(self, duration_ms: int) -> None:
        """How long a person may take to answer."""
        self._questions.follow_up(duration_ms)

    def forget_questions(self) -> None:
        """No yes counts any more."""
        self._questions.void()

    @property
    def _waits_for_pin(self) -> bool:
        return bool(self._of("pin"))

    def _of(self, policy: str) -> list[_Held]:
        return [held for held in self._held.values() if held.policy == policy]

    def _hold(self, wish: Wish, policy: Literal["voice", "mqtt", "pin"], seconds: float, now: Moment) -> float:
        """Hold a call for so long from now, or as long as the session waits for it; how long."""
        latest_at = wish.made_at + CALL_S - wish.timeout_s
        self._held[wish.call_id] = _Held(wish, policy, min(now.at + seconds, latest_at))
        return self._held[wish.call_id].deadline_at - now.at

    def _by_voice(self, wish: Wish, now: Moment) -> list[Decided]:
        match self._questions.verdict(wish.identity, wish.turn_id, now.at):
            case Verdict.AGREED:
                return [Decided(wish, "voice")]
            case Verdict.DECLINED:
                return [Decided(wish, "voice", NOT_AGREED)]
            case Verdict.WAIT:
                self._hold(wish, "voice", TRANSCRIPT_S, now)
                return []
            case Verdict.ASK:
                self._questions.ask(wish.identity, wish.turn_id, now.at)
                return [Decided(wish, "voice", is_question=True)]

    def _ask_home(self, wish: Wish, now: Moment) -> list[Action]:
        seconds = self._hold(wish, "mqtt", APPROVAL_S, now)
        fields = {
            "call_id": wish.call_id,
            "name": wish.tool.name,
            "arguments": wish.arguments,
            **wish.server,
            "needs_approval": True,
            "expires_at": now.wall + timedelta(seconds=seconds),
        }
        return [Happening(EventType.TOOL_CALL, fields, wish.turn_id)]

    def _ask_for_pin(self, wish: Wish, now: Moment) -> Outcome:
        if self._pin.is_locked(now.wall):
            why = "refused: too many wrong codes; no code is taken for up to 15 minutes"
            return [], [Decided(wish, "pin", Refused("pin_locked", why))]
        is_first = not self._waits_for_pin
        self._hold(wish, "pin", PIN_S, now)
        if not is_first:
            return [], []
        asked = SayText(self._next_turn_id(), PIN_QUESTION[self._language])
        return [*([HearPrivately(True)] if self._hears_privately else []), asked], []

    def _settle(self, policy: str, refused: Refused | None, by: str) -> list[Decided]:
        """All calls that wait for the same."""
        settled = self._of(policy)
        for held in settled:
            del self._held[held.wish.call_id]
        return [Decided(held.wish, by, refused) for held in settled]

    def _give_up(self, over: list[_Held], code: str, why: str, now: Moment) -> Outcome:
        waited = self._waits_for_pin
        for held in over:
            del self._held[held.wish.call_id]
        actions: list[Action] = []
        if waited and not self._waits_for_pin:
            actions = self._close_pin(now)
        return actions, [Decided(held.wish, "nobody", Refused(code, why)) for held in over]

    def _close_pin(self, now: Moment) -> list[Action]:
        self._grace_until = now.at + GRACE_S
        return [HearPrivately(False)] if self._hears_privately else []
