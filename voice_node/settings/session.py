"""The section `session`: who listens and answers, and how."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from voice_node.settings.section import Section

_SECRET_QUERY = re.compile(r"(^|&)[^=&]*(key|token|secret|password|signature)[^=&]*=", re.IGNORECASE)


class TranscriptionSettings(Section):
    """Which model writes down what is heard."""

    model: str = Field(default="gpt-transcribe", min_length=1)
    language: str | None = Field(default="en", min_length=2, max_length=35)


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


class TokenLimits(Section):
    """Bounds of what is kept of a conversation."""

    post_instructions: int = Field(ge=0)


class RetentionRatio(Section):
    """How much of a conversation is kept when it is cut."""

    type: Literal["retention_ratio"]
    retention_ratio: float = Field(ge=0, le=1)
    token_limits: TokenLimits | None = None


class Conversation(Section):
    """What the model remembers between turns."""

    keep_turns: int = Field(default=6, ge=0, le=100)
    idle_reset_s: float = Field(default=120, ge=0)


class AuthUrl(Section):
    """A home server that mints client secrets for nodes that hold no key."""

    url: str = Field(pattern=r"^https?://[^\s]+$")


class SessionSettings(Section):
    """The Realtime session."""

    provider: Literal["local", "openai", "azure", "xai", "custom"] = "local"
    url: str | None = Field(default=None, pattern=r"^(ws|wss|http|https)://[^\s]+$")
    dialect: Literal["auto", "ga", "beta"] = "auto"
    type: Literal["realtime", "transcription"] = "realtime"
    model: str = Field(default="gpt-realtime-2.1-mini", min_length=1, max_length=128)
    instructions: str = Field(default="You are the voice of this home. Answer in one short sentence.", max_length=16384)
    output_modalities: list[Literal["audio", "text"]] = Field(default=["audio"], min_length=1, max_length=1)
    voice: str = Field(default="marin", min_length=1, max_length=64)
    speed: float = Field(default=1.0, ge=0.25, le=1.5)
    transcription: TranscriptionSettings | None = Field(default_factory=TranscriptionSettings)
    noise_reduction: Literal["near_field", "far_field"] | None = "far_field"
    turn_detection: TurnDetection | None = "local"
    input_format: Literal["pcm", "pcmu", "pcma"] = "pcm"
    max_output_tokens: Annotated[int, Field(ge=1, le=4096)] | Literal["inf"] = 1024
    tool_choice: str = Field(default="auto", min_length=1)
    truncation: Literal["auto", "disabled"] | RetentionRatio = Field(
        default_factory=lambda: RetentionRatio(type="retention_ratio", retention_ratio=0.8)
    )
    tracing: Literal["auto"] | dict[str, Any] | None = None
    include: list[Literal["item.input_audio_transcription.logprobs"]] = Field(default_factory=list)
    conversation: Conversation = Field(default_factory=Conversation)
    auth: Literal["api_key", "client_secret"] | AuthUrl = "api_key"
    connect: Literal["always", "on_speech"] = "on_speech"
    lenient: bool = False

    @field_validator("url")
    @classmethod
    def _url_holds_no_secret(cls, value: str | None) -> str | None:
        if value is not None:
            _, _, rest = value.partition("//")
            if "@" in rest.partition("/")[0] or _SECRET_QUERY.search(rest.partition("?")[2]):
                raise ValueError(
                    "must not hold a user, password or key: give the key as the credential `openai_api_key`"
                )
        return value
