"""Writes the messages of spec/vectors, or checks those of another language.

    python3 vectors.py write ../../spec/vectors/messages/cases.json > ../../spec/vectors/messages/python.json
    python3 vectors.py check ../../spec/vectors/messages/go.json ../../spec/vectors/messages/typescript.json

README.md, next to those files, describes them.
"""

import json
import math
import re
import struct
import sys
from datetime import datetime

import msgpack
import record

# Messages in the files: JSON, with an object of one key "$..." for a value that JSON lacks.

SIZED = {"$u8", "$u16", "$u32", "$u64", "$i8", "$i16", "$i32", "$i64", "$f32"}


def from_notation(notation):
    """The message as a value of Python."""
    if isinstance(notation, list):
        return [from_notation(item) for item in notation]
    if not isinstance(notation, dict):
        return notation
    if len(notation) == 1:
        [(tag, inner)] = notation.items()
        if tag.startswith("$"):
            return from_tag(tag, inner)
    return {key: from_notation(value) for key, value in notation.items()}


def from_tag(tag, inner):
    if tag in SIZED:
        return from_notation(inner)
    if tag == "$bigint":
        return int(inner)
    if tag == "$bytes":
        return bytes.fromhex(inner)
    if tag == "$date":
        return datetime.fromisoformat(inner.replace("Z", "+00:00"))
    if tag == "$float":
        return float(inner)
    if tag == "$ext":
        return msgpack.ExtType(inner[0], bytes.fromhex(inner[1]))
    raise ValueError(f"there is no notation {tag}")


def is_same(left, right):
    """Whether two messages are equal: True is not 1, -0.0 is not 0.0, and NaN is NaN."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_same(left[key], right[key]) for key in left)
    if is_number(left) and is_number(right):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    return type(left) is type(right) and left == right


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# A codec is a pair of functions, message to bytes and back, for a content type.


def json_codec(_):
    return lambda message: json.dumps(message).encode(), json.loads


def msgpack_codec(_):
    return (
        lambda message: msgpack.packb(message, datetime=True),
        lambda body: msgpack.unpackb(body, timestamp=3),
    )


def struct_codec(content_type):
    layout = re.search(r'; layout="([^"]*)"', content_type)[1]
    type_ = record.parse(layout, little=content_type.endswith("; endian=little"))
    return type_.pack, type_.unpack


def bytes_codec(content_type):
    size = re.search(r"; size=(\d+)", content_type)

    def checked(body):
        if size is not None and len(body) != int(size[1]):
            raise ValueError(f"expected {size[1]} bytes, got {len(body)}")
        return body

    return checked, checked


CODECS = dict(json=json_codec, msgpack=msgpack_codec, struct=struct_codec, bytes=bytes_codec)


def codec_of(vector):
    return CODECS[vector["codec"]](vector.get("contentType", ""))


# A frame is the body's length in four bytes, big-endian, and the body.


def frame_of(body):
    return struct.pack(">I", len(body)) + body


def body_of(frame):
    (length,) = struct.unpack_from(">I", frame)
    if len(frame) != 4 + length:
        raise ValueError(f"a frame of {length} bytes has {len(frame) - 4}")
    return frame[4:]


def write(path):
    lines = []
    for case in read(path):
        encode, _ = codec_of(case)
        case.pop("differs", None)
        case["frame"] = frame_of(encode(from_notation(case["message"]))).hex()
        lines.append(json.dumps(case, ensure_ascii=False, separators=(",", ":")))
    print("[", ",\n".join(lines), "]", sep="\n")


def check(paths):
    wrong = 0
    for path in paths:
        vectors = read(path)
        for vector in vectors:
            problem = problem_of(vector)
            if problem is not None:
                wrong += 1
                print(f"{path}: {vector['codec']}: {vector['name']}: {problem}", file=sys.stderr)
        print(f"{len(vectors)} vectors read")
    return wrong == 0


def problem_of(vector):
    _, decode = codec_of(vector)
    expected = from_notation(vector["message"])
    try:
        message = decode(body_of(bytes.fromhex(vector["frame"])))
    except Exception as error:  # whatever a codec throws is what is wrong with the frame
        return repr(error)
    return None if is_same(message, expected) else f"expected {expected!r}, got {message!r}"


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    match sys.argv[1:]:
        case ["write", cases]:
            write(cases)
        case ["check", *files] if files:
            sys.exit(0 if check(files) else 1)
        case _:
            sys.exit(__doc__)
