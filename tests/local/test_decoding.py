import pytest

from tests.local.client import needs_espeak, needs_sox, utter
from tests.local.rooms import ROOM, tool
from voice_node.local.decoding import CommandDecoder, Decoding
from voice_node.local.intents import Intents
from voice_node.local.preparing import RATE_HZ, prepare

pytestmark = [needs_espeak, needs_sox]


def is_obeyed(decoding: Decoding) -> bool:
    """At once, without being read back."""
    return decoding.is_command and not decoding.is_doubtful


@pytest.fixture(scope="module")
def decoder() -> CommandDecoder:
    return CommandDecoder(Intents(ROOM, "en").grammar, memory=10**9)


@pytest.mark.parametrize("voice", ["en-us", "en-gb+f3"])
@pytest.mark.parametrize("text", ["turn on the kitchen light", "set the kitchen blinds to twenty one percent"])
def test_commands_are_heard(decoder: CommandDecoder, text: str, voice: str) -> None:
    decoding = decoder.decode(utter(text, voice, RATE_HZ))
    assert decoding.is_command
    intents, offered = Intents(ROOM, "en"), [one.name for one in ROOM]
    assert intents.match(decoding.text, offered) == intents.match(text, offered) is not None, decoding.text


@pytest.mark.parametrize("text", ["my sister told me about the wedding", "thank you very much"])
def test_other_speech_is_not_obeyed(decoder: CommandDecoder, text: str) -> None:
    assert not is_obeyed(decoder.decode(utter(text, rate_hz=RATE_HZ)))


@pytest.mark.parametrize("pcm", [b"", bytes(2), bytes(32000), b"\xff\x7f\x00\x80" * 8000])
def test_sound_without_speech_is_no_command(decoder: CommandDecoder, pcm: bytes) -> None:
    assert not decoder.decode(pcm).is_command


def test_words_that_no_dictionary_has_are_heard() -> None:
    decoder = CommandDecoder(Intents([tool("t", ["start the frobnicator"])], "en").grammar)
    assert decoder.problems == ()
    decoding = decoder.decode(utter("start the frobnicator", rate_hz=RATE_HZ))
    assert decoding == Decoding("start the frobnicator", is_command=True)


def test_words_without_pronunciation_are_named() -> None:
    decoder = CommandDecoder(Intents([tool("t", ["start the 灯"])], "en").grammar)
    assert "'灯'" in decoder.problems[0]


@pytest.mark.parametrize("text", ["turn on the kitchen light", "turn on the kitchen lights"])
def test_what_was_heard_before_changes_nothing(text: str) -> None:
    """The front end's estimate of noise used to outlive an utterance: "light" or "lights" hung on the tests before."""
    decoder = CommandDecoder(Intents(ROOM, "en").grammar)
    pcm = prepare(utter(text, rate_hz=RATE_HZ))
    fresh = decoder._run(decoder._decoder, "sentences", pcm)
    for other in (bytes(32000), utter("what a lovely day", "en-gb+f3", RATE_HZ), b"\xff\x7f\x00\x80" * 4000):
        decoder._run(decoder._decoder, "sentences", other)
        decoder._run(decoder._decoder, "phones", other)
        assert decoder._run(decoder._decoder, "sentences", pcm) == fresh


@pytest.mark.parametrize(("text", "said"), [("yes please", "yes please"), ("never mind", "never mind")])
def test_answers_are_heard_where_no_sentence_is(decoder: CommandDecoder, text: str, said: str) -> None:
    assert decoder.decode(utter(text, rate_hz=RATE_HZ)) == Decoding(said, is_command=True)


def test_the_language_model_is_there_only_while_it_is_needed(decoder: CommandDecoder) -> None:
    decoder.shrink()
    assert not decoder.is_large
    decoder.decode(utter("my sister told me about the wedding", rate_hz=RATE_HZ))
    assert decoder.is_large


def test_where_memory_is_short_other_speech_has_no_words_and_commands_have() -> None:
    decoder = CommandDecoder(Intents(ROOM, "en").grammar, memory=256_000_000)
    assert decoder.decode(utter("my sister told me about the wedding", rate_hz=RATE_HZ)) == Decoding("", False)
    assert not decoder.is_large
    assert is_obeyed(decoder.decode(utter("what time is it", rate_hz=RATE_HZ)))


SAID = [
    "turn on the kitchen light",
    "turn off the bedroom lights",
    "switch the living room light off",
    "switch on the kitchen lights please",
    "set the kitchen blind to fifty percent",
    "set kitchen blinds to thirty five percent",
    "what time is it",
    "what is the time",
]
NOT_SAID = [
    "i went to the shop to buy some bread",
    "the children are playing in the garden",
    "could you pass me the salt",
    "we missed the train this morning",
    "the kitchen smells wonderful today",
    "what is the matter with you",
    "turn around and look at me",
    "set the table for four people",
]
VOICES = ["en-us", "en-gb", "en-us+f3"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_most_commands_are_kept_and_little_else_gets_through(decoder: CommandDecoder) -> None:
    """Floors below what was measured (23 and 0 of 24), so that a change for the worse is seen."""
    intents, offered = Intents(ROOM, "en"), [one.name for one in ROOM]
    heard = [(text, decoder.decode(utter(text, voice, RATE_HZ))) for text in SAID for voice in VOICES]
    right = [is_obeyed(one) and intents.match(one.text, offered) == intents.match(text, offered) for text, one in heard]
    wrong = [is_obeyed(decoder.decode(utter(text, voice, RATE_HZ))) for text in NOT_SAID for voice in VOICES]
    assert all(intents.match(text, offered) for text in SAID)
    assert sum(right) / len(right) >= 0.85
    assert sum(wrong) / len(wrong) <= 0.05
