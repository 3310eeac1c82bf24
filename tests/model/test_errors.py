import re

import pytest

from voice_node.model import errors
from voice_node.model.errors import AlreadyRuns, CaptureLost, ConfigError, NodeError, SessionRefused

ENDS = [error for error in NodeError.__subclasses__() if error.__module__ == errors.__name__]
"""Commands have some of their own, which end no room."""


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [(NodeError, 1), (ConfigError, 78), (SessionRefused, 77), (CaptureLost, 74), (AlreadyRuns, 75)],
)
def test_exit_codes(error: type[NodeError], exit_code: int) -> None:
    assert error.exit_code == exit_code
    assert error("kitchen.yaml:3").exit_code == exit_code
    assert str(error("kitchen.yaml:3")) == "kitchen.yaml:3"


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = dict(re.findall(r"\+-- (\w+) +(\d+)", errors.__doc__ or ""))
    assert drawn == {error.__name__: str(error.exit_code) for error in ENDS}


def test_each_way_to_end_has_its_own_code() -> None:
    all_errors: list[type[NodeError]] = [NodeError, *ENDS]
    codes = [error.exit_code for error in all_errors]
    assert len(set(codes)) == len(codes)
