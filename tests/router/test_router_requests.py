"""What home automation asks for and sets, and when the room listens and sounds."""

import pytest

from tests.router.switchboard import ASKED, FACTS, Switchboard, call, closed, errors, finished, lost, of, opened, states
from voice_node.model import command as cmd
from voice_node.model import control as ctl
from voice_node.model import report as rep
from voice_node.model.report import EventType
from voice_node.model.turn import (
    AttentionChanged,
    LostReason,
    MuteChanged,
    PlaybackChanged,
    ReplyStarted,
    ServiceTrouble,
    TurnLost,
)


def test_listen() -> None:
    board = Switchboard(activation={"mode": "wake_word", "follow_up_ms": 4000})
    assert board.gets(cmd.Listen(2500, ASKED))[:2] == [
        ctl.OpenGate(2500),
        rep.Response("listen", None, {"timeout_ms": 2500}, ASKED),
    ]
    assert of(ctl.OpenGate, board.gets(cmd.Listen())) == [ctl.OpenGate(5000)], "time enough to begin to speak"


def test_a_muted_node_does_not_listen() -> None:
    board = Switchboard(is_muted=True)
    actions = board.gets(cmd.Listen(2500, ASKED))
    assert of(ctl.OpenGate, actions) == []
    (response,) = of(rep.Response, actions)
    assert response.error is not None
    assert response.reply_to == ASKED


def test_stop() -> None:
    assert Switchboard().gets(cmd.Stop(ASKED))[:2] == [ctl.StopReply(), rep.Response("stop", reply_to=ASKED)]


def test_say_and_ask_are_turns() -> None:
    board = Switchboard()
    said = board.gets(cmd.Say("Essen!", volume=30, reply_to=ASKED))
    assert said[:2] == [
        ctl.SayText("typed-1", "Essen!", 30),
        rep.Response("say", None, {"turn_id": "typed-1"}, ASKED),
    ]
    assert states(said) == ["thinking"]
    asked = board.gets(cmd.Ask("Wie spät?", "in short", ASKED))
    assert asked[:2] == [
        ctl.AskText("typed-2", "Wie spät?", "in short"),
        rep.Response("ask", None, {"turn_id": "typed-2"}, ASKED),
    ]
    board.hears(finished("typed-2"))
    assert states(board.hears(finished("typed-1"))) == ["idle"]


@pytest.mark.parametrize(("is_approved", "name"), [(True, "approve"), (False, "deny")])
def test_no_call_waits_for_a_decision_yet(is_approved: bool, name: str) -> None:
    (response,) = of(rep.Response, Switchboard().gets(cmd.Decide("c" * 500, is_approved, ASKED)))
    assert response.command == name
    assert response.error is not None
    assert len(response.error) < 200


def test_reset_and_reload() -> None:
    board = Switchboard()
    assert board.gets(cmd.Reset(ASKED))[:2] == [ctl.ResetConversation(), rep.Response("reset", reply_to=ASKED)]
    assert of(ctl.ReloadSettings, board.gets(cmd.Reload(ASKED))) == [ctl.ReloadSettings(ASKED)]


def test_diagnose() -> None:
    board = Switchboard()
    board.hears(call())
    board.hears(ServiceTrouble("odd", "x"))
    board.hears(ServiceTrouble("odd", "x"))
    (order,) = of(ctl.Examine, board.gets(cmd.Diagnose(ASKED)))
    assert order == ctl.Examine({"info": FACTS, "problems": {"odd": 2}, "open_calls": 1}, ASKED)


def test_the_volume() -> None:
    actions = Switchboard().gets(cmd.SetSetting("volume", 30))
    kept = ctl.Remember("settings", {"volume": {"value": 30, "file": 70}})
    assert actions == [ctl.SetVolume(30), rep.SettingState("volume", 30), kept, *actions[3:]]
    assert states(actions[3:]) == ["idle"]


def test_what_cannot_be_set_says_so_and_tells_the_old_value_again() -> None:
    actions = Switchboard(gate={"max_segment_s": 1.5}).gets(cmd.SetSetting("hang_over_ms", 4000))
    assert errors(actions) == ["bad_setting"]
    assert rep.SettingState("hang_over_ms", 500) in actions


def test_a_mute_is_told_when_the_device_is_closed_and_not_before() -> None:
    board = Switchboard()
    board.router.started(board.now)
    assert board.gets(cmd.SetMute(is_muted=True)) == [ctl.SetMuted(True)]
    actions = board.hears(MuteChanged(is_muted=True))
    assert actions[0] == rep.SettingState("mute", "ON")
    assert states(actions) == ["muted"]


def test_mute_and_unmute_from_afar() -> None:
    board = Switchboard(is_muted=True)
    assert of(ctl.SetMuted, board.gets(cmd.SetMute(is_muted=False))) == [ctl.SetMuted(False)]
    assert rep.SettingState("mute", "OFF") in board.hears(MuteChanged(is_muted=False))


def test_unmute_from_afar_can_be_forbidden() -> None:
    board = Switchboard(is_muted=True, mute={"remote_unmute": False})
    actions = board.gets(cmd.SetMute(is_muted=False))
    assert of(ctl.SetMuted, actions) == []
    assert errors(actions) == ["unmute_refused"]
    assert rep.SettingState("mute", "ON") in actions, "the switch of the dashboard goes back"


def test_unmute_from_afar_is_refused_while_the_device_is_still_closing() -> None:
    board = Switchboard(mute={"remote_unmute": False})
    assert of(ctl.SetMuted, board.gets(cmd.SetMute(is_muted=True))) == [ctl.SetMuted(True)]
    assert of(ctl.SetMuted, board.gets(cmd.SetMute(is_muted=False))) == []


def test_the_switch_on_the_device_overrides_what_comes_over_mqtt() -> None:
    board = Switchboard()
    assert of(ctl.SetMuted, board.gets(cmd.MuteSwitched(is_muted=True))) == [ctl.SetMuted(True)]
    board.hears(MuteChanged(is_muted=True))
    actions = board.gets(cmd.SetMute(is_muted=False))
    assert of(ctl.SetMuted, actions) == []
    assert errors(actions) == ["unmute_refused"]
    assert of(ctl.SetMuted, board.gets(cmd.MuteSwitched(is_muted=False))) == [ctl.SetMuted(False)]
    assert of(ctl.SetMuted, board.gets(cmd.SetMute(is_muted=False))) == [ctl.SetMuted(False)]


# Chimes


def test_a_room_that_waits_to_be_asked_says_by_sounds_what_it_does() -> None:
    board = Switchboard(activation={"mode": "wake_word"})
    sounded = [
        of(ctl.SoundChime, actions)
        for actions in (
            board.hears(AttentionChanged(is_open=True, wake_word="alexa")),
            board.hears(opened("t1")),
            board.hears(closed("t1")),
            board.hears(AttentionChanged(is_open=False)),
            board.hears(lost("t1")),
            board.gets(cmd.Listen()),
        )
    ]
    chimes = [sound.chime for sounds in sounded for sound in sounds]
    assert chimes == [ctl.Chime.WAKE, ctl.Chime.DONE, ctl.Chime.ERROR, ctl.Chime.LISTENING]


def test_a_room_that_always_listens_sounds_only_when_something_went_wrong() -> None:
    board = Switchboard()
    actions = [*board.hears(opened("t1")), *board.hears(closed("t1")), *board.hears(finished("t1"))]
    assert of(ctl.SoundChime, actions) == []
    assert of(ctl.SoundChime, board.hears(lost("t2"))) == [ctl.SoundChime(ctl.Chime.ERROR)]
    quiet = Switchboard(playback={"chimes": False})
    assert of(ctl.SoundChime, quiet.hears(lost("t2"))) == []
    assert of(ctl.SoundChime, board.hears(TurnLost("t3", LostReason.EMPTY))) == [], "nobody had spoken"


# Attention


def test_a_wake_word_is_told_and_the_room_listens_while_the_window_is_open() -> None:
    board = Switchboard(activation={"mode": "wake_word"})
    actions = board.hears(AttentionChanged(is_open=True, wake_word="okay_nabu"))
    assert of(rep.Happening, actions) == [rep.Happening(EventType.WAKE, {"wake_word": "okay_nabu"})]
    assert states(actions) == [rep.NodeState.LISTENING]
    assert states(board.hears(AttentionChanged(is_open=False))) == [rep.NodeState.IDLE]
    assert of(rep.Happening, board.hears(AttentionChanged(is_open=True))) == [], "a request is no wake word"


def test_after_a_reply_the_room_listens_without_its_wake_word() -> None:
    board = Switchboard(activation={"mode": "wake_word", "follow_up_ms": 4000})
    board.hears(ReplyStarted("t1"))
    board.hears(PlaybackChanged(is_speaking=True))
    assert of(ctl.OpenGate, board.hears(finished("t1"))) == [], "it sounds on"
    assert of(ctl.OpenGate, board.hears(PlaybackChanged(is_speaking=False))) == [ctl.OpenGate(4000)]
    board.hears(ReplyStarted("t2"))
    assert of(ctl.OpenGate, board.hears(finished("t2"))) == [ctl.OpenGate(4000)], "it was written, not spoken"
    board.gets(cmd.SetSetting("follow_up_ms", 0))
    board.hears(ReplyStarted("t3"))
    assert of(ctl.OpenGate, board.hears(finished("t3"))) == []


def test_after_a_reply_that_was_stopped_from_outside_nobody_is_listened_to() -> None:
    board = Switchboard(activation={"mode": "wake_word", "follow_up_ms": 4000})
    board.hears(ReplyStarted("t1"))
    board.hears(PlaybackChanged(is_speaking=True))
    board.gets(cmd.Stop())
    assert of(ctl.OpenGate, board.hears(PlaybackChanged(is_speaking=False))) == []
    assert of(ctl.OpenGate, board.hears(finished("t1"))) == []


@pytest.mark.parametrize("listens", [True, False])
def test_an_announcement_is_followed_up_where_that_was_asked_for(listens: bool) -> None:
    board = Switchboard(activation={"mode": "push_to_talk"})
    (said,) = of(ctl.SayText, board.gets(cmd.Say("Dinner is ready", listen_after=listens)))
    board.hears(ReplyStarted(said.turn_id))
    board.hears(PlaybackChanged(is_speaking=True))
    assert bool(of(ctl.OpenGate, board.hears(PlaybackChanged(is_speaking=False)))) == listens


def test_bad_input_is_told_where_it_was_asked() -> None:
    board = Switchboard()
    board.router.started(board.now)
    assert errors(board.gets(cmd.BadInput("tool/light/result", "not JSON"))) == ["bad_input"]
    asked = board.gets(cmd.BadInput("request/say", "`text` is missing", "say", ASKED))
    assert asked == [rep.Response("say", "`text` is missing", {}, ASKED)]


def test_what_the_broker_refuses_is_no_bad_input() -> None:
    board = Switchboard()
    board.router.started(board.now)
    told = board.gets(cmd.BrokerRefused("tool/light/call", "a message to this topic was given up: too large"))
    assert errors(told) == ["broker_refused"]


def test_an_outbox_that_cannot_be_written_is_no_bad_input() -> None:
    board = Switchboard()
    board.router.started(board.now)
    told = board.gets(cmd.OutboxTrouble("the outbox cannot be written (disk full): what waits is kept in memory alone"))
    assert errors(told) == ["outbox"]


@pytest.mark.parametrize(
    "command", [cmd.HomeAssistantStatus(is_online=True), cmd.BrokerChanged(is_connected=False, detail="gone")]
)
def test_comings_and_goings_of_others(command: cmd.Command) -> None:
    board = Switchboard()
    board.router.started(board.now)
    assert board.gets(command) == []
