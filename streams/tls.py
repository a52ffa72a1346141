"""TLS as our clients speak it: which authorities are trusted, who we are, and what a failed handshake means.

The peer's certificate and its host name are always checked; nothing here can switch that off.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from streams.errors import SettingsError

HOST_MISMATCH = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
OUT_OF_TIME = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
NO_TLS_THERE = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNEXPECTED_EOF_WHILE_READING")
REFUSES_US = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "BAD_CERTIFICATE", "UNKNOWN_CA", "CERTIFICATE_UNKNOWN")
PEERS_REFUSALS = ("CERTIFICATE_EXPIRED", "ACCESS_DENIED", "CERTIFICATE_REVOKED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files of a TLS client, all PEM.

    ``ca_file``: certificates of the authorities to trust, and no others; without it the system's. ``cert_file`` and
    ``key_file``: our own certificate (with its chain) and key, where the server asks for one. ``key_password``: of an
    encrypted key; never shown.

    >>> Tls(ca_file="ca.pem", key_password="hidden")
    Tls(ca_file='ca.pem', cert_file=None, key_file=None)
    """

    ca_file: str | Path | None = None
    cert_file: str | Path | None = None
    key_file: str | Path | None = None
    key_password: str | None = field(default=None, repr=False)

    def context(self) -> ssl.SSLContext:
        """A context that checks certificate and host name of the server; the files are read now.

        Raises:
            SettingsError: a file cannot be read, or certificate and key do not belong together.
        """
        if (self.cert_file is None) != (self.key_file is None):
            raise SettingsError("TLS: cert_file and key_file go together: give both, or neither")
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ValueError) as error:
            raise SettingsError(f"TLS ca_file {self.ca_file}: {_reason(error)}; name a PEM file of certificates") from (
                error
            )
        if self.cert_file is not None:
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password=lambda: self.key_password or "")
            except (OSError, ValueError) as error:
                raise SettingsError(
                    f"TLS cert_file {self.cert_file} and key_file {self.key_file}: {_reason(error)}; they must be a "
                    "PEM certificate and its own key, with key_password where the key is encrypted"
                ) from error
        return context


def _reason(error: Exception) -> str:
    """Why a file was refused, without where OpenSSL noticed it."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM").replace("_", " ").lower()
    return getattr(error, "strerror", None) or str(error)


def tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """The failed handshake behind an error, which libraries wrap; None where there is none."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ssl.SSLError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def explain_tls(error: ssl.SSLError) -> str:
    """A failed handshake in words: whose fault it is and what to do.

    >>> explain_tls(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"))  # one without its `reason`
    'it does not speak TLS at this port: name its TLS port, or let it listen with TLS'
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        said = (error.verify_message or "not verified").rstrip(".")
        if error.verify_code in HOST_MISMATCH:
            return (
                f"its certificate is of another host ({said}): use a name that the certificate carries, or have it "
                "issued for this one"
            )
        if error.verify_code in OUT_OF_TIME:
            return f"its certificate is not valid now ({said}): have it renewed, and compare the clocks"
        return (
            f"nobody we trust signed its certificate ({said}): let ca_file name the authority that did; if it does "
            "already, this is not the server it claims to be"
        )
    reason = getattr(error, "reason", None) or str(error)  # one that no handshake made has none
    if any(word in reason for word in PEERS_REFUSALS):
        return "it refuses our certificate: have it renewed, or signed by an authority that the server trusts"
    if "ALERT" in reason and any(word in reason for word in REFUSES_US):
        return "it wants a certificate of ours that it trusts: give cert_file and key_file, signed by its authority"
    if any(word in reason for word in NO_TLS_THERE):
        return "it does not speak TLS at this port: name its TLS port, or let it listen with TLS"
    return f"TLS failed ({reason.replace('_', ' ').lower()}): compare the TLS settings of both"
