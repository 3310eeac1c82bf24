"""Certificates made on the fly by the `openssl` command."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ABSENT = "" if shutil.which("openssl") else "openssl is not installed"
"""Why tests with certificates are skipped; empty: they are not."""

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key."""

    path: Path
    key: Path


class Authority:
    """Signs certificates; its own is at `path`."""

    def __init__(self, folder: Path, name: str = "home") -> None:
        self._folder = folder
        self._name = name
        self.path = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        _openssl("req", "-x509", *_KEY, "-days", "2", "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.path)

    def sign(self, name: str, alternative: str = "IP:127.0.0.1", days: int = 2) -> Certificate:
        """A certificate for this name and host; negative days: it has expired."""
        request, extension = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        made = Certificate(self._folder / f"{name}-of-{self._name}.pem", self._folder / f"{name}.key")
        extension.write_text(f"subjectAltName={alternative}\n")
        _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", made.key, "-out", request)
        signed_by: list[str | Path] = ["-CA", self.path, "-CAkey", self._key, "-CAcreateserial"]
        _openssl(
            "x509", "-req", "-in", request, *signed_by, "-days", str(days), "-extfile", extension, "-out", made.path
        )
        return made


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
