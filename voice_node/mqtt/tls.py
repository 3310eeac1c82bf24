"""What the node demands of the broker's certificate, and in plain words what is wrong with either side's."""

import ssl

from voice_node.model.errors import ConfigError
from voice_node.settings.schema import TlsSettings

BROKEN_OFF = "cannot connect: the broker breaks the TLS handshake off; does it speak TLS at this port?"


def tls_context(settings: TlsSettings) -> ssl.SSLContext:
    """Verifies the broker's certificate and host name; there is no way to turn that off.

    Raises:
        ConfigError: a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except OSError as error:
        raise ConfigError(f"mqtt.tls.ca: {settings.ca} cannot be used: {error.strerror or error}") from error
    context.sslsocket_class = TidySocket
    if settings.cert is not None:
        try:
            # Without a password, a key that needs one would ask for it on the terminal and wait for ever.
            context.load_cert_chain(settings.cert, settings.key, password="")
        except OSError as error:
            raise ConfigError(
                f"mqtt.tls: {settings.cert} with {settings.key} cannot be used: {error.strerror or error}"
            ) from error
    return context


def explain(error: ssl.SSLError, host: str) -> tuple[str, bool]:
    """What went wrong, for people, and whether trying again cannot help before somebody has changed something."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = _FLAWS.get(error.verify_code, "is not trusted: {detail}")
        return "the broker's certificate " + why.format(host=host, detail=error.verify_message), True
    if error.reason in _ALERTS:
        return f"the broker refuses this node's certificate: {_ALERTS[error.reason]}", True
    if error.reason in _NO_TLS:
        return "cannot connect: the broker does not speak TLS at this port", True
    if isinstance(error, ssl.SSLEOFError):
        return BROKEN_OFF, False
    return f"cannot connect: TLS failed ({error.reason or 'no reason given'})", False


_FLAWS = {
    9: "is not valid yet: is this machine's clock right?",
    10: "has expired, or this machine's clock is wrong",
    18: "is signed by itself, and `mqtt.tls.ca` does not hold it",
    19: "is signed by an authority that `mqtt.tls.ca` does not hold",
    20: "is signed by an authority that `mqtt.tls.ca` does not hold",
    21: "is signed by an authority that `mqtt.tls.ca` does not hold",
    23: "was revoked",
    62: "is for another host than {host}",
    64: "is for another host than {host}",
}
"""OpenSSL's verification results (`X509_V_ERR_...`)."""
_ALERTS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants one, and `mqtt.tls.cert` names none",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it wants one, and `mqtt.tls.cert` names none or one that does not fit",
    "TLSV1_ALERT_UNKNOWN_CA": "the broker does not know who signed it",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it was revoked",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it is bad",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it cannot be used",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it is not one for clients",
}
"""Alerts that the broker sends (RFC 8446, 6.2), by OpenSSL's names."""
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST")


class TidySocket(ssl.SSLSocket):
    """Closes itself when the handshake fails, which paho forgets, and remembers what paho keeps to itself.

    Since TLS 1.3 a broker's word on the client's certificate comes after the handshake, with the first bytes.
    """

    fault: ssl.SSLError | None = None
    """What ended the connection, if TLS did."""

    def do_handshake(self, block: bool = False) -> None:
        """As it is, and closed when it fails."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As it is, and remembered when it fails."""
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.fault = error
            raise
