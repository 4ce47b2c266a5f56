"""Options shared by several commands, and the error for invalid use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import cyclopts
from attrs import field, frozen
from cyclopts import Parameter

from kfq_async.languages import gettext
from kfq_async.models.fields import repr_masked
from kfq_async.models.masking import MaskedStr
from kfq_async.session import HOSTED

__all__ = [
    "DEFAULT_BASE_URL",
    "DEFAULT_CONNECTION",
    "BaseUrl",
    "Connection",
    "ConnectionOptions",
    "Contact",
    "Flag",
    "JsonOutput",
    "Token",
    "UsageError",
]

DEFAULT_BASE_URL = HOSTED


def _as_masked(_: object, tokens: Sequence[cyclopts.Token]) -> MaskedStr:
    return MaskedStr(tokens[0].value)


Token = Annotated[
    str | None,
    Parameter(name="--token", env_var="KFQ_APP_AUTH_TOKEN", show_default=False, converter=_as_masked),
]
"""appAuthToken of the enterprise."""
Contact = Annotated[str, Parameter(converter=_as_masked)]
"""Account of a person: mobile number or e-mail address."""
BaseUrl = Annotated[str, Parameter(name="--base-url", env_var="KFQ_BASE_URL")]
"""Base URL of the platform, including the context path."""
JsonOutput = Annotated[bool, Parameter(name="--json", negative=(), show_default=False)]
"""Print JSON instead of text."""
Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
"""Switch that is off by default."""


class UsageError(Exception):
    """Invalid use of a command; the message says how to correct it. Leads to exit status 2."""


def _as_masked_token(value: Token) -> MaskedStr | None:  # attrs takes the annotation, with the option's name, from here
    return None if value is None else MaskedStr(value)


@frozen(kw_only=True)
class ConnectionOptions:
    """Options of the commands that call the platform.

    Parameters
    ----------
    token
        appAuthToken of your enterprise.
    base_url
        Base URL of the platform, including the context path; `kfq sandbox` prints its own.
    json_
        Print JSON instead of text.
    """

    token: Token = field(default=None, converter=_as_masked_token, repr=repr_masked)
    base_url: BaseUrl = DEFAULT_BASE_URL
    json_: JsonOutput = False

    def require_token(self) -> str:
        """Return the token; raise `UsageError` if there is none."""
        if not self.token:
            raise UsageError(gettext("the appAuthToken is missing; give --token or set KFQ_APP_AUTH_TOKEN"))
        return self.token


Connection = Annotated[ConnectionOptions, Parameter(name="*")]
"""Options of a command that calls the platform."""
DEFAULT_CONNECTION = ConnectionOptions()
