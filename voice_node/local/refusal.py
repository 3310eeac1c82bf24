"""What a client did wrong, in the shape of OpenAI's errors."""


class Refused(Exception):
    """An event that cannot be obeyed; it changes nothing. The text is for the client's people."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
