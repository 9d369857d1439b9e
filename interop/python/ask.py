"""Sends its arguments as messages to a chat, then prints the received messages."""

import json
import struct
import sys

import httpx

JSON = "application/vnd.h2channel+json"


# #region frames
def frames(texts):
    for text in texts:
        payload = json.dumps({"text": text}).encode()
        yield struct.pack(">I", len(payload)) + payload


def payloads(chunks, limit=4 * 1024 * 1024):
    buffer = b""
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= 4:
            (length,) = struct.unpack_from(">I", buffer)
            if length > limit:
                raise ValueError(f"a frame of {length} bytes")
            if len(buffer) < 4 + length:
                break
            yield buffer[4 : 4 + length]
            buffer = buffer[4 + length :]
    if buffer:
        raise EOFError("the stream ended inside a frame")


# #endregion

url, *texts = sys.argv[1:]
headers = {"content-type": JSON, "accept": JSON}
with (
    httpx.Client(http1=False, http2=True, timeout=None) as client,
    client.stream("POST", url, headers=headers, content=frames(texts)) as response,
):
    if response.status_code != 200 or response.headers.get("content-type") != JSON:
        sys.exit(f"refused: {response.status_code}")
    for payload in payloads(response.iter_bytes()):
        heard = json.loads(payload)
        print(f"{heard['from']}: {heard['text']}")
