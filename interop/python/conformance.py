"""A server of the h2channel protocol, version 1, with the routes of its conformance tests.

It speaks cleartext HTTP/2 with prior knowledge (TRANS-1) on a free port of 127.0.0.1, and is a full peer (CONF-2).
The names in comments, such as FRAME-3, are those of the rules in SPEC.md. From top to bottom: formats and their
negotiation, codecs, framings, paths, one channel, one connection, the routes, and the process.
"""

import asyncio
import json
import re
import sys
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import msgpack
from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

VERSION = 1
MESSAGE_LIMIT = 4 * 1024 * 1024  # FRAME-2
STREAM_WINDOW = 1024 * 1024  # FLOW-2
CONNECTION_WINDOW = 8 * 1024 * 1024  # FLOW-2
HEADERS_LIMIT = 32 * 1024  # more than that is 431; h2 itself ends a connection at 64 KiB
WAITING_LIMIT = 65_536  # bytes that may wait for credit before a channel stops reading (PING-1 has the same number)
PING_INTERVAL = 20  # PING-2 and PING-3: between 5 s and 25 s
SILENCE = 35  # PING-4
GRACE = 1  # ANS-5, CLOSE-2, END-3: a second for the client to end its half
SEND_TIME = 5  # how long a last frame may wait for the client's credit
DRAIN_TIME = 2  # DRAIN-2

# The codes of `close`, and the code of RST_STREAM that stands for each (ERR-1).
RESET_CODES = {
    "INVALID_MESSAGE": 0x1,
    "INVALID_FRAME": 0x1,
    "TRUNCATED_FRAME": 0x1,
    "MESSAGE_TOO_LARGE": 0x6,
    "INTERNAL": 0x2,
    "GOING_AWAY": 0x68320001,
}
NO_ERROR, CANCEL = 0x0, 0x8
CLOSE, STOP, PING, PONG, DRAINING = 1, 2, 3, 4, 5  # types of control frames


class ChannelError(Exception):
    """An error of a channel. Its only argument is the code (ERR-1)."""


class PeerClosed(Exception):
    """The client has sent `close`."""


class StreamGone(Exception):
    """The stream was reset, or the connection was lost."""


class OnPurpose(Exception):
    """The failure of the route that fails (`/conformance/fail`)."""


class Refusal(Exception):
    """An answer other than 200 (ANS-6). The text is for a person, and says nothing of the server's inside (ERR-4)."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None):
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers or {}


# ---------------------------------------------------------------------------------------------- media types


class MediaType(NamedTuple):
    """A media type in the form in which two of them can be compared (TYPE-1)."""

    name: str
    parameters: frozenset[tuple[str, str]]


TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
TYPE = re.compile(rf"{TOKEN}/{TOKEN}")
PARAMETER = re.compile(rf"[ \t]*;[ \t]*(?:({TOKEN})=({TOKEN}|{QUOTED}))?")
WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
MEMBER = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*(?:"|\\?$))+')  # up to the next comma outside of quotes (NEG-2)


def read_media_type(text: str, weighted: bool = False) -> tuple[MediaType, float] | None:
    """The media type with its weight, which is 1 if it has none; or None if it is unsupported (TYPE-3, TYPE-4)."""
    text = text.strip(" \t")
    match = TYPE.match(text)
    if match is None:
        return None
    name, parameters, weight = match[0].lower(), {}, None
    while match.end() < len(text):
        match = PARAMETER.match(text, match.end())
        if match is None:
            return None
        key, value = (match[1] or "").lower(), match[2]
        if not key or weight is not None:  # NEG-2: parameters after the weight have no meaning
            continue
        if weighted and key == "q":
            weight = value
        elif key in parameters:
            return None
        else:
            parameters[key] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
    if parameters.pop("charset", "utf-8").lower() != "utf-8":
        return None
    if weight is not None and not WEIGHT.fullmatch(weight):
        return None
    return MediaType(name, frozenset(parameters.items())), float(weight or 1)


# ---------------------------------------------------------------------------------------------- codecs

# A codec makes a value of the bytes of a message, and the reverse. Where it cannot, it raises one of these.
CODEC_ERRORS = (ValueError, TypeError, OverflowError, RecursionError)


class Json:
    def decode(self, body: bytes) -> object:
        # JSON-1: `decode` refuses invalid UTF-8, and `loads` a byte order mark. JSON-2: of equal names, the last one
        # counts. JSON-3: nesting that is too deep is a RecursionError.
        return json.loads(body.decode("utf-8"), parse_constant=self._refuse)

    def encode(self, value: object) -> bytes:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("utf-8")

    @staticmethod
    def _refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")  # Python reads NaN and Infinity otherwise


@dataclass(frozen=True)
class Extension:
    """PACK-3: a value of another type than -1 is kept as it is. (msgpack's own class would become an array in JSON.)"""

    kind: int
    data: bytes


class MessagePack:
    def decode(self, body: bytes) -> object:
        # PACK-1: invalid UTF-8 is a ValueError. PACK-4: a key need not be text, but a map or an array as a key is a
        # TypeError.
        return msgpack.unpackb(body, ext_hook=Extension, strict_map_key=False)

    def encode(self, value: object) -> bytes:
        return msgpack.packb(value, default=lambda extension: msgpack.ExtType(extension.kind, extension.data))


class Bytes:
    def __init__(self, size: int | None = None):
        self.size = size

    def decode(self, body: bytes) -> bytes:
        if self.size is not None and len(body) != self.size:
            raise ValueError("wrong size")
        return body

    def encode(self, value: bytes) -> bytes:
        return value


class Record(Bytes):
    """Records of the layout below. Its numbers need no check, and nothing here reads them, so a value is the bytes."""

    layout = "a:u8,b:i16,c:text(4)"

    def decode(self, body: bytes) -> bytes:
        text = super().decode(body)[3:].rstrip(b"\0")  # STRUCT-5
        if b"\0" in text:  # STRUCT-4: only zeros follow the first zero
            raise ValueError("a byte after the end of a text")
        text.decode("utf-8")  # STRUCT-4
        return body


class LittleEndian(Bytes):
    """Records of the layout `n:u16`, with the bytes of a number from the last to the first (STRUCT-3)."""

    def decode(self, body: bytes) -> dict[str, int]:
        return {"n": int.from_bytes(super().decode(body), "little")}


# ---------------------------------------------------------------------------------------------- framings


class Framing:
    """Reads the frames of one half, and writes those of the other."""

    def __init__(self, limit: int, control: bool, size: int | None):
        self.limit, self.control, self.size = limit, control, size
        self.buffer = bytearray()  # FRAME-3: it grows only with bytes that have arrived
        self.searched = 0  # Lines: this many bytes of the buffer have no "\n"

    def next(self) -> tuple[bool, bytes] | None:
        """Takes a whole frame from the buffer: (is it a control frame, body). None if it needs more bytes."""
        raise NotImplementedError

    def end(self) -> None:
        if self.buffer:  # FRAME-4, LINE-3, FIXED-1
            raise ChannelError("TRUNCATED_FRAME")

    def take(self, start: int, end: int) -> bytes:
        body = bytes(self.buffer[start:end])
        del self.buffer[:end]
        return body

    @staticmethod
    def encode(body: bytes) -> bytes:
        return body


class LengthPrefixed(Framing):
    def next(self) -> tuple[bool, bytes] | None:
        if len(self.buffer) < 4:
            return None
        word = int.from_bytes(self.buffer[:4], "big")
        is_control, length = bool(word & 0x80000000), word & 0x3FFFFFFF
        if word & 0x40000000:  # FRAME-6
            raise ChannelError("INVALID_FRAME")
        if is_control and not (self.control and 1 <= length <= 1024):  # FRAME-7, CTRL-2
            raise ChannelError("INVALID_FRAME")
        if not is_control and length > self.limit:  # FRAME-3
            raise ChannelError("MESSAGE_TOO_LARGE")
        return (is_control, self.take(4, 4 + length)) if len(self.buffer) >= 4 + length else None

    @staticmethod
    def encode(body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + body


class Lines(Framing):
    def next(self) -> tuple[bool, bytes] | None:
        while (at := self.buffer.find(b"\n", self.searched)) >= 0:
            line = self.take(0, at + 1)[:-1].removesuffix(b"\r")  # LINE-1
            self.searched = 0
            if len(line) > self.limit:
                raise ChannelError("MESSAGE_TOO_LARGE")
            if line:  # LINE-2
                return False, line
        self.searched = len(self.buffer)
        if self.searched - self.buffer.endswith(b"\r") > self.limit:  # FRAME-3, LINE-3
            raise ChannelError("MESSAGE_TOO_LARGE")
        return None

    @staticmethod
    def encode(body: bytes) -> bytes:
        return body + b"\n"  # our JSON has no line breaks


class FixedLength(Framing):
    def next(self) -> tuple[bool, bytes] | None:
        return (False, self.take(0, self.size)) if len(self.buffer) >= self.size else None


# ---------------------------------------------------------------------------------------------- formats


class Format:
    """A codec with a framing, named by a media type."""

    def __init__(self, text: str, codec: Json | MessagePack | Bytes, framing: type[Framing]):
        self.text, self.codec, self.framing = text, codec, framing
        self.media_type, _ = read_media_type(text)


def formats_of_one_size(name: str, parameter: str, codec: Bytes) -> list[Format]:
    """TYPE-5: messages of one size may also go without a prefix."""
    return [
        Format(f"application/vnd.h2channel+{name}; {parameter}", codec, LengthPrefixed),
        Format(f"application/octet-stream; {parameter}", codec, FixedLength),
    ]


JSON = Json()
JSON_FORMATS = [
    Format("application/vnd.h2channel+json", JSON, LengthPrefixed),
    Format("application/x-ndjson", JSON, Lines),
]
MESSAGEPACK_FORMATS = [Format("application/vnd.h2channel+msgpack", MessagePack(), LengthPrefixed)]
BYTES_FORMATS = [Format("application/vnd.h2channel+bytes", Bytes(), LengthPrefixed)]
RECORD_FORMATS = formats_of_one_size("struct", f'layout="{Record.layout}"', Record(7))
LITTLE_FORMATS = formats_of_one_size("struct", 'layout="n:u16"; endian=little', LittleEndian(2))
SIZED_FORMATS = {size: formats_of_one_size("bytes", f"size={size}", Bytes(size)) for size in (4, 8, 12)}


def quality(format: Format, members: list[tuple[MediaType, float]]) -> float:
    """NEG-3: that of the first member that names the format, else of `type/*`, else of `*/*`."""
    exact = [weight for media_type, weight in members if media_type == format.media_type]
    ranges = [format.media_type.name.split("/")[0] + "/*", "*/*"]
    by_range = [weight for range in ranges for media_type, weight in members if media_type.name == range]
    return (exact + by_range + [0])[0]


def negotiate(own: list[Format], accept: list[str], request: Format) -> Format:
    """The format of the server's messages (NEG-1 to NEG-5)."""
    if accept:
        read = [read_media_type(text, weighted=True) for text in MEMBER.findall(",".join(accept))]
        members = [member for member in read if member]  # NEG-2
        best = max(quality(format, members) for format in own)
        if best == 0:
            raise Refusal(406, "accept lists no format of this route: " + ", ".join(format.text for format in own))
        own = [format for format in own if quality(format, members) == best]
        for media_type, _ in members:  # NEG-4
            for format in own:
                if format.media_type == media_type:
                    return format
    same_type = [format for format in own if format.media_type == request.media_type]
    same_framing = [format for format in own if format.framing is request.framing]
    return (same_type + same_framing + own)[0]  # NEG-5


# ---------------------------------------------------------------------------------------------- routes


@dataclass
class Route:
    path: str
    accepts: list[Format]  # of the client's messages
    offers: list[Format]  # of the server's messages
    handler: Callable[["Channel"], Awaitable[None]]
    limit: int = MESSAGE_LIMIT

    def match(self, segments: list[bytes]) -> dict[str, str | None] | None:
        """The parameters, if the path is of this route (PATH-2). None stands for one that cannot be decoded."""
        pattern = self.path.split("/")
        if len(pattern) != len(segments):
            return None
        parameters = {}
        for expected, segment in zip(pattern, segments):
            decoded = decode_segment(segment)
            if expected.startswith(":") and segment:
                parameters[expected[1:]] = decoded
            elif expected != decoded:
                return None
        return parameters

    def specificity(self) -> list[bool]:
        """Sorts a literal before a parameter, from left to right (PATH-3)."""
        return [segment.startswith(":") for segment in self.path.split("/")]


def decode_segment(segment: bytes) -> str | None:
    if not re.fullmatch(rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*", segment):
        return None
    try:
        return unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        return None


def find_route(path: bytes) -> tuple[Route, dict[str, str | None]]:
    segments = path.split(b"?", 1)[0].split(b"/")  # PATH-1: before anything is decoded
    for route in ROUTES:
        parameters = route.match(segments)
        if parameters is not None:
            return route, parameters
    raise Refusal(404, "There is no such route.")


class Request:
    def __init__(self, headers: list[tuple[bytes, bytes]]):
        self.headers = headers

    def all(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for key, value in self.headers if key == name]

    def one(self, name: bytes) -> str:
        return ", ".join(self.all(name))

    def size(self) -> int:
        return sum(len(name) + len(value) + 32 for name, value in self.headers)  # as HTTP/2 counts

    def version(self) -> int | None:
        """The version of the answer, if the client announces one (VER-1, VER-2)."""
        offer = self.all(b"h2channel")
        if len(offer) != 1 or not re.fullmatch("[1-9][0-9]{0,8}", offer[0]):
            return None
        return min(int(offer[0]), VERSION)

    def is_of_other_origin(self) -> bool:  # WEB-1
        own = f"{self.one(b':scheme')}://{self.one(b':authority') or self.one(b'host')}"
        sites, origins = self.all(b"sec-fetch-site"), self.all(b"origin")
        return any(site not in ("same-origin", "none") for site in sites) or any(origin != own for origin in origins)

    def route(self, stopping: bool) -> tuple[Route, dict[str, str], Format, Format]:
        """What the request asks for: the route, its parameters, and both formats. Refusals have the order of ANS-8."""
        route, parameters = find_route(self.one(b":path").encode("latin-1"))
        if any(value in (None, ".", "..") for value in parameters.values()):  # PATH-4
            raise Refusal(400, "A parameter of the path is invalid.")
        if self.size() > HEADERS_LIMIT:
            raise Refusal(431, "The headers are too large.")
        if self.is_of_other_origin():
            raise Refusal(403, "Pages of other origins may not open a channel.")
        if self.one(b":method") != "POST":  # OPEN-1
            raise Refusal(405, "A channel is opened with POST.", {"allow": "POST"})
        if stopping:  # DRAIN-3
            raise Refusal(503, "The server is about to stop.", {"retry-after": "1"})
        sent = read_media_type(self.one(b"content-type"))
        accepted = [format for format in route.accepts if sent and format.media_type == sent[0]]
        if not accepted:  # OPEN-3
            names = ", ".join(format.text for format in route.accepts)
            raise Refusal(415, f"content-type is not one of {names}", {"accept": names})
        if any(coding.strip().lower() != "identity" for coding in self.all(b"content-encoding")):  # OPEN-7
            raise Refusal(415, "A content coding is not accepted.")
        return route, parameters, accepted[0], negotiate(route.offers, self.all(b"accept"), accepted[0])


# ---------------------------------------------------------------------------------------------- one channel

END = object()  # what `receive` returns after the last message


class Channel:
    """One stream of HTTP/2, from its request on. It becomes a channel when it is answered with 200."""

    def __init__(self, connection: "Connection", stream_id: int, request: Request):
        self.connection, self.id = connection, stream_id
        self.changed = asyncio.Event()  # something below is different
        self.gone = False  # reset, or the connection was lost
        # The client's half. Each DATA frame waits with the credit that it took, padding included.
        self.inbox: deque[tuple[bytes, int]] = deque()
        self.owed = 0  # credit for the bytes that the reader has taken last
        self.input_ended = False  # END_STREAM has arrived, maybe behind what waits in the inbox
        self.discarding = False
        self.reading_since: float | None = None
        # The server's half. Each frame waits with whether it is a message.
        self.outbox: deque[tuple[bytes, bool]] = deque()
        self.begun = 0  # this many bytes of the first frame have been sent
        self.waiting = 0  # bytes in the outbox that have not been sent
        self.stopped = False  # `stop` has been received
        self.ending = False  # END_STREAM follows the outbox
        self.ended = False  # END_STREAM has been sent
        self.control = False  # control frames are agreed (CTRL-1)
        self.task = asyncio.create_task(self.run(request))

    async def run(self, request: Request) -> None:
        try:
            if self.gone:  # the client has reset it at once
                return
            try:
                self.open(request)
            except Refusal as refusal:
                await self.refuse(refusal, request)
            else:
                await self.converse()
        except StreamGone:
            pass
        finally:
            del self.connection.channels[self.id]

    def open(self, request: Request) -> None:
        route, self.parameters, self.request_format, self.answer_format = request.route(self.connection.stopping)
        self.handler = route.handler
        headers = [
            (":status", "200"),  # ANS-1
            ("content-type", self.answer_format.text),
            ("cache-control", "no-store, no-transform"),  # ANS-4
        ]
        version = request.version()
        if version and self.request_format.framing is self.answer_format.framing is LengthPrefixed:  # CTRL-1
            self.control = True
            headers.append(("h2channel", str(version)))
        framing, codec = self.request_format.framing, self.request_format.codec
        self.reader = framing(route.limit, self.control, getattr(codec, "size", None))
        self.connection.h2.send_headers(self.id, headers)
        self.connection.write()

    async def refuse(self, refusal: Refusal, request: Request) -> None:
        headers = {":status": str(refusal.status), "content-type": "text/plain; charset=utf-8"} | refusal.headers
        self.connection.h2.send_headers(self.id, list(headers.items()))
        if request.one(b":method") != "HEAD":
            self.put(refusal.text.encode("utf-8"))  # ANS-5
        await self.finish(CANCEL)

    async def converse(self) -> None:
        heartbeat = asyncio.create_task(self.heartbeat()) if self.control else None
        try:
            await self.handler(self)
            if self.discarding:
                await self.finish(CANCEL)
            else:
                self.end()
                while await self.receive() is not END:  # END-1: the other half may continue
                    pass
                await self.until(lambda: self.ended)
        except ChannelError as error:
            await self.fail(error.args[0])
        except PeerClosed:  # CLOSE-2: drop what was not sent
            self.outbox.clear()
            self.begun = self.waiting = 0
            await self.finish(CANCEL)
        except asyncio.CancelledError:  # only a server that stops cancels the task (DRAIN-2)
            await self.fail("GOING_AWAY")
        except StreamGone:
            raise
        except Exception as error:
            if not isinstance(error, OnPurpose):
                traceback.print_exc()
            await self.fail("INTERNAL")
        finally:
            if heartbeat:
                heartbeat.cancel()

    async def heartbeat(self) -> None:
        while True:
            await asyncio.sleep(PING_INTERVAL)
            if not self.outbox:  # PING-2
                self.send_control(PING)
            if self.reading_since and time.monotonic() - self.reading_since > SILENCE:  # PING-4
                self.reset(CANCEL)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            if self.gone:
                raise StreamGone
            self.changed.clear()
            await self.changed.wait()

    # The client's half

    async def receive(self) -> object:
        """The next message, or END."""
        while True:
            while (frame := self.reader.next()) is not None:
                is_control, body = frame
                if is_control:
                    self.receive_control(body)
                else:
                    try:
                        return self.request_format.codec.decode(body)
                    except CODEC_ERRORS:  # CODEC-1
                        raise ChannelError("INVALID_MESSAGE") from None
            # Every whole message of the last DATA frame has been taken. FLOW-1: only now the client may send more.
            self.give_credit(self.owed)
            self.owed = 0
            self.reading_since = time.monotonic()
            await self.until(lambda: self.inbox or self.input_ended)
            self.reading_since = None
            if not self.inbox:
                self.reader.end()
                return END
            data, self.owed = self.inbox.popleft()
            self.reader.buffer += data

    def receive_control(self, body: bytes) -> None:
        # CTRL-3: other types, and what follows the content of a known one, are ignored.
        if body[0] == CLOSE:
            raise PeerClosed  # CLOSE-3: this server does the same for every code, and logs none
        if body[0] == STOP:  # STOP-2: of the messages, only one that has begun is still sent
            self.stopped = True
            kept = [item for index, item in enumerate(self.outbox) if not item[1] or (index == 0 and self.begun)]
            self.outbox = deque(kept)
            self.waiting = sum(len(frame) for frame, _ in kept) - self.begun
        if body[0] == PING and self.waiting < WAITING_LIMIT:  # PING-1
            self.send_control(PONG, body[1:])

    def give_credit(self, size: int) -> None:
        if size and not self.input_ended and not self.gone:
            self.connection.h2.increment_flow_control_window(size, self.id)
            self.connection.write()

    def discard(self) -> None:
        """Drops what has arrived, and (see Connection.data_received) what still will."""
        self.discarding = True
        self.give_credit(self.owed + sum(size for _, size in self.inbox))
        self.owed = 0
        self.inbox.clear()

    # The server's half

    async def send(self, value: object) -> None:
        """Waits until there is room. A client that does not read thereby stops the handler, and its own sending."""
        try:
            body = self.answer_format.codec.encode(value)
        except CODEC_ERRORS:  # such as bytes, from MessagePack to JSON
            raise ChannelError("INVALID_MESSAGE") from None
        await self.until(lambda: self.waiting < WAITING_LIMIT)
        if not self.stopped:  # STOP-2
            self.put(self.answer_format.framing.encode(body), is_message=True)

    def send_control(self, kind: int, content: bytes = b"") -> None:
        if self.control:
            body = bytes([kind]) + content
            self.put((0x80000000 | len(body)).to_bytes(4, "big") + body)  # CTRL-2

    def put(self, frame: bytes, is_message: bool = False) -> None:
        if not self.ending:
            self.outbox.append((frame, is_message))
            self.waiting += len(frame)
            self.pump()

    def end(self) -> None:
        self.ending = True
        self.pump()

    def pump(self) -> None:
        """Sends as much as the client's credit and the socket take."""
        h2 = self.connection.h2
        while self.outbox and self.connection.writable and not self.gone:
            room = min(h2.local_flow_control_window(self.id), h2.max_outbound_frame_size)
            if room <= 0:
                break
            frame, _ = self.outbox[0]
            piece = frame[self.begun : self.begun + room]
            h2.send_data(self.id, piece)
            self.begun += len(piece)
            self.waiting -= len(piece)
            if self.begun == len(frame):
                self.outbox.popleft()
                self.begun = 0
            self.connection.write()
        if self.ending and not self.outbox and not self.ended and not self.gone:
            h2.end_stream(self.id)
            self.ended = True
            self.connection.write()
        self.changed.set()

    # The end

    def stop(self) -> None:
        """Accepts no more messages (END-3). Messages may still be sent."""
        self.send_control(STOP)
        self.discard()

    async def fail(self, code: str) -> None:
        """END-5: tells the client the code by `close`, or else by RST_STREAM. There is no reason (ERR-4)."""
        if not self.control or self.ending:
            self.reset(RESET_CODES[code])
            return
        self.send_control(CLOSE, bytes([len(code)]) + code.encode("ascii"))
        await self.finish(RESET_CODES[code])

    async def finish(self, code: int) -> None:
        """Ends both halves: ANS-5, CLOSE-2, END-3. The code is for a client that does not take what waits for it."""
        self.discard()
        self.end()
        try:
            async with asyncio.timeout(SEND_TIME):
                await self.until(lambda: self.ended)
            code = NO_ERROR
            async with asyncio.timeout(GRACE):
                await self.until(lambda: self.input_ended)
        except TimeoutError:
            self.reset(code)

    def reset(self, code: int) -> None:
        if not self.gone and not (self.ended and self.input_ended):
            self.connection.h2.reset_stream(self.id, code)
            self.connection.write()
        self.lose()

    def lose(self) -> None:
        self.gone = True
        self.changed.set()


# ---------------------------------------------------------------------------------------------- one connection

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Connection(asyncio.Protocol):
    everyone: set["Connection"] = set()
    stopping = False  # of the whole server

    def __init__(self) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False))
        self.channels: dict[int, Channel] = {}
        self.first = b""  # what arrived before it was clear which HTTP this is
        self.receive_bytes = self.receive_first
        self.writable = True

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.everyone.add(self)
        self.watch = asyncio.create_task(self.watch_connection())

    def connection_lost(self, error: Exception | None) -> None:
        self.everyone.discard(self)
        self.watch.cancel()
        for channel in self.channels.values():
            channel.lose()

    def pause_writing(self) -> None:
        # What HTTP/2 itself answers (PING, SETTINGS) must not pile up either.
        self.writable = False
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.writable = True
        self.transport.resume_reading()
        self.pump()

    def data_received(self, data: bytes) -> None:
        self.heard_at = time.monotonic()
        self.receive_bytes(data)

    def receive_first(self, data: bytes) -> None:
        """TRANS-1: the client begins with HTTP/2 directly. Anything else is taken for HTTP/1."""
        self.first += data
        if self.first.startswith(PREFACE):
            self.h2.initiate_connection()
            self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW})
            self.h2.increment_flow_control_window(CONNECTION_WINDOW - 65_535)
            self.receive_bytes = self.receive_http2
            self.receive_http2(self.first)
        elif not PREFACE.startswith(self.first):
            if b"\r\n\r\n" in self.first:
                self.receive_bytes = lambda data: None
                self.refuse_http1()
            elif len(self.first) > HEADERS_LIMIT:
                self.transport.close()

    def refuse_http1(self) -> None:
        method, target, *_ = self.first.split(b"\r\n", 1)[0].split(b" ") + [b"", b""]
        try:
            find_route(target)
            status, text = "505 HTTP Version Not Supported", "A channel needs HTTP/2.\n"  # TRANS-2
        except Refusal as refusal:
            status, text = "404 Not Found", f"{refusal.text}\n"
        head = f"HTTP/1.1 {status}\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n"
        self.transport.write((head + (text if method != b"HEAD" else "")).encode("ascii"))
        self.transport.write_eof()
        asyncio.get_running_loop().call_later(GRACE, self.transport.close)  # ANS-5

    def receive_http2(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
        except ProtocolError:
            self.write()  # the GOAWAY of h2
            self.transport.close()
            for channel in self.channels.values():
                channel.lose()
            return
        received = 0
        # h2 has already seen all of these events. Nothing is sent on a stream before we have, too: it may be reset.
        for event in events:
            channel = self.channels.get(getattr(event, "stream_id", None))
            if isinstance(event, RequestReceived):
                self.channels[event.stream_id] = Channel(self, event.stream_id, Request(event.headers))
            elif isinstance(event, DataReceived):
                received += event.flow_controlled_length
                if channel:
                    channel.inbox.append((event.data, event.flow_controlled_length))
            elif isinstance(event, StreamEnded) and channel:  # OPEN-8: trailers have no event that matters
                channel.input_ended = True
            elif isinstance(event, StreamReset) and channel:  # ERR-2: for this server, every code is the end
                channel.lose()
            elif isinstance(event, ConnectionTerminated):
                # A client's GOAWAY does not end its streams, but h2 would refuse to send on them.
                self.h2.state_machine.state = ConnectionState.SERVER_OPEN
        if received:
            self.h2.increment_flow_control_window(received)  # FLOW-1: the connection's credit, on receipt
        for channel in self.channels.values():
            if channel.discarding:
                channel.discard()
        self.pump()

    def pump(self) -> None:
        """After credit, bytes or room have arrived."""
        for channel in self.channels.values():
            channel.pump()
        self.write()

    def write(self) -> None:
        data = self.h2.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)

    async def watch_connection(self) -> None:
        """FLOW-3."""
        while True:
            await asyncio.sleep(PING_INTERVAL)
            if self.channels and self.writable:
                self.h2.ping(b"h2channl")
                self.write()
                asked_at = time.monotonic()
                await asyncio.sleep(10)
                if self.heard_at < asked_at:
                    self.transport.abort()

    def drain(self) -> None:
        """DRAIN-3. The GOAWAY is written without h2, which would send nothing more after one of its own."""
        for channel in self.channels.values():
            channel.send_control(DRAINING)
        if self.receive_bytes == self.receive_http2:
            self.transport.write(GoAwayFrame(0, last_stream_id=2**31 - 1, error_code=NO_ERROR).serialize())


# ---------------------------------------------------------------------------------------------- the routes


async def echo(channel: Channel) -> None:
    while (message := await channel.receive()) is not END:
        await channel.send(message)


async def strict(channel: Channel) -> None:
    while (message := await channel.receive()) is not END:
        number = message.get("n") if isinstance(message, dict) and len(message) == 1 else None
        if type(number) not in (int, float) or number % 1 != 0:
            raise ChannelError("INVALID_MESSAGE")
        await channel.send(message)


async def params(channel: Channel) -> None:
    await channel.send(channel.parameters or {"literal": True})


async def fail(channel: Channel) -> None:
    if await channel.receive() is not END:
        raise OnPurpose("a secret of the server")


async def stop(channel: Channel) -> None:
    if await channel.receive() is not END:
        channel.stop()
    await channel.send({"stopped": True})


async def drain(channel: Channel) -> None:
    channel.send_control(DRAINING)
    try:
        async with asyncio.timeout(DRAIN_TIME):
            await echo(channel)
    except TimeoutError:
        raise ChannelError("GOING_AWAY") from None  # DRAIN-2


async def mixed(channel: Channel) -> None:
    while await channel.receive() is not END:
        await channel.send(bytes(12))


ROUTES = sorted(
    [
        Route("/conformance/echo", JSON_FORMATS, JSON_FORMATS, echo),
        Route("/conformance/strict", JSON_FORMATS, JSON_FORMATS, strict),
        Route("/conformance/small", JSON_FORMATS, JSON_FORMATS, echo, limit=1024),
        Route("/conformance/params/:name", JSON_FORMATS, JSON_FORMATS, params),
        Route("/conformance/params/literal", JSON_FORMATS, JSON_FORMATS, params),
        Route("/conformance/:kind/below", JSON_FORMATS, JSON_FORMATS, params),
        Route("/conformance/fail", JSON_FORMATS, JSON_FORMATS, fail),
        Route("/conformance/stop", JSON_FORMATS, JSON_FORMATS, stop),
        Route("/conformance/drain", JSON_FORMATS, JSON_FORMATS, drain),
        Route("/conformance/msgpack", MESSAGEPACK_FORMATS, MESSAGEPACK_FORMATS, echo),
        Route("/conformance/bytes", BYTES_FORMATS, BYTES_FORMATS, echo),
        Route("/conformance/sized", SIZED_FORMATS[4], SIZED_FORMATS[4], echo),
        Route("/conformance/record", RECORD_FORMATS, RECORD_FORMATS, echo),
        Route("/conformance/little", LITTLE_FORMATS, JSON_FORMATS, echo),
        Route("/conformance/mixed", SIZED_FORMATS[8], SIZED_FORMATS[12], mixed),
        Route("/conformance/any", JSON_FORMATS + MESSAGEPACK_FORMATS, JSON_FORMATS + MESSAGEPACK_FORMATS, echo),
    ],
    key=Route.specificity,
)


# ---------------------------------------------------------------------------------------------- the process


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0)
    print(json.dumps({"address": "127.0.0.1:%d" % server.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.buffer.read)  # returns when the standard input ends
    server.close()
    Connection.stopping = True
    for connection in Connection.everyone:
        connection.drain()
    channels = {channel.task for connection in Connection.everyone for channel in connection.channels.values()}
    if channels:
        _, late = await asyncio.wait(channels, timeout=DRAIN_TIME)
        for task in late:
            task.cancel()  # DRAIN-2
        if late:
            await asyncio.wait(late, timeout=DRAIN_TIME)


asyncio.run(main())
