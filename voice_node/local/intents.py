"""The sentences of tools: what they match as text, and as what grammar they can be listened for. Needs hassil.

A template is Home Assistant's: `(turn|switch) {state} [the] {area} light[s]`; `{state}` is a parameter of the tool.
"""

import contextlib
import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, assert_never

from hassil.errors import HassilError
from hassil.expression import (
    Alternative,
    Expression,
    Group,
    ListReference,
    Permutation,
    RuleReference,
    TextChunk,
)
from hassil.expression import Sequence as Run
from hassil.intents import Intent, IntentData, RangeSlotList, SlotList, TextSlotList
from hassil.intents import Intents as Templates
from hassil.numbers import get_rbnf_engine
from hassil.parse_expression import parse_sentence
from hassil.parser import ParseError
from hassil.recognize import recognize_all

from voice_node.local.grammar import Grammar, Slot, SpokenSentence
from voice_node.local.needs import Incomplete, Match, Needs
from voice_node.local.phrases import phrases
from voice_node.local.short_forms import ANSWERS, without
from voice_node.local.slots import Sayable, Span, Values, integers_of, read_slot
from voice_node.settings.tools import Tool

try:
    from voice_node.local.home_sentences import sentences_of
except ModuleNotFoundError:  # the extra `intents` is not installed
    sentences_of = None  # type: ignore[assignment]  # the one way to say that a function may be missing

_FILLER = {"en": ("please",), "de": ("bitte",)}
"""Words of politeness by language: they may stand anywhere and mean nothing here."""
_MOST_GLUED = 64
"""Spellings of one piece without a space in it, such as `light[s]`."""
_LONGEST_TEXT = 500
_MARK = re.compile("\ue000([a-z0-9_]+)\ue001")
"""A slot within a spelling: two characters of the private use area, which no template holds."""


class _Unusable(Exception):
    """Why a template cannot be used."""


class Intents:
    """All sentences of `tools`; `problems` names each tool and sentence that cannot be used, and why."""

    def __init__(self, tools: Sequence[Tool], language: str) -> None:
        self._language = language.split("-")[0].lower()
        self._filler = _FILLER.get(self._language, ())
        self._needs = Needs(tools)
        self._whole = {tool.name: integers_of(tool) for tool in tools}
        self._slots: dict[str, Slot] = {}
        self._sentences: list[SpokenSentence] = []
        self._answers: dict[str, SpokenSentence] = {}
        answers: dict[str, Intent] = {}
        problems: list[str] = []
        blocks: dict[str, Intent] = {}
        for number, tool in enumerate(tools):
            block = self._read(tool, f"t{number}", problems)
            if block.sentence_texts or tool.intents:
                blocks[tool.name] = Intent(tool.name, [block, *self._read_home(tool, f"t{number}", block, problems)])
                answers |= self._read_answers(tool, f"t{number}", block)
        self._templates = Templates(language=self._language, intents=blocks, skip_words=list(self._filler))
        self._answer_templates = Templates(language=self._language, intents=answers, skip_words=list(self._filler))
        self.problems: tuple[str, ...] = tuple(problems)

    @property
    def grammar(self) -> Grammar:
        """What the recogniser listens for."""
        questions = [SpokenSentence("", text, text) for text in phrases(self._language, are_questions=True)]
        answers = [SpokenSentence("", text, text) for text in phrases(self._language, are_questions=False)]
        return Grammar((*self._sentences, *questions), self._slots, self._filler, (*self._answers.values(), *answers))

    def match(self, text: str, offered: Collection[str]) -> Match | None:
        """The first of the `offered` tools that means this, whatever the case, the punctuation and the digits."""
        found = self.read(text, offered)
        return found if isinstance(found, Match) else None

    def read(self, text: str, offered: Collection[str]) -> Match | Incomplete | None:
        """Like `match`; where nothing is whole, the first that lacks the least."""
        lacking: list[Incomplete] = []
        for name, arguments in self._results(self._templates, text):
            match self._needs.judge(name, arguments) if name in offered else None:
                case Match() as match:
                    return match
                case Incomplete() as incomplete:
                    lacking.append(incomplete)
        return min(lacking, key=lambda one: len(self._needs.lacks(one.tool, one.arguments)), default=None)

    def fill(self, question: Incomplete, text: str) -> Match | Incomplete | None:
        """The answer to `question` put in; None where this is none."""
        key = f"{question.tool}.{question.missing}"
        for name, arguments in self._results(self._answer_templates, text):
            if name == key:
                return self._needs.judge(question.tool, {**question.arguments, **arguments})
        return None

    def question(self, incomplete: Incomplete) -> str:
        """What to ask for the missing parameter."""
        return self._needs.question(incomplete)

    def _results(self, templates: Templates, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """What hassil finds: names of intents, and arguments with the types of the schema."""
        text = re.sub(r"(?<=[\w%°])[.,!?;:]+(?=\s|$)", "", text)
        if not text.strip() or len(text) > _LONGEST_TEXT:
            return
        for result in recognize_all(text, templates):
            name = result.intent.name
            whole = self._whole[name.partition(".")[0]]
            yield (
                name,
                {
                    slot: int(entity.value) if slot in whole else entity.value
                    for slot, entity in result.entities.items()
                },
            )

    def match_all(self, text: str, offered: Collection[str]) -> tuple[Match, ...]:
        """Like `match`; where the whole means nothing, the parts between `and` may, if all of them do."""
        whole = self.match(text, offered)
        if whole is not None or self._language != "en":
            return (whole,) if whole is not None else ()
        parts = [self.match(part, offered) for part in re.split(r",?\s+and\s+(?:then\s+)?", text[:_LONGEST_TEXT])]
        understood = tuple(part for part in parts if part is not None)
        return understood if len(parts) == len(understood) and len(parts) <= 4 else ()

    def _spell(self, number: int) -> str:
        try:
            return get_rbnf_engine(self._language).format_number(number).text.replace("-", " ").replace("\u00ad", "")
        except ValueError:  # no number words for this language
            return str(number)

    def _read(self, tool: Tool, prefix: str, problems: list[str]) -> IntentData:
        lists: dict[str, SlotList] = {}
        unusable: dict[str, str] = {}
        for index, (name, schema) in enumerate(tool.parameters.get("properties", {}).items()):
            sayable = read_slot(schema, self._spell)
            if isinstance(sayable, str):
                unusable[name] = sayable
                continue
            self._needs.add(tool.name, name, sayable)
            lists[name] = _slot_list(name, sayable)
            phrases = tuple(dict.fromkeys(self._phrases(sayable)))
            self._slots[f"{prefix}_{index}"] = Slot(f"tool {tool.name}: {name}", phrases)
        rules = {name: f"{prefix}_{index}" for index, name in enumerate(tool.parameters.get("properties", {}))}
        texts: list[str] = []
        for template in tool.sentences:
            try:
                jsgf = _Writer(rules, unusable).sentence(template)
            except _Unusable as reason:
                problems.append(f"tool {tool.name}: the sentence {template!r} cannot be used: {reason}")
            else:
                texts.append(template)
                self._sentences.append(SpokenSentence(tool.name, template, jsgf))
        for short in dict.fromkeys(self._shortened(tool, texts)):
            if short not in texts:
                texts.append(short)
                jsgf = _Writer(rules, unusable).sentence(short)
                self._sentences.append(SpokenSentence(tool.name, short, jsgf, is_short=True))
        return IntentData(sentence_texts=texts, slot_lists=lists)

    def _read_home(self, tool: Tool, prefix: str, block: IntentData, problems: list[str]) -> Iterator[IntentData]:
        """Home Assistant's sentences for the intents that a tool names."""
        properties = tool.parameters.get("properties", {})
        rules = {name: f"{prefix}_{index}" for index, name in enumerate(properties)}
        spoken_of = self._needs.sayable(tool.name).keys()
        for wish in tool.intents:
            texts: list[str] = []
            if sentences_of is None:
                problems.append(
                    f"tool {tool.name}: intents need home-assistant-intents: pip install 'voice-node[intents]'"
                )
                return
            for template in sentences_of(wish.intent, wish.domain, self._language, spoken_of - wish.arguments.keys()):
                with contextlib.suppress(_Unusable):
                    jsgf = _Writer(rules, {}).sentence(template)
                    texts.append(template)
                    self._sentences.append(SpokenSentence(tool.name, template, jsgf))
            if not texts:
                problems.append(
                    f"tool {tool.name}: Home Assistant has no sentences of {wish.intent} for its parameters"
                )
            yield IntentData(sentence_texts=texts, slots=dict(wish.arguments), slot_lists=block.slot_lists)

    def _shortened(self, tool: Tool, templates: Sequence[str]) -> Iterator[str]:
        """Each sentence without one of what the tool needs."""
        needed, sayable = self._needs.askable(tool.name), self._needs.sayable(tool.name)
        for template, slot in itertools.product(list(templates), needed):
            short = without(template, slot, self._language, is_number=isinstance(sayable[slot], Span))
            if short is not None:
                yield short

    def _read_answers(self, tool: Tool, prefix: str, block: IntentData) -> Iterator[tuple[str, Intent]]:
        """Intents of the name `tool.parameter`."""
        pattern = ANSWERS.get(self._language, "{%s}")
        needed = self._needs.askable(tool.name)
        for index, slot in enumerate(tool.parameters.get("properties", {})):
            if slot in needed:
                template = pattern % slot
                jsgf = _Writer({slot: f"{prefix}_{index}"}, {}).sentence(template)
                phrases_said = self._slots[f"{prefix}_{index}"].phrases
                self._answers.setdefault(" ".join(phrases_said), SpokenSentence(tool.name, template, jsgf))
                data = IntentData(sentence_texts=[template], slot_lists=block.slot_lists)
                yield f"{tool.name}.{slot}", Intent(f"{tool.name}.{slot}", [data])

    def _phrases(self, sayable: Sayable) -> Iterator[str]:
        match sayable:
            case Values(choices):
                yield from (_words(words) for words, _ in choices)
            case Span(start, stop, step):
                yield from (self._spell(number) for number in range(start, stop + 1, step))
            case _:
                assert_never(sayable)


class _Writer:
    """Writes one template as JSGF, without writing out all its sentences."""

    def __init__(self, rules: dict[str, str], unusable: dict[str, str]) -> None:
        self._rules = rules
        self._unusable = unusable

    def sentence(self, template: str) -> str:
        try:
            text = self._write(parse_sentence(template).expression)
        except (ParseError, HassilError, ValueError) as error:
            raise _Unusable("its brackets do not fit together") from error
        except RecursionError as error:
            raise _Unusable("its brackets are nested too deeply") from error
        if not text:
            raise _Unusable("it has no words")
        return text

    def _write(self, expression: Expression) -> str:
        """JSGF for an expression that stands alone between spaces; "" where it says nothing."""
        match expression:
            case TextChunk(text=text):
                return _words(text)
            case ListReference():
                return f"<{self._rule(expression)}>"
            case Alternative(items=items):
                options = [self._write(item) for item in items]
                said = " | ".join(dict.fromkeys(option for option in options if option))
                if not said:
                    return ""
                return f"[{said}]" if "" in options else f"({said})"
            case Permutation(items=items):
                if len(items) > 4:
                    raise _Unusable("more than four parts in any order")
                orders = itertools.permutations([self._write(item) for item in items])
                return f"({' | '.join(' '.join(order) for order in orders)})"
            case Group(items=items):
                return " ".join(filter(None, (self._write_glued(glued) for glued in _glue(items))))
            case RuleReference(rule_name=name):
                raise _Unusable(f"<{name}> is a rule, and rules are not known here")
            case _:
                raise _Unusable("its syntax is not known here")

    def _write_glued(self, items: list[Expression]) -> str:
        if len(items) == 1:
            return self._write(items[0])
        spellings = list(itertools.islice(self._spellings(Run(items=items)), _MOST_GLUED + 1))
        if len(spellings) > _MOST_GLUED:
            raise _Unusable("too many spellings of one word: put spaces between its parts")
        options = [_MARK.sub(r" <\1> ", text).split() for text in spellings]
        plain = (
            " ".join(filter(None, (part if part[0] == "<" else _words(part) for part in option))) for option in options
        )
        words = list(dict.fromkeys(plain))
        said = " | ".join(word for word in words if word)
        return f"[{said}]" if "" in words else f"({said})"

    def _spellings(self, expression: Expression) -> Iterator[str]:
        match expression:
            case TextChunk(text=text):
                yield text
            case ListReference():
                yield f"\ue000{self._rule(expression)}\ue001"
            case Alternative(items=items):
                for item in items:
                    yield from self._spellings(item)
            case Permutation(items=items):
                for order in itertools.permutations(items):
                    yield from self._spellings(Run(items=list(order)))
            case Group(items=items):
                if not items:
                    yield ""
                    return
                for head in self._spellings(items[0]):
                    for tail in self._spellings(Run(items=items[1:])):
                        yield head + tail
            case RuleReference(rule_name=name):
                raise _Unusable(f"<{name}> is a rule, and rules are not known here")
            case _:
                raise _Unusable("its syntax is not known here")

    def _rule(self, reference: ListReference) -> str:
        name = reference.slot_name
        if reference.list_name != name:
            raise _Unusable(f"write {{{name}}}: values are those of the parameter of the same name")
        if name in self._unusable:
            raise _Unusable(f"{{{name}}}: {self._unusable[name]}")
        if name not in self._rules:
            raise _Unusable(f"{{{name}}} is not a parameter of the tool")
        return self._rules[name]


def _glue(items: Sequence[Expression]) -> Iterator[list[Expression]]:
    """Runs of items with no space between them; spaces inside a text part it."""
    glued: list[Expression] = []
    for item in items:
        pieces: list[Expression] = [item]
        if isinstance(item, TextChunk):
            pieces = [TextChunk(piece) for piece in re.split(r"(\s+)", item.text) if piece]
        for piece in pieces:
            if isinstance(piece, TextChunk) and piece.text.isspace():
                if glued:
                    yield glued
                glued = []
            else:
                glued.append(piece)
    if glued:
        yield glued


def _words(text: str) -> str:
    """Lower-case words with what JSGF and hassil take for punctuation left out; apostrophes stay."""
    return " ".join(re.sub(r"[^\w'\s]|_", " ", text.lower().replace("\u2019", "'")).split())


def _slot_list(name: str, sayable: Sayable) -> SlotList:
    match sayable:
        case Values(choices):
            return TextSlotList.from_tuples(choices, allow_template=False, name=name)
        case Span(start, stop, step):
            return RangeSlotList(name=name, start=start, stop=stop, step=step)
        case _:
            assert_never(sayable)
