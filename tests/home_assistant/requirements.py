"""What Home Assistant would install when it starts with these integrations. Run by Home Assistant's own Python."""

import json
import sys
from pathlib import Path

import homeassistant  # type: ignore[import-not-found]  # it lives in its own environment
from homeassistant import bootstrap

WANTED = (
    *("mqtt", "automation", "script", "scene", "config", "notify", "template", "input_boolean", "hassio"),
    "mcp_server",
)
ALWAYS = ("DEFAULT_INTEGRATIONS", "CORE_INTEGRATIONS", "LOGGING_AND_HTTP_DEPS_INTEGRATIONS")
"""Names in Home Assistant's `bootstrap` of what it starts unasked."""


def main() -> None:
    """Print one requirement a line."""
    components = Path(homeassistant.__file__).parent / "components"
    waiting = [*WANTED, *(name for table in ALWAYS for name in getattr(bootstrap, table, ()))]
    found: set[str] = set()
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        manifest = components / name / "manifest.json"
        if name in seen or not manifest.exists():
            continue
        seen.add(name)
        content = json.loads(manifest.read_text())
        found.update(content.get("requirements", ()))
        waiting.extend(content.get("dependencies", ()))
    sys.stdout.write("\n".join(sorted(found)) + "\n")


main()
