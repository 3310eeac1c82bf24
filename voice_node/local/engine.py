"""What all clients of a server share: tools and their sentences, the recogniser, the voice."""

import logging
from collections.abc import Collection, Mapping, Sequence

from voice_node.local.dialogue import Call, is_offline_allowed
from voice_node.local.recogniser import Heard, Recogniser, WorkerLost
from voice_node.local.voice import Voice
from voice_node.settings.tools import Tool

try:
    from voice_node.local.intents import Intents
except ModuleNotFoundError:  # the extra `local` is not installed
    Intents = None  # type: ignore[assignment,misc]  # the one way to say that a class may be missing

_LOGGER = logging.getLogger(__name__)


class Engine:
    """Understands the sentences of `tools` and speaks; `start` before use."""

    def __init__(self, tools: Sequence[Tool], language: str) -> None:
        self.tools: Mapping[str, Tool] = {tool.name: tool for tool in tools if is_offline_allowed(tool)}
        self.voice = Voice(language)
        self._language = language
        self._intents: Intents | None = None
        self._recogniser: Recogniser | None = None

    @property
    def recogniser(self) -> Recogniser | None:
        """None: speech is not understood here, text is."""
        return self._recogniser

    def start(self) -> None:
        """Read the sentences and begin to load the recogniser; what cannot be used is a warning in the log."""
        if Intents is None:
            _LOGGER.warning("sentences are not understood without hassil; get it by: pip install 'voice-node[local]'")
            return
        self._intents = Intents(list(self.tools.values()), self._language)
        for problem in self._intents.problems:
            _LOGGER.warning("%s", problem)
        if not self.voice.is_available:
            _LOGGER.warning("answers are text only without espeak-ng; get it by: apt install espeak-ng")
        grammar = self._intents.grammar
        if not grammar.sentences:
            _LOGGER.warning("no tool has a sentence: nothing is understood")
        elif self._language.split("-")[0].lower() != "en":
            _LOGGER.warning("speech is understood in English only, not in %s; text is", self._language)
        else:
            self._recogniser = Recogniser(grammar)
            self._recogniser.start()

    async def close(self) -> None:
        """End the recogniser."""
        if self._recogniser is not None:
            await self._recogniser.close()

    async def recognise(self, pcm: bytes) -> Heard:
        """Mono s16le at 16 kHz, one whole segment. Raises WorkerLost."""
        if self._recogniser is None:
            raise WorkerLost("there is no recogniser")
        return await self._recogniser.recognise(pcm)

    def understand(self, text: str, offered: Collection[str]) -> Sequence[Call]:
        """The calls that this text asks for; none where it is not understood."""
        if self._intents is None:
            return ()
        return [Call(match.tool, match.arguments) for match in self._intents.match_all(text, offered)]
