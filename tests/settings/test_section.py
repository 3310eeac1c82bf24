"""Sections are frozen, know their keys and turn nothing into another type."""

import pytest
from pydantic import ValidationError

from voice_node.settings.section import Section


class Sample(Section):
    """Two keys."""

    count: int = 1
    share: float = 0.5


@pytest.mark.parametrize(
    "values", [{"counts": 1}, {"count": "1"}, {"count": True}, {"count": 1.0}, {"share": float("nan")}]
)
def test_what_is_not_meant_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Sample.model_validate(values)


def test_a_whole_number_is_a_number() -> None:
    assert Sample.model_validate({"share": 1}).share == 1.0


def test_nothing_changes_afterwards() -> None:
    with pytest.raises(ValidationError):
        Sample().count = 2
