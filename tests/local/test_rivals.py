from voice_node.local.rivals import STRANGERS, Rivals

WAYS = {
    "turn": ("T ER N",),
    "on": ("AA N", "AO N"),
    "light": ("L AY T",),
    "attic": ("AE T IH K",),
    "lights": ("L AY T S",),
    "kitchen": ("K IH CH AH N",),
}


def test_a_long_word_has_strangers_beside_it() -> None:
    jsgf = Rivals(WAYS).to_jsgf(["turn", "on", "kitchen", "light"])
    assert jsgf is not None
    said = jsgf.splitlines()[-1]
    assert said.startswith("public <said> = turn on (/1/ kitchen ")
    for stranger in ("attic", "lights"):
        assert f"/ {stranger} " in said.partition("kitchen ")[2].partition(")")[0]


def test_no_stranger_sounds_like_the_word() -> None:
    jsgf = Rivals(WAYS).to_jsgf(["on", "light"])
    assert jsgf is not None
    assert " lights " not in jsgf
    assert " attic " in jsgf


def test_short_words_and_the_first_have_none() -> None:
    assert Rivals(WAYS).to_jsgf(["light", "on"]) is None
    assert Rivals(WAYS).to_jsgf(["light"]) is None


def test_each_stranger_stands_once() -> None:
    assert len(STRANGERS) == len(set(STRANGERS))
