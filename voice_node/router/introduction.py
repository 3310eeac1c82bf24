"""What Home Assistant is told of this room as a device, and when.

Rules

1. The document is published at the start, and again after each birth of Home Assistant: a little later, another time
   in every room, so that a house of nodes does not answer at once. Births that come meanwhile count as one. (The
   bridge sends the last document on every connection by itself.)
2. Home Assistant keeps what a document leaves out. So what an earlier configuration had is published once more with
   its platform alone, which removes it, and then left out. Documents that follow each other fast are not taken in
   whole, so `SETTLE_S` lies between them, and before the removal: another may have come just before the start.
3. Home Assistant removes only what it was told of since its own start. It may have been away while the configuration
   changed: after a birth what is gone is published whole, then by rule 2. Then it is gone for good.
4. Where discovery is not wanted, the device that was published before is taken back, by rules 1 and 3.
5. `SETTLE_S` after a document the states are told again: its entities have subscribed by then.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voice_node.model.control import Remember
from voice_node.model.report import Discovery, LastWords
from voice_node.router.action import Action

SETTLE_S = 5.0
MEMORY = "discovery"
"""The key of what is kept over restarts."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is due at a time of the steady clock."""

    at: float
    document: Discovery | None
    """None: the states again."""
    forgets: bool = False
    """After it, what is gone need not be known any more."""


class Introduction:
    """One room's documents for Home Assistant.

    Args:
        document: the room as it is now.
        remembered: what `Remember` kept; anything that is no such thing is no memory.
        spread_s: how long after a birth this room answers.
        is_wanted: `mqtt.discovery`.
        keeps_words: `mqtt.retain_last`.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        remembered: Mapping[str, Any],
        spread_s: float,
        *,
        is_wanted: bool = True,
        keeps_words: bool = False,
    ) -> None:
        self._document = document
        self._present: dict[str, Any] = dict(document["components"]) if is_wanted else {}
        self._published = _components(remembered.get("components"))
        """All that Home Assistant may still hold."""
        self._kept_words = remembered.get("words") is True
        self._spread_s = spread_s
        self._is_wanted = is_wanted
        self._keeps_words = keeps_words
        self._plan: deque[Step] = deque()

    @property
    def next_at(self) -> float | None:
        """When `due` has something, in seconds of the steady clock."""
        return self._plan[0].at if self._plan else None

    def started(self, now: float) -> list[Action]:
        """What is told first."""
        words: list[Action] = []
        if self._kept_words and not self._keeps_words:
            words = [LastWords("user", None), LastWords("assistant", None)]
        self._schedule(now, is_birth=False)
        remembered = self._remember(self._present | self._gone)
        return [*words, *remembered, *self.due(now)[0]]

    def born(self, now: float) -> None:
        """Home Assistant has started."""
        self._schedule(now + self._spread_s, is_birth=True)

    def due(self, now: float) -> tuple[list[Action], bool]:
        """What it is time for, and whether the states are to be told again."""
        actions: list[Action] = []
        while self._plan and self._plan[0].at <= now:
            step = self._plan.popleft()
            if step.document is None:
                return actions, True
            actions.append(step.document)
            if step.forgets:
                actions += self._remember(self._present)
        return actions, False

    @property
    def _gone(self) -> dict[str, Any]:
        return {
            key: component
            for key, component in self._published.items()
            if self._present.get(key, {}).get("platform") != component["platform"]
        }

    def _schedule(self, at: float, *, is_birth: bool) -> None:
        self._plan.clear()
        gone = self._gone
        documents = self._documents(gone, is_birth=is_birth)
        for document in documents:
            self._plan.append(Step(at, document, forgets=is_birth and document is documents[-1]))
            at += SETTLE_S
        if documents:
            self._plan.append(Step(at, None))

    def _documents(self, gone: dict[str, Any], *, is_birth: bool) -> list[Discovery]:
        """In the order in which they are published."""
        if not self._is_wanted:
            whole = [self._document_of(gone)] if is_birth else []
            return [*whole, Discovery(None)] if gone else []
        present = self._present
        if not gone:
            return [self._document_of(present)]
        alone = {key: {"platform": component["platform"]} for key, component in gone.items()}
        left = {key: component for key, component in present.items() if key not in gone}
        first = {**present, **gone} if is_birth else left
        return [self._document_of(parts) for parts in (first, {**present, **alone}, present)]

    def _document_of(self, components: Mapping[str, Any]) -> Discovery:
        return Discovery({**self._document, "components": components})

    def _remember(self, components: dict[str, Any]) -> list[Action]:
        if components == self._published and self._kept_words == self._keeps_words:
            return []
        self._published, self._kept_words = components, self._keeps_words
        return [Remember(MEMORY, {"components": components, "words": self._keeps_words})]


def _components(stored: Any) -> dict[str, Any]:
    """Components by key; a state file may hold anything."""
    if not isinstance(stored, dict):
        return {}
    return {
        key: part for key, part in stored.items() if isinstance(part, dict) and isinstance(part.get("platform"), str)
    }
