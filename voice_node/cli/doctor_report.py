"""The bundle of `doctor --report`: the room file, what was found, the journal, versions; no secret, no spoken word.

Secrets go three ways at once: values that the process holds are cut out of every text, whatever looks like a key or a
token too, and keys of the room file under which secrets stand lose their value. Of the journal only warnings and
errors are taken: where `log.transcripts` is on, spoken words are in its other lines. State files and the audit log,
which hold what was said and done, are left where they are.
"""

import copy
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from voice_node.cli.doctor_finding import Finding
from voice_node.model.errors import ConfigError
from voice_node.settings.document import parse_document
from voice_node.settings.edit import read_text
from voice_node.settings.problem import KeyPath, looks_secret
from voice_node.settings.secrets import find_written_secrets
from voice_node.settings.session import holds_secret

HIDDEN = "[secret]"
MOST_LINES = 500
"""Of the journal."""
JOURNAL = ("journalctl", "--no-pager", "--output=short-iso", "--priority=warning", f"--lines={MOST_LINES}", "--unit")
_HEADER = re.compile(r"(?i)\b(authorization|api-key|bearer|password)\b\s*[:=]?\s*\S+")

_WORD = re.compile(r"[^\s\"',;()\[\]{}]+")


class Redaction:
    """Takes secrets out of texts and of whatever holds texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        words = sorted(filter(None, secrets), key=len, reverse=True)  # one may begin with another
        self._words = re.compile("|".join(map(re.escape, words)) or "(?!)")

    def text(self, text: str) -> str:
        """The text without secrets."""
        return _WORD.sub(_unless_secret, _HEADER.sub(HIDDEN, self._words.sub(HIDDEN, text)))

    def value(self, value: Any) -> Any:
        """The same of everything in mappings and lists."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.text(str(key)): self.value(item) for key, item in value.items()}
            case list() | tuple():
                return [self.value(item) for item in value]
            case _:
                return value

    def room_file(self, path: Path) -> Any:
        """What the room file holds, as values; of a file that is no YAML, what is wrong with it."""
        try:
            document = parse_document(read_text(path))
        except ConfigError as error:
            return self.text(str(error))
        if document.values is None:
            return self.value([problem.text for problem in document.problems])
        values = copy.deepcopy(document.values)
        for problem in find_written_secrets(values):
            _hide(values, problem.path)
        session = values.get("session")
        if isinstance(session, dict):
            _hide_what_people_paste(session)
        return self.value(values)


def _unless_secret(word: re.Match[str]) -> str:
    return HIDDEN if looks_secret(word[0]) else word[0]


def _hide_what_people_paste(session: dict[str, Any]) -> None:
    if session.get("auth") not in (None, "api_key", "client_secret"):
        session["auth"] = HIDDEN
    if holds_secret(str(session.get("url"))):
        session["url"] = HIDDEN
    tools = session.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        if isinstance(tool, dict) and isinstance(tool.get("headers"), dict):
            tool["headers"] = dict.fromkeys(tool["headers"], HIDDEN)


def _hide(values: Any, place: KeyPath) -> None:
    holder = values
    for part in place[:-1]:
        try:
            holder = holder[part]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(holder, dict) and place and holder.get(place[-1]) is not None:
        holder[place[-1]] = HIDDEN


def contents(
    room_file: Any, findings: Sequence[Finding], versions: Mapping[str, str], journal: str | None, redaction: Redaction
) -> dict[str, str]:
    """File name -> text; `room_file` comes from `Redaction.room_file`."""
    lines = "there is no journal here, or this user may not read it: try `sudo`" if journal is None else journal
    return {
        "room.json": _json(room_file),
        "findings.json": _json(redaction.value([asdict(finding) for finding in findings])),
        "versions.json": _json(dict(versions)),
        "journal.txt": redaction.text("\n".join(lines.splitlines()[-MOST_LINES:])) + "\n",
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def write_bundle(path: Path, files: Mapping[str, str]) -> None:
    """A new archive, `.zip` or `.tar.gz` by its name, for this user alone; raises ConfigError."""
    try:
        path.touch(0o600, exist_ok=False)
        if path.name.endswith(".zip"):
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, text in files.items():
                    archive.writestr(f"voice-node-report/{name}", text)
            return
        with tarfile.open(path, "w:gz") as tar:
            for name, text in files.items():
                content = text.encode()
                entry = tarfile.TarInfo(f"voice-node-report/{name}")
                entry.size, entry.mode = len(content), 0o600
                tar.addfile(entry, io.BytesIO(content))
    except FileExistsError:
        raise ConfigError(f"--report {path}: is there already: name another file") from None
    except OSError as error:
        raise ConfigError(f"--report {path}: cannot be written: {error.strerror}") from None
