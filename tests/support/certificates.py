"""Certificates for a test, made by the program openssl: an authority and what it signs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, PEM files."""

    cert: Path
    key: Path

    def both(self) -> Path:
        """Key and certificate in one file, as Kafka wants them."""
        joined = self.cert.with_suffix(".both.pem")
        joined.write_text(self.key.read_text() + self.cert.read_text())
        return joined


class Authority:
    """Signs certificates for hosts; ``ca`` is what a client trusts it by."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl: the program that makes the certificates is not on PATH")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.ca, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        self._request(name, self.ca, self._key, usage)

    def _request(self, name: str, cert: Path, key: Path, more: Sequence[str], hidden: str = "") -> None:
        lock = ["-passout", f"pass:{hidden}"] if hidden else ["-nodes"]
        files = ["-subj", f"/CN={name}", "-keyout", str(key), "-out", str(cert), "-days", "2"]
        command = ["openssl", "req", "-x509", *CURVE, *lock, *files, *more]
        subprocess.run(command, capture_output=True, check=True)
        key.chmod(0o600)

    def sign(self, name: str, hosts: Sequence[str] = ("127.0.0.1", "localhost"), *, password: str = "") -> Certificate:
        """A certificate for hosts; its key encrypted where a password is given."""
        alternatives = ",".join(f"{'IP' if host[0].isdigit() else 'DNS'}:{host}" for host in hosts)
        made = Certificate(self.folder / f"{name}.crt", self.folder / f"{name}.pem.key")
        signer = ["-CA", str(self.ca), "-CAkey", str(self._key), "-addext", "basicConstraints=critical,CA:FALSE"]
        self._request(name, made.cert, made.key, [*signer, "-addext", f"subjectAltName={alternatives}"], password)
        return made
