"""What a dialect, a provider and a model do not take of the session, and what to write instead.

A field that is not taken never reaches the wire. If the room file writes it, `settings/checks` calls it an error (a
warning with `session.lenient`); if it is a default, nobody hears of it. Names of models that are not known here pass.

Sources: the references of both dialects, xAI's of think-fast-1.0, and the sources of speaches (870e1e1) and LocalAI
(82c191a), as of 2026-11.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from voice_node.settings.section import Section
from voice_node.settings.session import McpTool, NoiseReduction, SemanticVad, ServerVad, SessionSettings

Dialect = Literal["ga", "beta"]
Key = tuple[str, ...]
"""Below `session`."""

_ADDRESSES = {
    "azure": "https://my-resource.openai.azure.com",
    "localai": "http://192.168.1.20:8080",
    "speaches": "http://192.168.1.20:8000",
    "custom": "wss://example.org/v1/realtime",
}
"""Providers that need a URL, and how one looks."""
_DELETE = "delete the line"

_GA_LACKS: Mapping[Key, str] = {
    ("temperature",): f"is of the beta dialect alone: {_DELETE}, and say in `instructions` how free it may be",
}
_BETA_LACKS: Mapping[Key, str] = {
    ("parallel_tool_calls",): f"is not in the beta dialect: {_DELETE}",
    ("reasoning",): f"is not in the beta dialect: {_DELETE}, or use a model that thinks by itself",
    ("truncation",): f"is not in the beta dialect: {_DELETE}; fewer `conversation.keep_turns` save as well",
    ("prompt",): "is not in the beta dialect: write the text into `instructions`",
    ("tools",): "MCP is not in the beta dialect: the tools of this file's section `tools` are",
    ("transcription", "languages"): "is not in the beta dialect: use `language`",
    ("transcription", "keywords"): "is not in the beta dialect: write the words into `prompt`",
    ("transcription", "delay"): f"is not in the beta dialect: {_DELETE}",
    ("noise_reduction", "strength"): f"is not in the beta dialect: {_DELETE}",
    ("turn_detection", "idle_timeout_ms"): f"is not in the beta dialect: {_DELETE}",
}
_XAI_LACKS: Mapping[Key, str] = {
    ("transcription",): f"xAI always writes down what it hears, with a model of its own: {_DELETE}",
    ("noise_reduction",): f"xAI has none: {_DELETE}",
    ("speed",): f"xAI has none: {_DELETE}, and say in `instructions` how fast it should speak",
    ("parallel_tool_calls",): f"xAI has none: {_DELETE}",
    ("reasoning",): f"at xAI the model decides: {_DELETE}, and choose by `model`",
    ("max_output_tokens",): f"xAI has none: {_DELETE}, and ask for short answers in `instructions`",
    ("truncation",): f"xAI has none: {_DELETE}; fewer `conversation.keep_turns` save as well",
    ("include",): f"xAI has none: {_DELETE}",
    ("tracing",): f"xAI has none: {_DELETE}",
    ("prompt",): "xAI has none: write the text into `instructions`",
    ("turn_detection", "idle_timeout_ms"): f"xAI has none: {_DELETE}",
    ("turn_detection", "create_response"): f"xAI always answers: {_DELETE}",
    ("turn_detection", "interrupt_response"): f"xAI has none: {_DELETE}",
}
_SPEACHES_LACKS: Mapping[Key, str] = {
    ("noise_reduction",): f"speaches has none: {_DELETE}",
    ("speed",): f"speaches has none: {_DELETE}",
    ("tracing",): f"speaches has none: {_DELETE}",
    ("include",): f"speaches has none: {_DELETE}",
    ("transcription", "prompt"): f"speaches has none: {_DELETE}",
    ("turn_detection", "prefix_padding_ms"): f"speaches has its own: {_DELETE}",
    ("turn_detection", "interrupt_response"): f"speaches has none: {_DELETE}",
}
_LOCAL_LACKS: Mapping[Key, str] = {
    ("tools",): "the local server calls no MCP servers: the tools of this file's section `tools` are what it has",
}
_LACKS = {"local": _LOCAL_LACKS, "xai": _XAI_LACKS, "speaches": _SPEACHES_LACKS}

_ONLY_SPOKEN = (
    "model",
    "instructions",
    "output_modalities",
    "voice",
    "speed",
    "output_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "temperature",
    "max_output_tokens",
    "truncation",
    "tracing",
    "prompt",
)
"""What a transcription session has no use for."""

_NEUTRAL: Mapping[Key, object] = {("speed",): 1.0, ("max_output_tokens",): "inf", ("truncation",): "auto"}
"""Values that ask for what services do anyway."""
_OPENAI_VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")

_DOES_NOT_REASON = re.compile(
    r"gpt-realtime(-mini)?(-\d{4}-.*)?|gpt-realtime-1\.5.*|gpt-4o(-mini)?-realtime.*|gpt-audio.*"
)
_TAKES_LISTS = ("gpt-transcribe", "gpt-live-transcribe")
_STREAMS = ("gpt-live-transcribe", "gpt-realtime-whisper")
"""Transcription models that write while one speaks, and know no turn detection."""
_KNOWN_TRANSCRIBERS = re.compile(r"(gpt-transcribe|gpt-live-transcribe|gpt-realtime-whisper|whisper-1|gpt-4o-.*)")


@dataclass(frozen=True, slots=True)
class Limit:
    """A field that is not taken."""

    key: Key
    text: str
    """Why, and what to write instead."""


def dialect_of(session: SessionSettings) -> Dialect:
    """The dialect of the room; where `auto` leaves it to a server that is not known, that of the day: ga."""
    if session.dialect != "auto":
        return session.dialect
    return "beta" if session.provider == "speaches" else "ga"


def is_written(session: SessionSettings, key: Key) -> bool:
    """Whether the room file holds this key."""
    section: Any = session
    for part in key:
        if not isinstance(section, Section) or part not in section.model_fields_set:
            return False
        section = getattr(section, part)
    return True


def settled(session: SessionSettings, dialect: Dialect | None = None) -> SessionSettings:
    """The session with what the service does instead, in fields that the node itself goes by."""
    refused = {limit.key for limit in not_taken(session, dialect)}
    changes: dict[str, Any] = {name: "pcm" for name in ("input_format", "output_format") if (name,) in refused}
    if ("turn_detection",) in refused:
        changes["turn_detection"] = ServerVad(type="server_vad") if session.provider == "speaches" else "local"
    return session.model_copy(update=changes) if changes else session


def turn_detection_of(session: SessionSettings, dialect: Dialect | None = None) -> ServerVad | SemanticVad | None:
    """Who ends the turns: the service, or the gate (None). speaches always does it itself."""
    turns = settled(session, dialect).turn_detection
    return None if turns == "local" else turns


def unusable(session: SessionSettings) -> Iterator[Limit]:
    """What cannot be left out: with this, there is no session at all."""
    provider, dialect = session.provider, session.dialect
    if provider in _ADDRESSES and session.url is None:
        yield Limit(("url",), f"is missing: provider {provider} needs an address such as {_ADDRESSES[provider]}")
    match provider, dialect:
        case "openai", "beta":
            yield Limit(("dialect",), "OpenAI ended the beta dialect in May 2026: use auto or ga")
        case ("local" | "xai" | "localai") as name, "beta":
            yield Limit(("dialect",), f"provider {name} speaks ga alone: use auto or ga")
        case "speaches", "ga":
            yield Limit(("dialect",), "speaches speaks beta alone: use auto or beta")
        case _:
            pass
    if session.type == "transcription":
        if provider == "xai":
            yield Limit(("type",), "xAI has no transcription sessions: use realtime, or provider openai")
        elif session.transcription is None:
            yield Limit(("transcription",), "is null: type transcription needs it, such as {model: gpt-transcribe}")
        elif provider == "speaches" and not is_written(session, ("transcription", "model")):
            text = "is missing: name the speech model of speaches, such as Systran/faster-whisper-small"
            yield Limit(("transcription", "model"), text)
    for index, tool in enumerate(session.tools):
        if (tool.server_url is None) == (tool.tunnel_id is None):
            yield Limit(("tools", str(index)), _address_of(tool))


def idle(session: SessionSettings) -> Iterator[Limit]:
    """What does nothing in a session of this type."""
    if session.type == "transcription":
        for name in _ONLY_SPOKEN:
            if _is_asked(session, (name,)) and not (name == "model" and session.provider == "localai"):
                yield Limit((name,), "does nothing: a session of type transcription writes down and says nothing")


def not_taken(session: SessionSettings, dialect: Dialect | None = None) -> Iterator[Limit]:
    """The fields that this room's service does not take, of those that ask for something; written or not."""
    limits: dict[Key, Limit] = {}
    for limit in _not_taken(session, dialect or dialect_of(session)):
        limits.setdefault(limit.key, limit)
    for key, limit in limits.items():
        is_said = any(key[:depth] in limits for depth in range(1, len(key)))
        if not is_said and (session.type == "realtime" or key[0] not in _ONLY_SPOKEN):
            yield limit


def _not_taken(session: SessionSettings, dialect: Dialect) -> Iterator[Limit]:
    tables = [_GA_LACKS if dialect == "ga" else _BETA_LACKS, _LACKS.get(session.provider, {})]
    for table in tables:
        yield from (Limit(key, text) for key, text in table.items() if _is_asked(session, key))
    yield from _values(session, dialect)
    yield from _defaults(session, dialect)
    if session.provider not in ("local", "azure"):  # Azure's names are of deployments: they tell nothing
        yield from _model(session)
    yield from _transcription(session, dialect)


def _is_asked(session: SessionSettings, key: Key) -> bool:
    value: Any = session
    for part in key:
        value = getattr(value, part, None)
    return value is not None and value != [] and value != "off" and value != _NEUTRAL.get(key)


def _values(session: SessionSettings, dialect: Dialect) -> Iterator[Limit]:
    """Fields of which some values are taken."""
    if dialect == "ga" and len(session.output_modalities) > 1:
        yield Limit(("output_modalities",), "the ga dialect takes [audio] or [text]: audio brings its text with it")
    if dialect == "beta" and not isinstance(session.voice, str):
        yield Limit(("voice",), "the beta dialect takes no voice of one's own: name one of the service's")
    if dialect == "beta" and session.type == "realtime" and session.include:
        yield Limit(("include",), f"is not in the beta dialect: {_DELETE}, or use type transcription")
    match session.provider:
        case "local":
            yield from _local(session)
        case "xai":
            yield from _xai(session)
        case "speaches":
            yield from _only_pcm(session)
            yield from _speaches(session)
        case "localai":
            yield from _only_pcm(session)
        case _:
            pass


def _local(session: SessionSettings) -> Iterator[Limit]:
    if isinstance(session.turn_detection, ServerVad | SemanticVad):
        yield Limit(("turn_detection",), "the local server leaves it to the gate: use local")
    if session.output_format != "pcm":
        yield Limit(("output_format",), "the local server speaks pcm alone: use pcm")


def _xai(session: SessionSettings) -> Iterator[Limit]:
    turns = session.turn_detection
    if isinstance(turns, SemanticVad):
        yield Limit(("turn_detection",), "xAI knows no semantic_vad: use local, or {type: server_vad}")
    if isinstance(turns, ServerVad) and not 0.1 <= turns.threshold <= 0.9:
        yield Limit(("turn_detection", "threshold"), "xAI takes 0.1 to 0.9")
    if session.voice in _OPENAI_VOICES:
        yield Limit(("voice",), f"{session.voice} is OpenAI's: use eve, ara, rex, sal or leo, or a voice of your own")
    if session.tool_choice != "auto":
        yield Limit(("tool_choice",), f"at xAI the model decides: {_DELETE}")


def _only_pcm(session: SessionSettings) -> Iterator[Limit]:
    for name in ("input_format", "output_format"):
        if getattr(session, name) != "pcm":
            yield Limit((name,), f"{session.provider} takes pcm alone: use pcm")


def _speaches(session: SessionSettings) -> Iterator[Limit]:
    if not isinstance(session.turn_detection, ServerVad):
        yield Limit(("turn_detection",), "speaches always ends the turns itself, by level: use {type: server_vad}")
    if session.tool_choice not in ("auto", "none", "required"):
        yield Limit(("tool_choice",), "speaches takes auto, none or required")
    if session.transcription is None:
        yield Limit(("transcription",), f"speaches always writes down what it hears: {_DELETE}")
    elif not is_written(session, ("transcription", "model")):
        yield Limit(("transcription",), "speaches needs `model` in it, such as Systran/faster-whisper-small")


def _defaults(session: SessionSettings, dialect: Dialect) -> Iterator[Limit]:
    """Defaults that are names of OpenAI's: other services have names of their own."""
    is_elsewhere = session.provider in ("xai", "localai", "speaches")
    if (is_elsewhere or dialect == "beta") and not is_written(session, ("voice",)):
        yield Limit(("voice",), "")
    if session.provider == "localai" and not is_written(session, ("transcription", "model")):
        yield Limit(("transcription", "model"), "")


def _model(session: SessionSettings) -> Iterator[Limit]:
    if _DOES_NOT_REASON.fullmatch(session.model):
        for name in ("reasoning", "parallel_tool_calls"):
            if _is_asked(session, (name,)):
                text = f"{session.model} does not take it: {_DELETE}, or use a model such as gpt-realtime-2.1"
                yield Limit((name,), text)


def _transcription(session: SessionSettings, dialect: Dialect) -> Iterator[Limit]:
    heard = session.transcription
    if heard is None:
        return
    model = heard.model
    is_known = _KNOWN_TRANSCRIBERS.fullmatch(model) is not None
    if is_known and model not in _TAKES_LISTS:
        for name, instead in (("languages", "use `language`"), ("keywords", "use `prompt`")):
            if _is_asked(session, ("transcription", name)):
                text = f"{model} does not take it: {instead}, or model gpt-transcribe"
                yield Limit(("transcription", name), text)
    elif dialect == "ga" and heard.language is not None and heard.languages is not None:
        yield Limit(("transcription", "language"), f"`languages` is there too, and only one may be: {_DELETE}")
    elif dialect == "ga" and heard.language is not None and model == "gpt-live-transcribe":
        text = f"{model} does not take it: use `languages: [{heard.language}]`"
        yield Limit(("transcription", "language"), text)
    if heard.prompt is not None and model in ("gpt-realtime-whisper", "gpt-4o-transcribe-diarize"):
        yield Limit(("transcription", "prompt"), f"{model} does not take it: {_DELETE}, or use model gpt-transcribe")
    if heard.delay is not None and is_known and model not in _STREAMS:
        text = f"{model} does not take it: {_DELETE}, or use model gpt-live-transcribe"
        yield Limit(("transcription", "delay"), text)
    if model in _STREAMS and isinstance(session.turn_detection, ServerVad | SemanticVad):
        yield Limit(("turn_detection",), f"{model} knows none: use local")


def _address_of(tool: McpTool) -> str:
    if tool.server_url is None:
        return "needs `server_url`, or `tunnel_id`: where the MCP server is"
    return "has `server_url` and `tunnel_id`: delete one of the two"


def noise_reduction_of(session: SessionSettings) -> NoiseReduction | None:
    """What is filtered out, in full."""
    match session.noise_reduction:
        case "near_field" | "far_field" as kind:
            return NoiseReduction(type=kind)
        case NoiseReduction() as noise_reduction:
            return noise_reduction
        case "off" | None:
            return None
