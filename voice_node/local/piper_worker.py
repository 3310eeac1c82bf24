"""Piper's own process, `python -m voice_node.local.piper_worker FILE`: lines of JSON in on stdin, sound out on stdout.

It says the rate of its voice as four bytes, big-endian. Each line, `{"text": TEXT, "speed": FACTOR}`, is answered by
mono s16le, one piece for each sentence with its length as four bytes before it; a length of 0 ends the answer. It ends
when stdin does.
"""

import json
import os
import signal
import struct
import sys

from voice_node.local.frames import MISSING, NO_MODEL

LENGTH = struct.Struct(">I")


def main() -> int:
    """Serve until stdin ends; the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process in order
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what C code prints must not fall between pieces
    try:
        from piper import PiperVoice, SynthesisConfig
    except ModuleNotFoundError:
        return MISSING
    try:
        voice = PiperVoice.load(sys.argv[1])
    except (OSError, ValueError, KeyError, RuntimeError):  # not there, or no voice; onnxruntime's are RuntimeErrors
        return NO_MODEL
    answers.write(LENGTH.pack(voice.config.sample_rate))
    answers.flush()
    for line in sys.stdin.buffer:
        wish = json.loads(line)
        how = SynthesisConfig(length_scale=voice.config.length_scale / wish["speed"])
        for sentence in voice.synthesize(wish["text"], how):
            if pcm := sentence.audio_int16_bytes:
                answers.write(LENGTH.pack(len(pcm)) + pcm)
                answers.flush()
        answers.write(LENGTH.pack(0))
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
