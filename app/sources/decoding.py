"""Unpacks the body of an answer in bounded steps, so that a few bytes that unpack to gigabytes never stand in memory."""

import zlib
from collections.abc import Iterable, Iterator

import urllib3

from ..errors import SourceError

ACCEPTED = "gzip, deflate"
_STEP_BYTES = 1 << 18  # the most that comes out at once
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_ZLIB_METHOD = 8  # in the low half of the first byte; some servers send as deflate a raw stream, which has no header


def decoded(chunks: Iterable[bytes], encoding: str, url: str) -> Iterator[bytes]:
    """The body in small chunks. Raises SourceError for an encoding that was not asked for, urllib3's DecodeError for garbage."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        yield from chunks
    elif name in ("gzip", "x-gzip", "deflate"):
        yield from _unpacked(chunks, is_gzip=name != "deflate")
    else:
        raise SourceError(f"{url}: the answer is packed as {encoding[:80]!r}", hint=f"only {ACCEPTED} was asked for")


def _unpacked(chunks: Iterable[bytes], *, is_gzip: bool) -> Iterator[bytes]:
    stream = None
    try:
        for chunk in chunks:
            left = chunk if stream is None or not stream.eof else b""  # what follows the end of deflate is passed over
            while left:
                if stream is None:
                    kind = _GZIP if is_gzip else _ZLIB if left[0] & 0x0F == _ZLIB_METHOD else _RAW
                    stream = zlib.decompressobj(kind)
                if out := stream.decompress(left, _STEP_BYTES):
                    yield out
                left = stream.unconsumed_tail
                if stream.eof:
                    left, stream = (stream.unused_data, None) if is_gzip else (b"", stream)  # gzip may have several members
            while stream is not None and not stream.eof and (out := stream.decompress(b"", _STEP_BYTES)):
                yield out
    except zlib.error as error:
        raise urllib3.exceptions.DecodeError(f"the packed body can't be read: {error}") from error
    if stream is not None and not stream.eof:
        raise urllib3.exceptions.DecodeError("the packed body is cut")
