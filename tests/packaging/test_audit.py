from typing import Any

import pytest

from tests.packaging.audit import tell

WHOLE: dict[str, Any] = {"name": "click", "version": "8.1.0", "vulns": []}
BROKEN: dict[str, Any] = {
    "name": "jinja2",
    "version": "2.10",
    "vulns": [{"id": "CVE-2019-10906", "fix_versions": ["2.10.1"]}, {"id": "CVE-0000-0000", "fix_versions": []}],
}
UNKNOWN: dict[str, Any] = {"name": "ours", "skip_reason": "not found"}


def test_a_vulnerability_fails_and_says_what_mends_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell([WHOLE, BROKEN]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told == [
        "jinja2 2.10: CVE-2019-10906, mended in 2.10.1",
        "jinja2 2.10: CVE-0000-0000, mended in no version yet",
    ]


def test_what_the_service_does_not_know_is_said_and_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell([WHOLE, UNKNOWN]) == 0
    told = capsys.readouterr().out
    assert "knows nothing of 1 of 2: ours" in told
    assert "nothing is known against 1 packages" in told


def test_a_service_that_knows_nothing_audited_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell([UNKNOWN]) == 0
    assert "nothing was audited" in capsys.readouterr().out
