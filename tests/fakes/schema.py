"""Judges events of the Realtime API by the published schema, where that file is at hand."""

import functools
import json
import os
from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest

_NAME = "realtime-events.schema.json"
_SIBLING = Path(__file__).resolve().parents[2].parent / "shared" / "data" / _NAME


def _path() -> Path:
    return Path(os.environ.get("VOICE_NODE_SCHEMA", _SIBLING))


needs_schema = pytest.mark.skipif(
    not _path().is_file(), reason=f"{_NAME} is not here: set VOICE_NODE_SCHEMA to its path"
)
"""Marks a test that makes no sense without the schema."""


@functools.cache
def _schema() -> dict[str, Any] | None:
    if not _path().is_file():
        return None
    schema: dict[str, Any] = json.loads(_path().read_text(encoding="utf-8"))
    return schema


@functools.cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    schema = _schema()
    assert schema is not None
    assert name in schema["$defs"], f"{name} is not a published event"
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]})


def assert_published(direction: Literal["client", "server"], event: dict[str, Any], dialect: str = "ga") -> None:
    """Fail where the event is not published, or not in its published shape; pass where the schema is absent."""
    if _schema() is None:
        return
    errors = list(_validator(f"{dialect}.{direction}.{event['type']}").iter_errors(event))
    assert not errors, f"{event['type']}: {[f'{error.json_path}: {error.message[:300]}' for error in errors]}"


def published(direction: Literal["client", "server"], dialect: str) -> set[str]:
    """The types of all published events; empty where the schema is absent."""
    prefix = f"{dialect}.{direction}."
    return {name.removeprefix(prefix) for name in (_schema() or {"$defs": {}})["$defs"] if name.startswith(prefix)}


def assert_body_published(name: str, body: dict[str, Any]) -> None:
    """As `assert_published`, for the body of an HTTP request or answer such as `ga.http.ClientSecretCreateResponse`."""
    if _schema() is None:
        return
    errors = list(_validator(name).iter_errors(body))
    assert not errors, f"{name}: {[f'{error.json_path}: {error.message[:300]}' for error in errors]}"
