"""How large photos, batches and requests may be, and how much work a server accepts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from enhance.errors import OptionsError


@dataclass(frozen=True)
class Limits:
    """Upper limits for a photo, a batch and a server, each a whole number from 1.

    max_bytes, max_pixels: size of a photo, checked before it is decoded.
    max_output_pixels: size of its result.
    max_seconds: model time for one photo; by default more than any photo within the other limits
        takes on a small CPU.
    max_photos: photos in a batch.
    max_waiting: batches in the queue.
    max_disk_bytes: uploads and results together.
    max_request_bytes: size of one request.
    max_uploads_per_minute, max_upload_bytes_per_minute: from one client address.
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

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Limits:
        """The limits; environment variables such as ENHANCE_MAX_PIXELS change them.

        Raises OptionsError if such a value is no whole number from 1.
        """
        usual = asdict(cls()).items()
        found = {n: whole_number(f"ENHANCE_{n.upper()}", most, environment) for n, most in usual}
        return cls(**found)


def quarter(most: int) -> int:
    """How much one client may have of what is finite, of which there is `most`."""
    return max(1, most // 4)


def whole_number(
    variable: str,
    usual: int,
    environment: Mapping[str, str] = os.environ,
    most: int = 10**15,
) -> int:
    """The value of an environment variable. Raises OptionsError if it is no number from 1 to
    `most`."""
    value = environment.get(variable, str(usual))
    if not (value.isdecimal() and len(value) <= len(str(most)) and 1 <= int(value) <= most):
        raise OptionsError(
            "{variable} must be a whole number from 1 to {most}, not {value!r}.",
            variable=variable,
            most=most,
            value=value,
        )
    return int(value)
