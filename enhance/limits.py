"""How large photos, batches and requests may be, and how much a server takes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a photo, a batch and a server may be asked for. All are whole numbers from 1.

    max_bytes, max_pixels: of a photo, checked before it is decoded. max_output_pixels: of its
    result. max_seconds: at the model, for one photo; the default is more than any photo within
    the other limits takes on a small CPU. max_photos: of a batch. max_waiting: batches.
    max_disk_bytes: uploads and results together. max_request_bytes: uploaded at once.
    max_uploads_per_minute, max_upload_bytes_per_minute: of one client's address.
    """

    max_bytes: int = 100_000_000
    max_pixels: int = 64_000_000
    max_output_pixels: int = 300_000_000
    max_seconds: int = 4 * 3600
    max_photos: int = 500
    max_waiting: int = 64
    max_disk_bytes: int = 50_000_000_000
    max_request_bytes: int = 4_000_000_000
    max_uploads_per_minute: int = 1200
    max_upload_bytes_per_minute: int = 8_000_000_000
