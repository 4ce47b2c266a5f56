"""Options shared by several commands, and the error for invalid use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from ssl import SSLContext, SSLError, create_default_context
from typing import Annotated, TypedDict, Unpack

import cyclopts
from attrs import field, frozen
from cyclopts import Parameter

from kfq_async.config import Timeouts
from kfq_async.languages import gettext, translate
from kfq_async.models.fields import repr_masked
from kfq_async.models.masking import MaskedStr
from kfq_async.session import HOSTED, AsyncSession

__all__ = [
    "DEFAULT_BASE_URL",
    "DEFAULT_CALL",
    "DEFAULT_CONNECTION",
    "BaseUrl",
    "CallConnection",
    "CallOptions",
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
Proxy = Annotated[str | None, Parameter(name="--proxy", env_var="KFQ_PROXY", show_default=False, converter=_as_masked)]
"""URL of an HTTP proxy, with its password."""
BaseUrl = Annotated[str, Parameter(name="--base-url", env_var="KFQ_BASE_URL")]
"""Base URL of the platform, including the context path."""
JsonOutput = Annotated[bool, Parameter(name="--json", negative=(), show_default=False)]
"""Print JSON instead of text."""
Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
"""Switch that is off by default."""


class UsageError(Exception):
    """Invalid use of a command; the message says how to correct it. Leads to exit status 2."""


def _as_masked_text(value: object) -> MaskedStr | None:
    return None if value is None else MaskedStr(str(value))


def _as_masked_token(value: Token) -> MaskedStr | None:  # attrs takes the annotation, with the option's name, from here
    return _as_masked_text(value)


def _as_masked_proxy(value: Proxy) -> MaskedStr | None:
    return _as_masked_text(value)


class SessionSettings(TypedDict, total=False):
    """Settings of a session that a command chooses."""

    concurrency: int
    timeouts: Timeouts


@frozen(kw_only=True)
class ConnectionOptions:
    """Options of the commands that call the platform.

    Parameters
    ----------
    token
        appAuthToken of your enterprise.
    base_url
        Base URL of the platform, including the context path; `kfq sandbox` prints its own.
    proxy
        HTTP proxy, such as http://host:3128; a password is safer in KFQ_PROXY than on the command line.
    ca_file
        File of certificates (PEM) that are trusted besides those of the system, such as that of your own CA.
    trust_env
        Use the proxy of the environment (https_proxy, http_proxy, all_proxy, no_proxy).
    json_
        Print JSON instead of text.
    """

    token: Token = field(default=None, converter=_as_masked_token, repr=repr_masked)
    base_url: BaseUrl = DEFAULT_BASE_URL
    proxy: Proxy = field(default=None, converter=_as_masked_proxy, repr=repr_masked)
    ca_file: Annotated[Path | None, Parameter(env_var="KFQ_CA_FILE")] = None
    trust_env: Annotated[bool, Parameter(env_var="KFQ_TRUST_ENV", negative=(), show_default=False)] = False
    json_: JsonOutput = False

    def require_token(self) -> str:
        """Return the token; raise `UsageError` if there is none."""
        if not self.token:
            raise UsageError(gettext("the appAuthToken is missing; give --token or set KFQ_APP_AUTH_TOKEN"))
        return self.token

    def tls_context(self) -> SSLContext:
        """Return the TLS context; raise `UsageError` if the file of certificates cannot be used."""
        context = create_default_context()
        if self.ca_file is not None:
            try:
                context.load_verify_locations(self.ca_file)
            except OSError as error:  # SSLError, too
                reason = gettext("it holds no certificate (PEM)") if isinstance(error, SSLError) else error.strerror
                text = gettext("--ca-file {path}: {reason}", path=self.ca_file, reason=translate(reason))
                raise UsageError(text) from None
        return context

    def create_session(self, token: str, **settings: Unpack[SessionSettings]) -> AsyncSession:
        """Return a session with the platform; raise `UsageError` if an option is invalid."""
        ssl = None if self.ca_file is None else self.tls_context()
        try:
            return AsyncSession(
                token, base_url=self.base_url, proxy=self.proxy, ssl=ssl, trust_env=self.trust_env, **settings
            )
        except ValueError as error:
            raise UsageError(str(error)) from None


@frozen(kw_only=True)
class CallOptions(ConnectionOptions):
    """Options of the commands that print the error of a call.

    Parameters
    ----------
    show_message
        If the platform reports an error, print its whole message, which may hold personal data. JSON never has it.
    """

    show_message: Flag = False


Connection = Annotated[ConnectionOptions, Parameter(name="*")]
"""Options of a command that calls the platform."""
DEFAULT_CONNECTION = ConnectionOptions()
CallConnection = Annotated[CallOptions, Parameter(name="*")]
"""Options of a command that prints the error of a call."""
DEFAULT_CALL = CallOptions()
