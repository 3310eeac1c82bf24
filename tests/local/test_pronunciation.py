from pathlib import Path

import pytest

from tests.local.client import needs_espeak
from voice_node.local.pronunciation import as_phones, pronunciations


@pytest.fixture
def dictionary(tmp_path: Path) -> Path:
    file = tmp_path / "some.dict"
    file.write_text("door D AO R\nread R EH D\nread(2) R IY D\nother AH DH ER\n")
    return file


def test_the_dictionary_alone_is_enough(dictionary: Path) -> None:
    found = pronunciations(["door", "read", "frobnicator"], dictionary, command="no-such-command")
    assert found == {"door": ("D AO R",), "read": ("R EH D", "R IY D")}
    assert pronunciations([], dictionary) == {}


@needs_espeak
def test_accents_are_added_and_names_are_known(dictionary: Path) -> None:
    found = pronunciations(["door", "frobnicator", "o'clock", "42"], dictionary)
    assert found["door"] == ("D AO R", "D AO")
    assert "F R AA B N IH K EY T ER" in found["frobnicator"]
    assert "AH K L AA K" in found["o'clock"]
    assert "42" not in found


@pytest.mark.parametrize(
    ("signs", "is_rhotic", "phones"),
    [
        ("d_'o@", True, ["D AO R"]),
        ("d_'o@", False, ["D AO"]),
        ("T_'3:_t#_i", True, ["TH ER T IY", "TH ER D IY"]),
        ("b_'V_?_n-", True, ["B AH T AH N", "B AH AH N"]),
        ("k_'unknown_t", True, []),
        ("", True, []),
    ],
)
def test_signs_become_phones(signs: str, is_rhotic: bool, phones: list[str]) -> None:
    assert as_phones(signs, is_rhotic=is_rhotic) == phones


def test_a_word_of_many_sounds_has_few_ways() -> None:
    assert len(as_phones("_".join(["0"] * 12), is_rhotic=False)) == 8
