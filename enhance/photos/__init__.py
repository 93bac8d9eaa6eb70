"""Photo files: decode them to pixels, encode pixels, and preserve everything that is not pixels.

Pillow (with pillow-heif) reads and writes most files; imagecodecs and tifffile handle 16 bits per
channel, which Pillow would reduce to 8. Files from users are read by `DECODER` in worker processes,
which call `decode` and `size_of`.
"""

from enhance.photos.decoding import decode, read
from enhance.photos.encoding import encode, expected_extension
from enhance.photos.formats import EXTENSIONS, browser_shows, size_of
from enhance.photos.worker_pool import DECODER, Decoder

__all__ = [
    "DECODER",
    "EXTENSIONS",
    "Decoder",
    "browser_shows",
    "decode",
    "encode",
    "expected_extension",
    "read",
    "size_of",
]
