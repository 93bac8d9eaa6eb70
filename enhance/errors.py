"""What is told to the person at the page or the terminal, in one tree.

EnhanceError
├── OptionsError        an option is out of its range
├── PhotoError          this photo cannot be used; the sentence names it
│   ├── UnreadablePhoto     empty, corrupt or not an image
│   ├── UnsupportedPhoto    an image of a kind that is not handled
│   └── PhotoTooLarge       more bytes or pixels than the limits allow
├── WeightsError        model weights cannot be used
│   ├── WeightsMissing      not on this machine
│   └── WeightsInvalid      truncated, altered or of another model
├── ModelFailed         a model gave values that are no numbers
├── NotSaved            a result could not be written
├── LayersDamaged       what was kept of a photo cannot be used
├── Busy                too many people are waiting already
├── TooManyPhotos       a batch has more photos than the limits allow
├── NoRoom              the disk holds as much as the limits allow
├── TookTooLong         a photo kept the model busy longer than the limits allow
├── OutOfMemory         the device ran out of memory at the smallest size tried
├── ReplicaLost         what worked on a photo ended, again and again
└── Cancelled           the work was stopped on request

Messages are whole sentences.
"""

from __future__ import annotations

from enhance.i18n import Sentence, say


class EnhanceError(Exception):
    """Base of all errors of this package. `str` of one is its message in English."""

    @property
    def sentence(self) -> str:
        """The message; a Sentence, which can be translated, if it was raised with one."""
        first = self.args[0] if self.args else None
        return first if isinstance(first, Sentence) else str(self)


class OptionsError(EnhanceError, ValueError):
    """An option is out of its range; the message says which and what is allowed."""


class PhotoError(EnhanceError):
    """A photo cannot be used; the message names it and says what to do."""


class UnreadablePhoto(PhotoError):
    """The file is empty, corrupt or not an image."""


class UnsupportedPhoto(PhotoError):
    """The file is an image of a kind that is not handled."""


class PhotoTooLarge(PhotoError):
    """The photo has more bytes or pixels than the limits allow."""


class WeightsError(EnhanceError):
    """Model weights cannot be used."""


class WeightsMissing(WeightsError):
    """Model weights are not on this machine; the message says how to get them."""


class WeightsInvalid(WeightsError):
    """A weight file is truncated, altered or belongs to another model."""


class ModelFailed(EnhanceError):
    """A model gave infinite values, or none that are numbers, in fp32 too."""


class NotSaved(EnhanceError):
    """The disk, or the store, did not take a result; the message says why."""

    @classmethod
    def because(cls, name: str, error: OSError) -> NotSaved:
        """The error for the photo of that name."""
        reason = error.strerror or str(error)
        return cls(say("“{name}” could not be saved: {reason}.", name=name, reason=reason))


class LayersDamaged(EnhanceError):
    """What was kept of a photo is damaged or belongs to another photo."""


class Busy(EnhanceError):
    """Too many people are waiting already; the message says what to do."""


class TooManyPhotos(EnhanceError):
    """A batch has more photos than the limits allow; the message says how many may be sent."""


class NoRoom(EnhanceError):
    """Uploads and results take as much of the disk as the limits allow."""


class TookTooLong(EnhanceError):
    """A photo kept the model busy for longer than the limits allow."""


class OutOfMemory(EnhanceError):
    """The device ran out of memory even at the smallest tile or batch."""


class ReplicaLost(EnhanceError):
    """Each replica that worked on a photo came to an end before it was finished."""


class Cancelled(EnhanceError):
    """The work was stopped on request before it was finished."""
