"""The smallest voice that Piper can load: it hums one note for each letter. Its ONNX file is written by hand."""

import json
import struct
from pathlib import Path

FLOAT, INT64 = 1, 7


def write_voice(folder: Path, rate_hz: int = 16000) -> Path:
    """`hum.onnx` with its `hum.onnx.json`; a letter lasts 1024 samples, the fillers around it too."""
    inputs = [("input", INT64, 2), ("input_lengths", INT64, 1), ("scales", FLOAT, 1)]
    nodes = [
        _node("Cast", ["input"], "letters", _attribute("to", FLOAT)),
        _node("Tile", ["letters", "repeats"], "waves"),
        _node("Sin", ["waves"], "output"),
    ]
    graph = b"".join(_message(1, node) for node in nodes)
    graph += _text(2, "hum") + _message(5, _integers("repeats", [1, 1024]))
    graph += b"".join(_message(11, _value(*value)) for value in inputs) + _message(12, _value("output", FLOAT, 2))
    file = folder / "hum.onnx"
    file.write_bytes(_number(1, 8) + _message(7, graph) + _message(8, _number(2, 13)))
    letters = {letter: [number] for number, letter in enumerate("_^$ abcdefghijklmnopqrstuvwxyz.,?!")}
    content = {
        "num_symbols": len(letters),
        "num_speakers": 1,
        "audio": {"sample_rate": rate_hz},
        "espeak": {"voice": "en"},
        "phoneme_type": "text",
        "phoneme_id_map": letters,
    }
    file.with_suffix(".onnx.json").write_text(json.dumps(content))
    return file


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes([*data, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _attribute(name: str, value: int) -> bytes:
    return _text(1, name) + _number(3, value) + _number(20, 2)


def _node(operation: str, inputs: list[str], output: str, attribute: bytes | None = None) -> bytes:
    node = b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, operation)
    return node + (_message(5, attribute) if attribute is not None else b"")


def _integers(name: str, values: list[int]) -> bytes:
    return _number(1, len(values)) + _number(2, INT64) + _text(8, name) + _message(9, struct.pack("<2q", *values))


def _value(name: str, kind: int, dimensions: int) -> bytes:
    shape = b"".join(_message(1, _text(2, f"{name}{index}")) for index in range(dimensions))
    return _text(1, name) + _message(2, _message(1, _number(1, kind) + _message(2, shape)))
