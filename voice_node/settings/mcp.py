"""The section `mcp`: servers whose tools this node offers to the model and calls itself, Home Assistant's own first."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from voice_node.settings.section import Section
from voice_node.settings.session import holds_secret
from voice_node.settings.tools import Tool, check_hours

Pattern = Annotated[str, Field(min_length=1, max_length=128)]
"""A tool's name as its server writes it, or what follows the first `__` of it; `*` stands for any letters."""

Confirm = Literal["never", "voice", "mqtt", "pin"] | None


class McpRule(Section):
    """Where a tool differs from the rest of its server; what is not written here is the server's."""

    name: Pattern
    confirm: Confirm = None
    max_per_minute: int | None = Field(default=None, ge=1, le=600)
    hours: str | None = None

    @field_validator("hours")
    @classmethod
    def _hours_are_a_span(cls, value: str | None) -> str | None:
        return check_hours(value)


class McpServer(Section):
    """One server of tools, over streamable HTTP."""

    name: str = Field(pattern=r"^[a-z0-9_]{1,32}$")
    """Its token is the credential `mcp_<name>`, or the variable `MCP_<NAME>`."""
    url: str = Field(pattern=r"^https?://[^\s]+$", max_length=2048)
    allow: list[Pattern] = Field(max_length=128)
    """Nothing else of what it lists is offered."""
    confirm: Confirm = None
    """None: nobody asks, and a tool whose name looks dangerous is never called."""
    timeout_s: float = Field(default=10, gt=0, le=60)
    max_per_minute: int = Field(default=20, ge=1, le=600)
    hours: str | None = None
    tools: list[McpRule] = Field(default_factory=list, max_length=128)
    """Of those that fit a tool's name, the first counts."""

    @property
    def confirmations(self) -> set[str | None]:
        """Every way in which a tool of this server may have to be confirmed."""
        return {self.confirm, *(rule.confirm for rule in self.tools)}

    @field_validator("hours")
    @classmethod
    def _hours_are_a_span(cls, value: str | None) -> str | None:
        return check_hours(value)

    @field_validator("url")
    @classmethod
    def _url_holds_no_secret(cls, value: str) -> str:
        if holds_secret(value):
            raise ValueError(
                "must not hold a user, password or token: give the token in the file `credentials/NAME/mcp_<name>` "
                "beside NAME.yaml"
            )
        return value


class ServiceTool(Tool):
    """A tool of an MCP server that the service calls itself, as it asks for leave. It stands in no file."""

    name: str
    """Its server's own."""
    server: str
    """A `server_label` of `session.tools`."""


class RemoteTool(Tool):
    """A tool of an MCP server, as the model is offered it. It stands in no file."""

    server: str
    remote_name: str
    """What its server calls it."""
