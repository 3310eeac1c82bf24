"""What the recogniser listens for: the sentences of all tools as one JSGF grammar.

Words that have no pronunciation cost as little as possible: a slot loses the one value, a sentence is left out only
when its own words are unknown or one of its slots has no value left.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass

_WORD = re.compile(r"[^\s()\[\]|<>;]+")
_SLOT = re.compile(r"<([a-z0-9_]+)>")
_MARK = re.compile(r"<[a-z0-9_]+>")
_SHORT_WEIGHT = 0.1
_FILLER_WEIGHT = 0.02
"""Most people leave it out, and noise before a command sounds like it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A rule of the grammar: the phrases that can stand in one place of a sentence."""

    place: str
    """For people: which tool's parameter it is."""
    phrases: tuple[str, ...]
    """Words in lower case, separated by one space."""


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    """One sentence template of a tool."""

    tool: str
    template: str
    """As the room file has it."""
    jsgf: str
    """The template as the right side of a JSGF rule; slots are `<name>`."""
    is_short: bool = False
    """Something is left out: heard only where a whole sentence fits clearly less."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """Everything that can be said; `filler` may precede or follow any sentence."""

    sentences: tuple[SpokenSentence, ...]
    slots: Mapping[str, Slot]
    filler: tuple[str, ...] = ()
    answers: tuple[SpokenSentence, ...] = ()
    """What makes sense after a question alone: listened for where no sentence was heard."""

    def words(self) -> tuple[str, ...]:
        """Each word once."""
        texts = [_MARK.sub(" ", sentence.jsgf) for sentence in (*self.sentences, *self.answers)]
        phrases = [phrase for slot in self.slots.values() for phrase in slot.phrases]
        return tuple(dict.fromkeys(word for text in (*texts, *phrases, *self.filler) for word in _WORD.findall(text)))

    def to_jsgf(self, is_known: Callable[[str], bool]) -> tuple[str | None, tuple[str, ...]]:
        """The sentences in JSGF without what has no pronunciation, and one line for each thing left out.

        None: nothing is left to listen for.
        """
        return self._to_jsgf(self.sentences, is_known)

    def answers_to_jsgf(self, is_known: Callable[[str], bool]) -> str | None:
        """The answers in the same form; what is left out is no news after `to_jsgf`."""
        return self._to_jsgf(self.answers, is_known)[0]

    def _to_jsgf(
        self, wanted: tuple[SpokenSentence, ...], is_known: Callable[[str], bool]
    ) -> tuple[str | None, tuple[str, ...]]:
        problems: list[str] = []
        rules = {name: list(_sayable(slot, is_known, problems)) for name, slot in self.slots.items()}
        sentences: list[str] = []
        is_weighted = any(sentence.is_short for sentence in wanted)
        for sentence in wanted:
            unknown = [word for word in _WORD.findall(_MARK.sub(" ", sentence.jsgf)) if not is_known(word)]
            empty = [name for name in _SLOT.findall(sentence.jsgf) if not rules[name]]
            if unknown or empty:
                why = f"no pronunciation is known for {', '.join(repr(word) for word in unknown)}" if unknown else ""
                why = why or f"no value of {self.slots[empty[0]].place} can be pronounced"
                if not sentence.is_short and sentence.tool:
                    place = f"tool {sentence.tool}: the sentence {sentence.template!r}"
                    problems.append(f"{place} is not listened for: {why}")
            else:
                weight = f"/{_SHORT_WEIGHT if sentence.is_short else 1}/ " if is_weighted else ""
                sentences.append(f"{weight}({sentence.jsgf})")
        if not sentences:
            return None, tuple(problems)
        filler = f"[/{_FILLER_WEIGHT}/ ({' | '.join(self.filler)})]" if self.filler else ""
        lines = ["#JSGF V1.0;", "grammar room;"]
        lines.append(f"public <sentence> = {filler} ({' | '.join(sentences)}) {filler};")
        lines += [f"<{name}> = {' | '.join(phrases)};" for name, phrases in rules.items() if phrases]
        return "\n".join(lines), tuple(problems)

    def to_json(self) -> str:
        """As the worker gets it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Grammar":
        """What `to_json` wrote."""
        content = json.loads(text)
        return cls(
            sentences=tuple(SpokenSentence(**sentence) for sentence in content["sentences"]),
            answers=tuple(SpokenSentence(**sentence) for sentence in content["answers"]),
            slots={name: Slot(slot["place"], tuple(slot["phrases"])) for name, slot in content["slots"].items()},
            filler=tuple(content["filler"]),
        )


def _sayable(slot: Slot, is_known: Callable[[str], bool], problems: list[str]) -> Iterator[str]:
    for phrase in slot.phrases:
        unknown = [word for word in phrase.split() if not is_known(word)]
        if unknown:
            words = ", ".join(repr(word) for word in unknown)
            problems.append(
                f"{slot.place}: {phrase!r} cannot be understood in speech: no pronunciation is known for {words}"
            )
        else:
            yield phrase
