"""Why the network does not let us, in the system's words instead of asyncio's."""

import os
import re

_NUMBER = re.compile(r"\[Errno (\d+)\]")


def why(error: OSError) -> str:
    """Such as `Connection refused`. Where several addresses of a host were tried, what the first of them said."""
    number = error.errno
    if number is None and (match := _NUMBER.search(str(error))) is not None:
        number = int(match[1])  # "Multiple exceptions: [Errno 111] Connect call failed ('::1', 1, 0, 0), ..."
    if number is not None and number > 0:  # below 0 are those of names, whose words are in the error
        return os.strerror(number)
    return error.strerror or type(error).__name__
