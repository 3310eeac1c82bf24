"""What the node demands of the broker's certificate."""

import ssl

from voice_node.model.errors import ConfigError
from voice_node.settings.schema import TlsSettings


def tls_context(settings: TlsSettings) -> ssl.SSLContext:
    """Verifies the broker's certificate and host name; there is no way to turn that off.

    Raises:
        ConfigError: a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except OSError as error:
        raise ConfigError(f"mqtt.tls.ca: {settings.ca} cannot be used: {error.strerror or error}") from error
    context.sslsocket_class = _TidySocket
    if settings.cert is not None:
        try:
            # Without a password, a key that needs one would ask for it on the terminal and wait for ever.
            context.load_cert_chain(settings.cert, settings.key, password="")
        except OSError as error:
            raise ConfigError(
                f"mqtt.tls: {settings.cert} with {settings.key} cannot be used: {error.strerror or error}"
            ) from error
    return context


class _TidySocket(ssl.SSLSocket):
    """Closes itself when the handshake fails: paho forgets it open."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise
