"""The section `session`: who listens and answers, and how.

Keys and values are the Realtime API's own where it has them. What a provider, a dialect or a model does not take of
all this is in `settings/session_limits`.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from voice_node.settings.section import Section

_SECRET_QUERY = re.compile(r"(^|&)[^=&]*(key|token|secret|password|signature)[^=&]*=", re.IGNORECASE)

Effort = Literal["minimal", "low", "medium", "high", "xhigh"]
AudioFormat = Literal["pcm", "pcmu", "pcma"]
"""16-bit samples at 24 kHz, or G.711 (mu-law, A-law) at 8 kHz: a third of the rate in half the bits."""
Language = Annotated[str, Field(min_length=2, max_length=35)]
Keyword = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^<>\r\n]+$")]


def holds_secret(url: str) -> bool:
    """Whether a user, a password or a key stands in it."""
    _, _, rest = url.partition("//")
    return "@" in rest.partition("/")[0] or _SECRET_QUERY.search(rest.partition("?")[2]) is not None


class TranscriptionSettings(Section):
    """Which model writes down what is heard."""

    model: str = Field(default="gpt-transcribe", min_length=1, max_length=128)
    language: Language | None = "en"
    """Not written: the room's."""
    languages: list[Language] | None = Field(default=None, min_length=1, max_length=100)
    """Those that may be spoken, in place of `language`."""
    prompt: str | None = Field(default=None, min_length=1, max_length=8192)
    keywords: list[Keyword] | None = Field(default=None, min_length=1, max_length=1000)
    delay: Effort | None = None


class NoiseReduction(Section):
    """What the service filters out before it listens."""

    type: Literal["near_field", "far_field"]
    strength: float | None = Field(default=None, ge=0)
    """None: the service's own, 1."""


class ServerVad(Section):
    """The service decides by level when a turn ends."""

    type: Literal["server_vad"]
    threshold: float = Field(default=0.5, ge=0, le=1)
    prefix_padding_ms: int = Field(default=300, ge=0, le=5000)
    silence_duration_ms: int = Field(default=500, ge=100, le=10000)
    idle_timeout_ms: int | None = Field(default=None, ge=5000, le=30000)
    create_response: bool = True
    interrupt_response: bool = True


class SemanticVad(Section):
    """The service decides by meaning when a turn ends."""

    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


TurnDetection = Literal["local"] | Annotated[ServerVad | SemanticVad, Field(discriminator="type")]
"""`local`, and None too: the gate ends the turns."""


class CustomVoice(Section):
    """A voice of one's own."""

    id: str = Field(min_length=1, max_length=128)


class ToolFilter(Section):
    """Tools of an MCP server."""

    tool_names: list[Annotated[str, Field(min_length=1, max_length=256)]] | None = Field(default=None, max_length=256)
    read_only: bool | None = None


class ApprovalFilter(Section):
    """Which tools of an MCP server somebody must approve."""

    always: ToolFilter | None = None
    never: ToolFilter | None = None


class McpTool(Section):
    """An MCP server whose tools the service calls itself; the tools of this home are the section `tools`."""

    type: Literal["mcp"]
    server_label: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    server_url: str | None = Field(default=None, pattern=r"^https?://[^\s]+$")
    tunnel_id: str | None = Field(default=None, pattern=r"^tunnel_[a-z0-9]{32}$")
    server_description: str | None = Field(default=None, min_length=1, max_length=1024)
    headers: dict[str, str] | None = None
    """For what is no secret."""
    allowed_tools: list[Annotated[str, Field(min_length=1, max_length=256)]] | ToolFilter | None = None
    require_approval: Literal["always", "never"] | ApprovalFilter = "never"
    defer_loading: bool | None = None
    allowed_callers: list[Literal["direct", "programmatic"]] | None = Field(default=None, min_length=1, max_length=2)


class Reasoning(Section):
    """How long the model thinks before it speaks."""

    effort: Effort


class TokenLimits(Section):
    """Bounds of what is kept of a conversation."""

    post_instructions: int = Field(ge=0)


class RetentionRatio(Section):
    """How much of a conversation is kept when it is cut."""

    type: Literal["retention_ratio"]
    retention_ratio: float = Field(ge=0, le=1)
    token_limits: TokenLimits | None = None


class Tracing(Section):
    """What the service's trace of the session is called."""

    workflow_name: str | None = Field(default=None, min_length=1, max_length=256)
    group_id: str | None = Field(default=None, min_length=1, max_length=256)
    metadata: dict[str, Any] | None = None


class Prompt(Section):
    """Instructions that are stored at the service."""

    id: str = Field(min_length=1, max_length=128)
    version: str | None = Field(default=None, min_length=1, max_length=64)
    variables: dict[str, str] | None = None


class Conversation(Section):
    """What the model remembers between turns."""

    keep_turns: int = Field(default=6, ge=0, le=100)
    idle_reset_s: float = Field(default=120, ge=0)


class AuthUrl(Section):
    """A home server that mints client secrets for nodes that hold no key."""

    url: str = Field(pattern=r"^https?://[^\s]+$")


class SessionSettings(Section):
    """The Realtime session."""

    provider: Literal["local", "openai", "azure", "xai", "localai", "speaches", "custom"] = "local"
    url: str | None = Field(default=None, pattern=r"^(ws|wss|http|https)://[^\s]+$")
    dialect: Literal["auto", "ga", "beta"] = "auto"
    type: Literal["realtime", "transcription"] = "realtime"
    model: str = Field(default="gpt-realtime-2.1-mini", min_length=1, max_length=128)
    """Azure: the deployment."""
    instructions: str = Field(default="You are the voice of this home. Answer in one short sentence.", max_length=16384)
    output_modalities: list[Literal["audio", "text"]] = Field(default=["audio"], min_length=1, max_length=2)
    voice: Annotated[str, Field(min_length=1, max_length=64)] | CustomVoice = "marin"
    speed: float = Field(default=1.0, ge=0.25, le=1.5)
    input_format: AudioFormat = "pcm"
    output_format: AudioFormat = "pcm"
    transcription: TranscriptionSettings | None = Field(default_factory=TranscriptionSettings)
    noise_reduction: Literal["near_field", "far_field", "off"] | NoiseReduction | None = "far_field"
    """`off` is null."""
    turn_detection: TurnDetection | None = "local"
    tools: list[McpTool] = Field(default_factory=list, max_length=32)
    tool_choice: str = Field(default="auto", min_length=1)
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    temperature: float | None = Field(default=None, ge=0.6, le=1.2)
    max_output_tokens: Annotated[int, Field(ge=1, le=4096)] | Literal["inf"] = 1024
    truncation: Literal["auto", "disabled"] | RetentionRatio = Field(
        default_factory=lambda: RetentionRatio(type="retention_ratio", retention_ratio=0.8)
    )
    include: list[Literal["item.input_audio_transcription.logprobs"]] = Field(default_factory=list, max_length=1)
    least_confidence: float | None = Field(default=None, gt=0, le=1)
    """A spoken turn whose transcript is less sure comes to nothing: no tool is called for what nobody may have said."""
    tracing: Literal["auto"] | Tracing | None = None
    prompt: Prompt | None = None
    conversation: Conversation = Field(default_factory=Conversation)
    auth: Literal["api_key", "client_secret"] | AuthUrl = "api_key"
    connect: Literal["always", "on_speech"] = "on_speech"
    lenient: bool = False

    @field_validator("url")
    @classmethod
    def _url_holds_no_secret(cls, value: str | None) -> str | None:
        if value is not None and holds_secret(value):
            raise ValueError(
                "must not hold a user, password or key: give the key in the file `credentials/NAME/openai_api_key` "
                "beside NAME.yaml"
            )
        return value

    @field_validator("output_modalities")
    @classmethod
    def _modalities_are_named_once(cls, value: list[str]) -> list[str]:
        if len(set(value)) < len(value):
            raise ValueError(f"names {value[0]} twice: delete one of the two")
        return value
