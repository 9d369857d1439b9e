"""Records of constant size, with the layout of their content type."""

import re
import struct
from typing import Any, Callable, NamedTuple

SCALARS = dict(u8="B", u16="H", u32="I", u64="Q", i8="b", i16="h", i32="i", i64="q", f32="f", f64="d", bool="?")


class Type(NamedTuple):
    """Writes and reads a field of `size` bytes."""

    size: int
    pack: Callable[[Any], bytes]
    unpack: Callable[[bytes], Any]


def parse(layout, little):
    """Parses a layout such as `id:u32,side:choice(buy|sell),at:{x:f32,y:f32},tags:text(4)[2]`."""
    parser = Parser(layout, "<" if little else ">")
    type_ = parser.record()
    parser.take("$")
    return type_


class Parser:
    def __init__(self, layout, order):
        self.rest = layout
        self.order = order

    def record(self):
        fields = {}
        while True:
            name = self.take(r"([\w$]+):")[1]
            fields[name] = self.type()
            if not self.rest.startswith(","):
                return record(fields)
            self.take(",")

    def type(self):
        if self.rest.startswith("{"):
            self.take("{")
            type_ = self.record()
            self.take("}")
        else:
            _, kind, argument = self.take(r"(\w+)(?:\(([^)]*)\))?").group(0, 1, 2)
            type_ = self.simple(kind, argument)
        while self.rest.startswith("["):
            type_ = array(type_, int(self.take(r"\[(\d+)\]")[1]))
        return type_

    def simple(self, kind, argument):
        if kind == "text":
            return text(int(argument))
        if kind == "raw":
            return raw(int(argument))
        if kind == "choice":
            return choice(argument.split("|"))
        return scalar(self.order + SCALARS[kind])

    def take(self, pattern):
        found = re.match(pattern, self.rest)
        if found is None:
            raise ValueError(f"no layout: {self.rest}")
        self.rest = self.rest[found.end() :]
        return found


def scalar(code):
    one = struct.Struct(code)
    return Type(one.size, one.pack, lambda body: one.unpack(body)[0])


def text(size):
    bytes_ = raw(size)
    return Type(
        size,
        lambda value: bytes_.pack(value.encode().ljust(size, b"\0")),
        lambda body: body.rstrip(b"\0").decode(),
    )


def raw(size):
    def checked(body):
        if len(body) != size:
            raise ValueError(f"expected {size} bytes, got {len(body)}")
        return body

    return Type(size, checked, checked)


def choice(names):
    return Type(1, lambda name: bytes([names.index(name)]), lambda body: names[body[0]])


def array(item, length):
    def pack(values):
        if len(values) != length:
            raise ValueError(f"expected {length} items, got {len(values)}")
        return b"".join(map(item.pack, values))

    def unpack(body):
        return [item.unpack(body[at : at + item.size]) for at in range(0, len(body), item.size)]

    return Type(item.size * length, pack, unpack)


def record(fields):
    size = sum(type_.size for type_ in fields.values())

    def pack(message):
        return b"".join(type_.pack(message[name]) for name, type_ in fields.items())

    def unpack(body):
        if len(body) != size:
            raise ValueError(f"expected {size} bytes, got {len(body)}")
        message, at = {}, 0
        for name, type_ in fields.items():
            message[name] = type_.unpack(body[at : at + type_.size])
            at += type_.size
        return message

    return Type(size, pack, unpack)
