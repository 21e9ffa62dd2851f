"""The body of an answer, whole and unpacked, within what an answer may take of memory."""

from __future__ import annotations

import zlib

import httpx

RESPONSE_BYTES_MAX = 16 * 1024 * 1024
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB = 47
"""Window bits by which zlib tells the two formats apart by itself."""


class AnswerTooLarge(Exception):
    """The body is larger than `RESPONSE_BYTES_MAX`, as sent or unpacked."""


async def content(response: httpx.Response) -> bytes:
    """The body of a streamed response.

    Raises `AnswerTooLarge`, and ``httpx.DecodingError`` for a body that is packed more than once or does not unpack to
    its end: half an answer must not pass for a short one. A coding that is not known is left as it is.
    """
    if response.is_stream_consumed:
        # A wire without a network hands the body over whole and unpacked.
        if len(response.content) > RESPONSE_BYTES_MAX:
            raise AnswerTooLarge
        return response.content
    unpacker = _unpacker(response.headers)
    body, sent_bytes = bytearray(), 0
    async for piece in response.aiter_raw():
        sent_bytes += len(piece)
        if unpacker is None:
            body += piece
        else:
            # One byte more than allowed tells that there is more, and is all that a bomb gets.
            body += _unpacked(unpacker, piece, RESPONSE_BYTES_MAX - len(body) + 1)
        if max(len(body), sent_bytes) > RESPONSE_BYTES_MAX:
            raise AnswerTooLarge
    if unpacker is not None and sent_bytes and not unpacker.eof:
        raise httpx.DecodingError("the body ends before its packing does")
    return bytes(body)


def _unpacker(headers: httpx.Headers) -> zlib._Decompress | None:
    named = headers.get("content-encoding", "").lower().split(",")
    packings = [name.strip() for name in named if name.strip() in _PACKED]
    if len(packings) > 1:
        # What unpacks a thousandfold does so a millionfold when it is packed twice.
        raise httpx.DecodingError("the body is packed more than once")
    return zlib.decompressobj(_GZIP_OR_ZLIB) if packings else None


def _unpacked(unpacker: zlib._Decompress, piece: bytes, bytes_max: int) -> bytes:
    try:
        unpacked = unpacker.decompress(piece, bytes_max)
    except zlib.error as error:
        raise httpx.DecodingError("the body is not what it says") from error
    if unpacker.unused_data:
        raise httpx.DecodingError("something follows the packed body")
    return unpacked
