"""Texts and a number whose ``str()`` is a name: members of enumerations without `enum.StrEnum`."""

from __future__ import annotations

from enum import Enum

__all__ = ["NamedNumber", "NamedText"]


class NamedText(str, Enum):  # noqa: UP042  # programs before Python 3.11 have many of them
    """Texts; ``str(NamedText.TOKEN)`` is ``NamedText.TOKEN``."""

    TOKEN = "app-token"
    METHOD = "POST"
    PATH = "/auth/other"
    BASE_URL = "https://h.example/resrun-paas"
    HEADER = "X-Trace"


class NamedNumber(int, Enum):
    """Numbers."""

    FIVE = 5
