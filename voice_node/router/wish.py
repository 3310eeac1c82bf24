"""A tool call that passed its checks, on its way to home automation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voice_node.router.direct import Order
from voice_node.router.identity import identity
from voice_node.settings.mcp import ServiceTool
from voice_node.settings.tools import Tool


@dataclass(frozen=True, slots=True)
class Wish:
    """What the model wants done."""

    call_id: str
    turn_id: str
    tool: Tool
    arguments: Mapping[str, Any]
    order: Order | None
    """None: an automation answers it."""
    asked_by: str
    """`voice` or `text`: how the person spoke who began the turn."""
    made_at: float
    """Seconds of the steady clock."""

    @property
    def is_of_service(self) -> bool:
        """The service makes this call itself, once it is let."""
        return isinstance(self.tool, ServiceTool)

    @property
    def title(self) -> str:
        """For people. Names of the service's own tools are the service's to choose: they are not repeated."""
        return f"a tool of {self.tool.server}" if isinstance(self.tool, ServiceTool) else self.tool.name

    @property
    def server(self) -> dict[str, str]:
        """For events and the audit: of which server the tool is, where that is one of the service's."""
        return {"server": self.tool.server} if isinstance(self.tool, ServiceTool) else {}

    @property
    def identity(self) -> str:
        """The same for the same tool with the same arguments."""
        return identity(self.tool.name, self.arguments)

    @property
    def timeout_s(self) -> float:
        """How long its answer may take once it was published."""
        return self.tool.timeout_s if self.order is None else self.order.timeout_s
