"""What environment variables say: numbers and limits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict

from enhance.errors import OptionsError
from enhance.i18n import say
from enhance.limits import Limits


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
            say(
                "{variable} must be a whole number from 1 to {most}, not {value!r}.",
                variable=variable,
                most=most,
                value=value,
            )
        )
    return int(value)


def limits(environment: Mapping[str, str] = os.environ) -> Limits:
    """The limits; environment variables such as ENHANCE_MAX_PIXELS change them.

    Raises OptionsError if such a value is no whole number from 1.
    """
    usual = asdict(Limits())
    return Limits(
        **{
            name: whole_number(f"ENHANCE_{name.upper()}", value, environment)
            for name, value in usual.items()
        }
    )
