"""Text of an error of a call, in the terms of the command line."""

from __future__ import annotations

from kfq_async.cli.terminal import print_error
from kfq_async.errors import ApiError, KfqError
from kfq_async.languages import gettext, translate
from kfq_async.redaction import printable

__all__ = ["print_call_error"]

MAX_MESSAGE = 500
"""Maximum number of characters that are shown of a message of the platform."""
IN_COMMANDS = {
    ", in full in error.message.raw": ", in full with --show-message",
    ", whose message is in error.message.raw": ", whose message --show-message prints",
    ", see error.code": "",
    "pass allow_unfinished=True to download": "add --allow-unfinished to download",
    "withdraw it with session.contracts.recall": "withdraw it with `kfq contract recall`",
    "call session.contracts.tasks instead": "run `kfq contract status` instead",
}
"""Advice of the library by its Python, and the same by commands and options."""


def print_call_error(error: KfqError, *, show_message: bool) -> None:
    """Print name and text of an error, and with ``show_message`` the message of the platform, which may be personal."""
    text = str(error)
    for python, command in IN_COMMANDS.items():
        text = text.replace(python, command)
    print_error(f"{type(error).__name__}: {translate(text)}")
    cause = getattr(error, "original_error", error)
    if show_message and isinstance(cause, ApiError) and cause.message:
        print_error(gettext("message of the platform: {message}", message=printable(cause.message.raw, MAX_MESSAGE)))
