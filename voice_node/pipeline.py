"""Everything that runs, in data order: listen -> [inputs] -> talk -> [inbox] -> route -> bridge.

    listen   frames -> verdicts -> gate -> segments at the session's rate (`hearing`)
    talk     the Realtime session: segments and controls in, outcomes and reply audio out
    route    outcomes and commands -> reports to the broker, controls to the stages
    switch   opens and closes the microphone device for a mute
    watch    tells the service manager that frames arrive and the loop turns

Stopping is the end of data: `stop` closes the source, each stage drains and closes the next, the bridge says `offline`.
A stage that cannot go on (`NodeError`) begins the same end; home automation is told before the process goes.

Overflow: `inputs` makes `listen` wait, so that the ring behind it drops the oldest frames and the gate sees the hole;
places are kept for requests, and more for answers and other controls, which nobody could give again.
`inbox` refuses commands beyond half of it, and the loss of an outcome is logged as an error.
"""

import asyncio
import logging
import math
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from enum import Enum, auto
from typing import Any, assert_never

from voice_node.hearing import Hearing
from voice_node.model import control as ctl
from voice_node.model.command import Command, ReplyTo
from voice_node.model.errors import NodeError, NotExamined
from voice_node.model.report import CallReport, DeviceOrder, Report, Response, State
from voice_node.model.turn import (
    CaptureChanged,
    MuteChanged,
    Outcome,
    ServiceTrouble,
    SoundCounted,
    Transcript,
)
from voice_node.mqtt.encode import Unencodable
from voice_node.pipes import Pipes
from voice_node.router.action import Action
from voice_node.stages import Stages

log = logging.getLogger(__name__)

FRAMELESS_S = 10.0
"""Longer without frames, while the device is thought to be open, is a fault that only a restart cures."""
FAREWELL_S = 3.0
RELOAD_DEADLINE_S = 10.0
MOST_EXAMINED_FOR = 8
BEAT_S = 60.0
"""How often captured sound is counted, and midnight is looked for."""


class End(Enum):
    """Why the pipeline ended."""

    DONE = auto()
    """The source ended, or somebody asked to stop."""
    RELOAD = auto()
    """The room file is to be read again."""


class Pipeline:
    """One room at work."""

    def __init__(self, stages: Stages, pipes: Pipes, *, is_muted: bool) -> None:
        self._stages = stages
        self._pipes = pipes
        self._hearing = Hearing(stages, pipes, is_muted=is_muted, silence=self._silence, start=self._start)
        self._switched = asyncio.Event()
        self._unkept: str | None = None
        """Why what was to be kept last was not."""
        self._unsaved: dict[str, object] = {}
        """What is to be kept over restarts: of values that come faster than the disk writes, the last."""
        self._is_saving = False
        self._is_capturing = False
        self._captured_s = 0.0
        self._failures: list[NodeError] = []
        self._end = End.DONE
        self._helpers: tuple[asyncio.Task[None], ...] = ()
        self._group: asyncio.TaskGroup | None = None
        self._talking: asyncio.Task[None] | None = None
        self._examination: asyncio.Task[None] | None = None
        self._examined_for: list[ctl.Examine] = []

    async def run(self) -> End:
        """Work until the source ends or `stop` is called; raises the NodeError of a stage that could not go on."""
        stages = self._stages
        async with AsyncExitStack() as started:
            await stages.player.start()
            started.push_async_callback(stages.player.close)
            await stages.broker.start()
            started.push_async_callback(stages.broker.stop)
            if not self._hearing.is_muted:
                await stages.source.start()
            started.pop_all()
        async with asyncio.TaskGroup() as self._group:
            self._perform(stages.router.started(stages.clock()))
            self._helpers = (
                self._group.create_task(self._switch(), name="switch"),
                self._group.create_task(self._watch(), name="watch"),
            )
            self._group.create_task(self._listen(), name="listen")
            self._talking = self._group.create_task(self._talk(), name="talk")
            self._group.create_task(self._route(), name="route")
            stages.started()
        self._group = None
        if self._failures:
            raise self._failures[0]
        return self._end

    @property
    def is_quiet(self) -> bool:
        """The room may begin again, and nobody notices."""
        return self._stages.router.is_quiet

    async def stop(self, end: End = End.DONE) -> None:
        """Begin the end: no more sound is taken."""
        if end is End.RELOAD:
            self._end = end
            if self._talking is not None:  # a turn that does not end must not keep the room deaf
                asyncio.get_running_loop().call_later(RELOAD_DEADLINE_S, self._talking.cancel)
        self._is_capturing = False  # no frame is missed by the watchdog while the last turns end
        await self._stages.source.close()

    def reload(self, reply_to: ReplyTo | None = None) -> None:
        """Read the room file; where it is good, end, so that the node begins again with it."""
        if self._group is not None:
            self._group.create_task(self._reload(reply_to), name="reload")

    async def _listen(self) -> None:
        try:
            await self._hearing.listen()
        except NodeError as error:
            self._failures.append(error)

    async def _talk(self) -> None:
        try:
            await self._stages.session.run(self._pipes.inputs)
            await self._stages.player.drained()
        except* NodeError as group:
            self._failures += _leaves(group)
        finally:
            self._pipes.inputs.close()  # `listen` may wait for room
            self._pipes.inbox.close()
            self._hearing.wait_no_more()
            await self._stages.source.close()

    async def _route(self) -> None:
        """One outcome, command or deadline after the other."""
        stages = self._stages
        inbox = self._pipes.inbox
        while True:
            deadline = stages.router.next_deadline
            wait_s = None if deadline is None else max(0.0, deadline - stages.clock().at)
            try:
                async with asyncio.timeout(wait_s):
                    item = await anext(inbox)
            except TimeoutError:
                self._perform(stages.router.tick(stages.clock()))
                continue
            except StopAsyncIteration:
                break
            await self._take(item)
        self._perform(stages.router.ended(stages.clock()))
        if self._failures:
            await self._tell_first(self._failures[0])
        await stages.broker.stop()
        await stages.player.close()
        for helper in (*self._helpers, self._examination):
            if helper is not None:
                helper.cancel()

    async def _tell_first(self, failure: NodeError) -> None:
        """A node that fails at once would be gone before the broker could be told why."""
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._pipes.broker_came.wait()
        except TimeoutError:
            log.warning("no broker was there to be told why the node ends")
        self._perform(self._stages.router.problem("stopped", str(failure)))

    async def _take(self, item: Outcome | Command) -> None:
        now = self._stages.clock()
        router = self._stages.router
        for action in router.outcome(item, now) if isinstance(item, Outcome) else router.command(item, now):
            self._perform([action])
            if isinstance(action, CallReport | DeviceOrder):
                await asyncio.sleep(0)  # it leaves before the events that tell of it: somebody waits for it
        if isinstance(item, CaptureChanged):
            self._is_capturing = item.is_open
        if isinstance(item, Outcome):
            self._hearing.note(item)

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, CallReport | DeviceOrder):
                self._start(self._deliver(action), f"deliver {action.name}")
            elif isinstance(action, ctl.Control):
                self._control(action)
            else:
                self._publish(action)

    def _publish(self, report: Report) -> None:
        for observe in self._stages.observers:
            observe(report)
        if self._stages.logs_words and isinstance(report, Transcript) and report.is_final:
            log.info("turn %s, %s: %s", report.turn_id, report.role, report.text)
        if self._stages.show is not None and isinstance(report, State):
            self._start(self._stages.show(report.state), "show the state")
        messages = self._stages.encode(report, self._stages.clock().wall)
        if isinstance(messages, Unencodable):
            log.warning("a %s cannot be published: %s", messages.place, messages.why)
            self._perform(self._stages.router.problem("unencodable", f"{messages.place}: {messages.why}"))
            if messages.aside is not None:
                self._stages.broker.offer(messages.aside)
            return
        for message in messages:
            self._stages.broker.offer(message)

    def _start(self, work: Coroutine[None, None, None], name: str) -> None:
        assert self._group is not None
        self._group.create_task(work, name=name)

    async def _deliver(self, call: CallReport | DeviceOrder) -> None:
        """A tool call goes out now or never."""
        messages = self._stages.encode(call, self._stages.clock().wall)
        if isinstance(messages, Unencodable):
            trouble: str | None = messages.why
        else:
            try:
                trouble = await self._stages.broker.deliver(messages[0])
            except TimeoutError:
                return  # nobody knows: the call's deadline decides
        router, now = self._stages.router, self._stages.clock()
        if trouble is None:
            self._perform(router.delivered(call.call_id, now))
        else:
            self._perform(router.undelivered(call.call_id, trouble, now))

    def _control(self, control: ctl.Control) -> None:
        stages, inputs = self._stages, self._pipes.inputs
        match control:
            case ctl.SayText(turn_id, _, volume):
                if volume is not None:
                    self._pipes.give_volume(turn_id, volume)
                self._pipes.request(control)
            case ctl.AskText():
                self._pipes.request(control)
            case ctl.AnswerCall() | ctl.AnswerApproval() | ctl.EndTurn() | ctl.ResetConversation():
                inputs.offer(control)
            case ctl.CallServer():
                stages.call_server(control)
            case ctl.StopReply():
                self._pipes.stop(self._fall_silent())
            case ctl.SetMuted(is_muted):
                self._hearing.mute(is_muted)
                self._switched.set()
            case ctl.SetVolume(volume):
                self._pipes.volume = volume
                stages.player.set_volume(volume)
            case ctl.Audit(entry):
                self._start(stages.audit(entry), "audit")
            case ctl.SetSpent(is_spent):
                self._hearing.spend(is_spent and not stages.hears_when_spent)
                inputs.offer(control)
            case ctl.Remember(key, value):
                self._unsaved[key] = value
                if not self._is_saving:
                    self._is_saving = True
                    self._start(self._save(), "save")
            case ctl.TuneGate() | ctl.HearPrivately() | ctl.OpenGate() | ctl.ListenFor() | ctl.HearClaim():
                self._hearing.obey(control)
            case ctl.SoundChime(chime):
                stages.player.chime(chime)
            case ctl.ReloadSettings(reply_to):
                self.reload(reply_to)
            case ctl.Examine():
                self._begin_examination(control)
            case _:
                assert_never(control)

    def _begin_examination(self, order: ctl.Examine) -> None:
        """One at a time, for all who ask meanwhile: `doctor` is one of them, to see whether it may."""
        if len(self._examined_for) >= MOST_EXAMINED_FOR:
            self._publish(Response("diagnose", "a diagnosis is under way", order.data, order.reply_to))
            return
        self._examined_for.append(order)
        if self._examination is None:
            assert self._group is not None
            self._examination = self._group.create_task(self._examine(), name="examine")

    async def _examine(self) -> None:
        findings, problem = list[Any](), None
        try:
            findings = await self._stages.examine()
        except NotExamined as error:
            problem = str(error)
        orders, self._examined_for, self._examination = self._examined_for, [], None
        for order in orders:
            self._publish(Response("diagnose", problem, {**order.data, "findings": findings}, order.reply_to))

    async def _save(self) -> None:
        while self._unsaved:
            key = next(iter(self._unsaved))
            await self._keep(key, self._unsaved.pop(key))
        self._is_saving = False

    async def _keep(self, key: str, value: object) -> None:
        """Keep it over restarts; home automation is told when that fails, and in `health` until it works again."""
        problem = await asyncio.to_thread(self._stages.remember, key, value)
        if problem != self._unkept:
            self._unkept = problem
            if problem is not None:
                self._pipes.tell(ServiceTrouble("state", problem))
            self._tell_health()

    def _silence(self) -> None:
        """Somebody speaks over the reply."""
        self._pipes.silence(replace(self._fall_silent(), is_barge_in=True))

    def _fall_silent(self) -> ctl.StopReply:
        """Stop the reply at once; how much of it was heard."""
        played = self._stages.player.stop()
        self._pipes.hush()
        return ctl.StopReply() if played is None else ctl.StopReply(played.item_id, played.played_ms)

    async def _reload(self, reply_to: ReplyTo | None) -> None:
        read = await asyncio.to_thread(self._stages.reload)
        if reply_to is not None:
            data = {} if read.error is not None else {"at_next_session": list(read.at_next_session)}
            self._publish(Response("reload", read.error, data, reply_to))
        if read.error is not None:
            log.error("the old settings stay: %s", read.error)
        else:
            await self.stop(End.RELOAD)

    async def _switch(self) -> None:
        """Close and open the microphone device as the last mute command says; told when it is done."""
        while True:
            await self._switched.wait()
            self._switched.clear()
            is_muted = self._hearing.is_muted
            if is_muted:
                self._start(self._hearing.fall_deaf(), "fall deaf")
            else:
                self._hearing.unshut()
            assert self._group is not None
            kept = self._group.create_task(self._keep("is_muted", is_muted))
            try:  # both at once: a slow disk must not keep the device open, nor a reload overtake it
                await asyncio.gather(
                    asyncio.shield(kept), self._stages.source.pause() if is_muted else self._stages.source.resume()
                )
            except NodeError as error:  # its driver hangs: only the end of the process closes the device for sure
                self._failures.append(error)
                await self._stages.source.close()
                return
            self._pipes.tell(MuteChanged(is_muted))

    async def _watch(self) -> None:
        """A device that is known to be away is looked for and has its own deadline; silence without a loss has none."""
        told_at = -math.inf
        while True:
            if self._stages.clock().at - told_at >= BEAT_S:
                told_at = self._stages.clock().at
                self._tell_health()
            is_heard = self._stages.clock().at - self._hearing.frame_at < FRAMELESS_S
            if is_heard or self._hearing.is_muted or not self._is_capturing:
                self._stages.feed_watchdog()
            await asyncio.sleep(self._stages.feed_every_s)

    def _tell_health(self) -> None:
        heard_s = self._hearing.count_heard_ms() / 1000
        self._captured_s += heard_s
        health = {**self._stages.health(), "captured_s": round(self._captured_s, 1)}
        self._pipes.tell(SoundCounted(heard_s, health))


def _leaves(group: BaseExceptionGroup[NodeError]) -> list[NodeError]:
    """The errors in a group of groups."""
    found: list[NodeError] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
