"""Options that several commands share, and the errors of wrong use."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from kfq_async.session import HOSTED

__all__ = ["DEFAULT_BASE_URL", "BaseUrl", "JsonOutput", "Token", "UsageError", "plain"]

DEFAULT_BASE_URL = HOSTED

Token = Annotated[str | None, Parameter(name="--token", env_var="KFQ_APP_AUTH_TOKEN", show_default=False)]
"""The enterprise's appAuthToken."""
BaseUrl = Annotated[str, Parameter(name="--base-url", env_var="KFQ_BASE_URL")]
"""Where the platform is, context path included."""
JsonOutput = Annotated[bool, Parameter(name="--json", negative=())]
"""Print JSON instead of lines."""


def plain(text: str) -> str:
    """Return text as one line, in which a blank stands for whatever would command a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


class UsageError(Exception):
    """The command was used wrongly; its text says how to use it. Ends in exit status 2."""
