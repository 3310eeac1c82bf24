"""What a client did wrong, in the shape of OpenAI's errors."""


class Refused(Exception):
    """An event or a request that cannot be obeyed; it changes nothing. The text is for the client's people."""

    def __init__(self, code: str, message: str, param: str | None = None, status: int = 400) -> None:
        """`status` is HTTP's, for what comes by HTTP."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.status = status
