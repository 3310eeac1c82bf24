"""What all clients of a server share: tools and their sentences, the recogniser, the voice."""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from voice_node.local.dialogue import Answer, Call, Dialogue, Entry, Lack
from voice_node.local.needs import Incomplete
from voice_node.local.phrases import Phrase, phrase_of
from voice_node.local.recogniser import Heard, Recogniser, WorkerLost, worker_of
from voice_node.local.voice import Voice
from voice_node.settings.local import LocalSettings
from voice_node.settings.tools import Tool

try:
    from voice_node.local.intents import Intents
except ModuleNotFoundError:  # the extra `local` is not installed
    Intents = None  # type: ignore[assignment,misc]  # the one way to say that a class may be missing

_LOGGER = logging.getLogger(__name__)


def sentence_problems(tools: Sequence[Tool], language: str) -> tuple[str, ...]:
    """What of the tools' sentences the engine could not use, one line each; none where it cannot tell."""
    if Intents is None:
        return ()
    return Intents([tool for tool in tools if tool.works_offline], language).problems


class Engine:
    """Understands the sentences of `tools` and speaks; `start` before use."""

    def __init__(self, tools: Sequence[Tool], language: str, settings: LocalSettings | None = None) -> None:
        self.tools: Mapping[str, Tool] = {tool.name: tool for tool in tools if tool.works_offline}
        self._settings = settings or LocalSettings()
        self.voice = Voice(language, file=self._settings.voice)
        self._dialogue = Dialogue(self.tools, self)
        self._language = language
        self._intents: Intents | None = None
        self._recogniser: Recogniser | None = None

    @property
    def recogniser(self) -> Recogniser | None:
        """None: speech is not understood here, text is."""
        return self._recogniser

    def start(self) -> None:
        """Read the sentences and begin to load the recogniser; what cannot be used is a warning in the log."""
        self.voice.start()
        if Intents is None:
            _LOGGER.warning("sentences are not understood without hassil; get it by: pip install 'voice-node[local]'")
            return
        self._intents = Intents(list(self.tools.values()), self._language)
        for problem in self._intents.problems:
            _LOGGER.warning("%s", problem)
        if not self.voice.is_available:
            _LOGGER.warning("answers are text only without espeak-ng; get it by: apt install espeak-ng")
        grammar = self._intents.grammar
        if not any(sentence.tool for sentence in grammar.sentences):
            _LOGGER.warning("no tool has a sentence: nothing is understood")
        elif self._settings.recogniser == "pocketsphinx" and self._language.split("-")[0].lower() != "en":
            _LOGGER.warning("speech is understood in English only, not in %s; text is", self._language)
        else:
            self._recogniser = Recogniser(grammar, worker_of(self._settings))
            self._recogniser.start()

    async def close(self) -> None:
        """End the recogniser and the voice."""
        await self.voice.close()
        if self._recogniser is not None:
            await self._recogniser.close()

    async def recognise(self, pcm: bytes) -> Heard:
        """Mono s16le at 16 kHz, one whole segment. Raises WorkerLost."""
        if self._recogniser is None:
            raise WorkerLost("there is no recogniser")
        return await self._recogniser.recognise(pcm)

    def answer(self, entries: Sequence[Entry], offered: Collection[str]) -> Answer:
        """What to answer to this conversation; `offered` are the tools that may be called now."""
        return self._dialogue.answer(entries, offered, datetime.now().astimezone())

    def read(self, text: str, offered: Collection[str]) -> Sequence[Call] | Lack:
        """The calls that this text asks for; none where it is not understood."""
        if self._intents is None:
            return ()
        calls = [Call(match.tool, match.arguments) for match in self._intents.match_all(text, offered)]
        found = None if calls else self._intents.read(text, offered)
        return self._lack(found) if isinstance(found, Incomplete) else calls

    def fill(self, lack: Lack, text: str) -> Call | Lack | None:
        """The answer to a question put in; None where this is none."""
        if self._intents is None:
            return None
        found = self._intents.fill(Incomplete(lack.call.tool, dict(lack.call.arguments), lack.missing), text)
        match found:
            case Incomplete():
                return self._lack(found)
            case None:
                return None
            case _:
                return Call(found.tool, found.arguments)

    def phrase(self, text: str) -> Phrase | None:
        """What is said to the engine itself."""
        return phrase_of(text, self._language.split("-")[0].lower())

    def _lack(self, found: Incomplete) -> Lack:
        question = self._intents.question(found) if self._intents is not None else ""
        return Lack(Call(found.tool, found.arguments), found.missing, question)
