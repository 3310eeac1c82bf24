from voice_node.local.grammar import Grammar, Slot, SpokenSentence

GRAMMAR = Grammar(
    (SpokenSentence("light", "turn on {area}", "turn on <a>"), SpokenSentence("fan", "whirr [now]", "whirr [now]")),
    {"a": Slot("tool light: area", ("kitchen", "living room"))},
    ("please",),
)


def test_everything_that_is_known_is_in_the_grammar() -> None:
    jsgf, problems = GRAMMAR.to_jsgf(lambda _word: True)
    assert problems == ()
    assert jsgf is not None
    assert "public <sentence> = [/0.02/ (please)] ((turn on <a>) | (whirr [now])) [/0.02/ (please)];" in jsgf
    assert "<a> = kitchen | living room;" in jsgf


def test_an_unknown_word_costs_its_sentence_or_its_value() -> None:
    jsgf, problems = GRAMMAR.to_jsgf(lambda word: word not in ("whirr", "kitchen"))
    assert jsgf is not None
    assert "whirr" not in jsgf
    assert "<a> = living room;" in jsgf
    assert any("tool fan" in problem and "'whirr [now]'" in problem for problem in problems)
    assert any("tool light: area" in problem and "'kitchen'" in problem for problem in problems)


def test_a_slot_without_values_takes_its_sentence_along() -> None:
    jsgf, problems = GRAMMAR.to_jsgf(lambda word: word not in ("living", "kitchen"))
    assert jsgf is not None
    assert "<a>" not in jsgf
    assert any("no value of tool light: area" in problem for problem in problems)


def test_nothing_is_left() -> None:
    assert GRAMMAR.to_jsgf(lambda _word: False)[0] is None


def test_it_travels_as_json() -> None:
    assert Grammar.from_json(GRAMMAR.to_json()) == GRAMMAR
