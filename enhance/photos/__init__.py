"""Photos in and out of files: decode to pixels, encode back, and carry what is not pixels.

Pillow (with pillow-heif) reads and writes; tifffile, OpenCV and a small PNG writer step in where a
file has 16 bits a channel, which Pillow would cut to 8. Files that somebody sent are read by
`DECODER`, in worker processes; `decode`, `preview` and `size_of` are what happens there.
"""

from enhance.photos.decoding import decode, read
from enhance.photos.encoding import encode
from enhance.photos.formats import EXTENSIONS, browser_shows
from enhance.photos.names import output_stem
from enhance.photos.previews import preview, size_of
from enhance.photos.worker_pool import DECODER, Decoder

__all__ = [
    "DECODER",
    "EXTENSIONS",
    "Decoder",
    "browser_shows",
    "decode",
    "encode",
    "output_stem",
    "preview",
    "read",
    "size_of",
]
