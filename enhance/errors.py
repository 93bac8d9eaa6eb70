"""The errors that a user can see, on the page or in the terminal, as one tree.

EnhanceError
├── OptionsError        an option is out of its range
├── PhotoError          this photo cannot be used; the sentence names it
│   ├── UnreadablePhoto     empty, corrupt or not an image
│   ├── UnsupportedPhoto    an image of a kind that is not supported
│   └── PhotoTooLarge       more bytes or pixels than the limits allow
├── WeightsError        model weights cannot be used
│   ├── WeightsMissing      not on this machine
│   └── WeightsInvalid      truncated, altered or of another model
├── ModelFailed         a model produced infinities or NaNs
├── NotSaved            a result could not be written
├── LayersDamaged       the layers stored for a photo cannot be used
├── TooManyPhotos       a batch has more photos than the limits allow
├── NoRoom              uploads and results fill the disk space that the limits allow
├── TookTooLong         a photo kept the model busy longer than the limits allow
├── OutOfMemory         the device ran out of memory at the smallest size tried
├── ReplicaLost         every replica that tried a photo died
├── PoolGone            there is no pool on the Ray cluster
└── Cancelled           the work was stopped on request

Messages are complete sentences that can be translated; each stands where its error is raised: those
about a photo's file in `photos/decoding.py`.
"""

from __future__ import annotations

from enhance.i18n import Sentence


class EnhanceError(Exception):
    """Base class of this package's errors. `str(error)` is the message in English."""

    def __init__(self, message: str = "", /, **values: object) -> None:
        """message: a Sentence, or the literal template of one, with its values; see `say`."""
        super().__init__(message if isinstance(message, Sentence) else Sentence(message, values))

    @property
    def sentence(self) -> Sentence:
        """The message; also of an error that a decoder's process has made up."""
        said = self.args[0] if self.args else ""
        return said if isinstance(said, Sentence) else Sentence("{said}", {"said": str(said)})


class OptionsError(EnhanceError, ValueError):
    """An option is out of its range; the message says which and what is allowed."""


class PhotoError(EnhanceError):
    """A photo cannot be used; the message names it and says what to do."""


class UnreadablePhoto(PhotoError):
    """The file is empty, corrupt or not an image."""

    @classmethod
    def because(cls, name: str, error: OSError) -> UnreadablePhoto:
        """The error about the photo called `name`."""
        reason = error.strerror or str(error) or type(error).__name__
        return cls("“{name}” cannot be read: {reason}.", name=name, reason=reason)


class UnsupportedPhoto(PhotoError):
    """The file is an image of a kind that is not supported."""


class PhotoTooLarge(PhotoError):
    """The photo has more bytes or pixels than the limits allow."""


class WeightsError(EnhanceError):
    """Model weights cannot be used."""


class WeightsMissing(WeightsError):
    """Model weights are not on this machine; the message says how to get them."""


class WeightsInvalid(WeightsError):
    """A weight file is truncated, altered or belongs to another model."""


class ModelFailed(EnhanceError):
    """A model produced infinities or NaNs, even in fp32."""


class NotSaved(EnhanceError):
    """A result could not be written to the disk or the object store; the message says why."""

    @classmethod
    def because(cls, name: str, error: OSError) -> NotSaved:
        """The error about the photo called `name`."""
        reason = error.strerror or str(error)
        return cls("“{name}” could not be saved: {reason}.", name=name, reason=reason)


class LayersDamaged(EnhanceError):
    """The layers stored for a photo are damaged or belong to another photo."""


class TooManyPhotos(EnhanceError):
    """A batch has more photos than the limits allow; the message says how many may be sent."""


class NoRoom(EnhanceError):
    """Uploads and results already use all the disk space that the limits allow."""


class TookTooLong(EnhanceError):
    """A photo kept the model busy for longer than the limits allow."""


class OutOfMemory(EnhanceError):
    """The device ran out of memory even at the smallest tile or batch."""


class ReplicaLost(EnhanceError):
    """Every replica that worked on a photo died before finishing it."""


class PoolGone(EnhanceError):
    """There is no pool on the Ray cluster, or it was taken down; the message says what to do."""


class Cancelled(EnhanceError):
    """The work was stopped on request before it was finished."""
