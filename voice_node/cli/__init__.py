"""The command line's door. It imports nothing before it listens for Ctrl-C, so that this is quiet from the start on."""

import sys

INTERRUPTED = 130
"""The exit code that shells give to Ctrl-C."""


def main() -> None:
    """Run the command of `sys.argv` and end with its exit code; Ctrl-C ends with 130 and without a word.

    Commands that run until they are told to stop take the signal themselves and end with 0.
    """
    try:
        from voice_node.cli.commands import run

        code = run()
    except KeyboardInterrupt:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one ends what may hang at the exit
        code = INTERRUPTED
    sys.exit(code)
