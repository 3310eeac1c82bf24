"""Names that look like locks, doors, garages, gates, alarms and ovens, as people of five languages write them."""

import pytest

from voice_node.settings.tools import looks_dangerous

DANGEROUS = {
    "en": "unlock_front_door deadbolt lock_all latch garage_doors gates arm_alarm safe oven stove hob cooktop",
    "de": "haustuer haustur_auf tur_oeffnen tueren hoftor gartentor_zu rolltor einfahrtstor tore entriegeln verriegeln "
    "tresor schloss ofen backofen herd herdplatte kochfeld alarmanlage garagentor",
    "fr": "porte portes ouvrir_porte_garage verrouiller deverrouiller serrure portail portillon coffre_fort alarme "
    "four fours cuisiniere",
    "es": "puerta abrir_puertas cerradura cerrojo candado garaje cochera porton desbloquear alarma horno vitroceramica",
    "nl": "deur deuren voordeur achterdeur tuindeur garagedeur slot sloten hangslot vergrendel ontgrendel kluis poort "
    "oven fornuis kookplaat",
}
HARMLESS = (
    "set_light set_clock outdoor_light doorbell temperatur set_temperatur_wohnzimmer natur struktur armatur motor "
    "monitor rotor tractor report porter support fourth_light fourniture kleur kleuren odeur profondeur spiegel "
    "timeslot navigate investigate safety_check safari shed_light herder schatten export licht_an "
    "rollladen_schliessen flatness"
)


@pytest.mark.parametrize("name", " ".join(DANGEROUS.values()).split())
def test_a_home_s_locks_are_found_in_each_language(name: str) -> None:
    assert looks_dangerous(name)


@pytest.mark.parametrize("name", HARMLESS.split())
def test_other_names_are_left_alone(name: str) -> None:
    assert not looks_dangerous(name)
