"""Fields of a stranger's JSON."""

from typing import Any

import pytest

from voice_node.session import reading as read

NOT_TEXT: list[Any] = [None, 5, 1.5, True, [], {}]


@pytest.mark.parametrize("value", NOT_TEXT)
def test_text(value: Any) -> None:
    with pytest.raises(read.Unreadable, match="name is not a string"):
        read.text({"name": value}, "name")
    assert read.text_or({"name": value}, "name", "x") == "x"
    assert read.text({"name": "a\ud800"}, "name") == read.text_or({"name": "a\ud800"}, "name", "x") == "a\ufffd"


@pytest.mark.parametrize("value", NOT_TEXT)
def test_names(value: Any) -> None:
    with pytest.raises(read.Unreadable, match="id is not a string"):
        read.name({"id": value}, "id")
    assert read.name_or({"id": value}, "id", "x") == "x"
    longest = "a" * read.LONGEST_ID
    assert read.name({"id": longest}, "id") == read.name_or({"id": longest}, "id", "") == longest


@pytest.mark.parametrize("reader", [read.name, lambda source, key: read.name_or(source, key, "")])
def test_a_name_that_is_far_too_long_is_unreadable_and_not_told(reader: Any) -> None:
    with pytest.raises(read.Unreadable, match=r"^id is longer than 256 characters$"):
        reader({"id": "a" * 257}, "id")


def test_short_texts_alone_and_not_many() -> None:
    assert read.texts({"metadata": {"a": "1", "b": 2, "c": "3" * 257}}, "metadata") == {"a": "1"}
    assert len(read.texts({"metadata": {f"{i}": "x" for i in range(1000)}}, "metadata")) == 16


@pytest.mark.parametrize("value", [None, 5, "x", True, []])
def test_mappings(value: Any) -> None:
    with pytest.raises(read.Unreadable, match="name is not an object"):
        read.mapping({"name": value}, "name")
    assert read.mapping_or_empty({"name": value}, "name") == {}
    assert read.texts({"name": value}, "name") == {}
    assert read.mapping({"name": {"a": 1}}, "name") == read.mapping_or_empty({"name": {"a": 1}}, "name") == {"a": 1}
    assert read.mappings({"name": [value, {"a": 1}]}, "name") == [{"a": 1}]
    assert read.mappings({"name": value}, "name") == []


@pytest.mark.parametrize("value", [None, "5", True, [], float("nan"), float("inf"), -float("inf"), 10**400])
def test_numbers_that_cannot_be_counted_with(value: Any) -> None:
    assert read.number_or({"n": value}, "n", 7) == 7
    assert read.count({"n": value}, "n") == 0


def test_numbers() -> None:
    assert read.number_or({"n": 2.5}, "n", 7) == 2.5
    assert read.count({"n": 2.9}, "n") == 2
    assert read.count({"n": -4}, "n") == 0
    assert read.count({}, "n") == 0


def test_texts_keep_strings_alone() -> None:
    assert read.texts({"m": {"a": "x", "b": 5, "c\ud800": "\udfff"}}, "m") == {"a": "x", "c\ufffd": "\ufffd"}


def test_pairs_of_surrogates_are_one_character() -> None:
    assert read.clean("\ud83d\ude00") == "\U0001f600"
