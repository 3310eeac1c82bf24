import pytest

from voice_node.local.short_forms import without


@pytest.mark.parametrize(
    ("template", "slot", "is_number", "short"),
    [
        ("(turn|switch) {state} [the] {area} light", "area", False, "(turn|switch) {state} [the] light"),
        ("turn [the] {area} light {state}", "state", False, "turn [the] {area} light"),
        ("set the heating in the {area} to {celsius}", "area", False, "set the heating to {celsius}"),
        ("set the heating in the {area} to {celsius}", "celsius", True, "set the heating in the {area}"),
        ("set a timer for {minutes} (minute|minutes)", "minutes", True, "set a timer"),
        ("set a {minutes} minute timer", "minutes", True, None),
        ("turn {state} the {plug}", "plug", False, None),
        ("[the] {area} light {state}", "area", False, None),
        ("open the blinds [in the {area}]", "area", False, None),
        ("set {percent} percent in the {area}", "percent", True, None),
        ("turn {state} the light", "area", False, None),
    ],
)
def test_what_is_left_is_a_sentence_or_nothing(template: str, slot: str, is_number: bool, short: str | None) -> None:
    assert without(template, slot, "en", is_number=is_number) == short


def test_languages_without_rules_have_no_short_forms() -> None:
    assert without("mets la lampe en {state} vite", "state", "fr", is_number=False) is None
    assert without("stell die heizung auf {grad} grad", "grad", "de", is_number=True) == "stell die heizung"
