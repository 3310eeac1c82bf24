"""The two channels of a room; adapters get their ends of them before there is a pipeline."""

import asyncio
import logging
from collections import OrderedDict, deque
from typing import assert_never

from voice_node.model.command import BrokerChanged, Command
from voice_node.model.control import AskText, SayText, StopReply
from voice_node.model.turn import LostReason, Outcome, ReplyAudio, ReplyAudioEnded, StopTaken, TurnLost
from voice_node.runtime.pipe import Pipe
from voice_node.session.protocol import Input
from voice_node.stages import Player

log = logging.getLogger(__name__)

MOST_SPEECH = 500
"""Inputs; then speech waits."""
MOST_REQUESTS = 532
"""Inputs; then requests are refused. The places beyond are for answers, which nobody could give again."""


class Pipes:
    """The two channels; adapters get their ends of them before there is a pipeline."""

    def __init__(self) -> None:
        self.inputs: Pipe[Input] = Pipe(564, reserved=564 - MOST_SPEECH, taken=self._taken)
        self.inbox: Pipe[Outcome | Command] = Pipe(2000)
        self.player: Player | None = None
        self.volume = 70
        """0..100, of everything that has no volume of its own."""
        self._own_volumes: OrderedDict[str, int] = OrderedDict()
        self._volume_now: int | None = None
        self.broker_came = asyncio.Event()
        self.has_broker = False
        """By the last that was heard of it."""
        self._heard_turn = ""
        """Whose reply audio came last."""
        self._hushed_turn = ""
        self._is_losing = False
        """Outcomes, and that was said once."""
        self._stops: deque[Input] = deque()
        """Orders to stop that wait in `inputs`, each in the place in which it was given."""

    def tell(self, outcome: Outcome) -> None:
        """An outcome for the router."""
        if self.inbox.offer(outcome):
            self._is_losing = False
        elif not self.inbox.is_closed and not self._is_losing:
            self._is_losing = True
            log.error("outcomes are lost: the router is too far behind")

    def request(self, wish: AskText | SayText) -> None:
        """Something to be answered or said; refused while the session is far behind."""
        if len(self.inputs) < MOST_REQUESTS:
            self.inputs.offer(wish)
        else:
            self.tell(TurnLost(wish.turn_id, LostReason.BUSY))

    def silence(self, heard: StopReply) -> None:
        """The reply was silenced: the session hears of it before the speech that waits."""
        self.inputs.overtake(heard)

    def stop(self, heard: StopReply) -> None:
        """The router orders a stop, and is told when the session has it.

        It acts at once on the reply that is given, and in its own place on what was said or asked before it and is
        still on its way: else that would be answered after somebody said stop.
        """
        last = heard
        if len(self.inputs):
            self.silence(heard)
            last = StopReply()
        if self.inputs.offer(last):
            self._stops.append(last)
        else:
            self.tell(StopTaken())

    def _taken(self, value: Input) -> None:
        if self._stops and value is self._stops[0]:  # not `==`: all that cut nothing are equal
            self._stops.popleft()
            self.tell(StopTaken())

    def order(self, command: Command) -> None:
        """A command for the router; a broker's flood must not push out outcomes."""
        if isinstance(command, BrokerChanged):
            self.has_broker = command.is_connected
            if command.is_connected:
                self.broker_came.set()
        if len(self.inbox) < 1000 or isinstance(command, BrokerChanged):
            self.inbox.offer(command)
        else:
            self.inbox.lost += 1

    def play(self, piece: ReplyAudio | ReplyAudioEnded) -> None:
        """Reply audio for the speaker."""
        if self.player is None or piece.turn_id == self._hushed_turn:
            return
        match piece:
            case ReplyAudio(turn_id, item_id, _, pcm):
                self._heard_turn = turn_id
                self._set_volume(self.player, self._own_volumes.get(turn_id, self.volume))
                self.player.play(item_id, pcm)
            case ReplyAudioEnded(_, item_id):
                self.player.end(item_id)
            case _:
                assert_never(piece)

    def hush(self) -> None:
        """Nothing more of what sounds now: pieces of it are still on their way when the speaker is stopped."""
        self._hushed_turn = self._heard_turn

    def give_volume(self, turn_id: str, volume: int) -> None:
        """This announcement has a volume of its own."""
        self._own_volumes[turn_id] = volume
        while len(self._own_volumes) > 16:
            self._own_volumes.popitem(last=False)

    def _set_volume(self, player: Player, volume: int) -> None:
        if volume != self._volume_now:
            self._volume_now = volume
            player.set_volume(volume)
