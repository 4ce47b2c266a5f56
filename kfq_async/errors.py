"""Exceptions of the package. The text of each is one line, without secrets or personal data.

KfqError
├── EncodeError (ValueError)         the request cannot be written as JSON
├── SessionError (RuntimeError)      the session is closed, or belongs to another event loop or process
├── SignerError                      the signer failed
├── DraftRefused (ValueError)        the draft of a contract cannot be built
├── FileRefused (ValueError)         the file cannot be uploaded
│   └── FileChanged                  the file changed during the call
├── TransportError                   no complete response was received
│   ├── ConnectError                 no connection was established
│   │   ├── ConnectTimeout (TimeoutError)  connect timeout expired
│   │   ├── CertificateError         TLS handshake failed
│   │   └── ProxyError               the proxy refused the connection
│   ├── PoolTimeout (TimeoutError)   total timeout expired while the call was queued
│   ├── AttemptTimeout (TimeoutError)  attempt timeout expired
│   │   └── StallTimeout             no byte of a file was read, sent or received for too long
│   ├── TotalTimeout (TimeoutError)  total timeout expired during an attempt, or a wait
│   ├── ConnectionLost               the connection was lost before the response was complete
│   └── GatewayError                 a proxy responded with HTTP 502, 503 or 504
├── UnexpectedResponse               the response is not one of the platform's
├── DecodeError                      the platform reported success, but the result is invalid
├── ApiError                         the platform reported an error
│   ├── CredentialsError             token missing or invalid, or its developer disabled
│   ├── ParameterError               a field is missing, blank or malformed
│   ├── SignatureError               the signature was refused
│   │   ├── ClockError               the timestamp is out of range
│   │   └── NonceError               the nonce was used before
│   ├── BusinessError                refused by a rule of the platform
│   ├── TooFrequentError             rate limit exceeded; the call was not executed
│   ├── NotFoundError                the platform does not have this operation
│   ├── HiddenErrorPage              the platform's login filter answered in place of its error page
│   └── ServerError                  internal failure of the platform
├── OutcomeUnknown                   a write that must not be retried blindly may have taken effect
├── TasksUnavailable                 the operation took effect, but the contract's tasks could not be read
├── FileNotWritten (OSError)         a download cannot be written to the disk
├── ContractStateError               the contract's state does not allow it
│   ├── ContractStuck                the platform reported success, but nobody can act on the contract
│   ├── ContractCompleted            the contract is complete, and can no longer be changed or withdrawn
│   ├── ContractEnded                the contract ended otherwise than it was meant to
│   └── ContractUnfinished           the contract to download is not complete
├── OnboardingError                  the batch of companies cannot continue
│   ├── SourceError (ValueError)     the input file cannot be read, or lacks required data
│   ├── LedgerError                  the ledger cannot be used
│   └── RunPaused                    a systemic failure; the remaining rows were not sent
└── CallbackRejected                 an incoming notification was rejected
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from kfq_async.base_errors import DraftRefused, KfqError, Phase
from kfq_async.models.contracts import ContractStatus
from kfq_async.models.masking import MaskedStr
from kfq_async.redaction import printable, redact

if TYPE_CHECKING:
    from pathlib import PurePath

    from kfq_async.models.contracts import ContractTasks

__all__ = [
    "ApiError",
    "AttemptTimeout",
    "BusinessError",
    "CallbackRejected",
    "CertificateError",
    "ClockError",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionLost",
    "ContractCompleted",
    "ContractEnded",
    "ContractStateError",
    "ContractStuck",
    "ContractUnfinished",
    "CredentialsError",
    "DecodeError",
    "DraftRefused",
    "EncodeError",
    "FileChanged",
    "FileNotWritten",
    "FileRefused",
    "GatewayError",
    "HiddenErrorPage",
    "KfqError",
    "LedgerError",
    "NonceError",
    "NotFoundError",
    "OnboardingError",
    "OutcomeUnknown",
    "ParameterError",
    "Phase",
    "PlatformMessage",
    "PoolTimeout",
    "ProxyError",
    "RejectionReason",
    "RunPaused",
    "ServerError",
    "SessionError",
    "SignatureError",
    "SignerError",
    "SourceError",
    "StallTimeout",
    "TasksUnavailable",
    "TooFrequentError",
    "TotalTimeout",
    "TransportError",
    "UnexpectedResponse",
]

_MAX_DETAIL = 500
"""Maximum number of characters that the text takes over from elsewhere, such as a problem of a response."""
_MAX_CODE = 999_999
"""Largest error code of the platform (protocol section 2.2); a larger number is none, and could be anything."""


class EncodeError(KfqError, ValueError):
    """The request cannot be written as JSON; correct the field that the text names. Nothing was sent."""


class SessionError(KfqError, RuntimeError):
    """The session is closed, or belongs to another event loop or process; create one per event loop and process."""


class SignerError(KfqError):
    """The session's ``signer`` raised, or returned anything but printable ASCII; the attempt was not sent.

    The text names the class of its exception only: the traceback would show the request.
    """


class FileRefused(KfqError, ValueError):
    """The file cannot be uploaded: unreadable, or such that the platform would refuse it.

    The text names the file and what is wrong with it; only its name is shown, and nothing of its contents. The attempt
    sent nothing; ``phase`` is ``sent`` if an earlier attempt of the call may have arrived.
    """


class FileChanged(FileRefused):
    """The file changed between the beginning of the call and its last attempt, or while it was being sent.

    The attempt was ended before its last byte, so it stored nothing; ``phase`` is ``sent`` if an earlier attempt of the
    call may have arrived. Upload the file again once no program writes to it.
    """


class TransportError(KfqError):
    """No complete response was received; ``phase`` tells whether the platform may have acted."""


class ConnectError(TransportError):
    """No connection was established and nothing was sent; check host, port and network, then retry."""


class ConnectTimeout(ConnectError, TimeoutError):
    """``Timeouts.connect`` expired and nothing was sent; check host, port and network, or allow more time."""


class CertificateError(ConnectError):
    """The TLS handshake failed and nothing was sent; pass the right CA as ``ssl`` or correct the host's certificate."""


class ProxyError(ConnectError):
    """The proxy refused to connect to the platform, and nothing was sent; check its URL, user and password.

    Attributes:
        http_status: HTTP status of the proxy's response, such as 407.
    """

    def __init__(self, text: str, *, http_status: int) -> None:
        super().__init__(text)
        self.http_status = http_status


class PoolTimeout(TransportError, TimeoutError):
    """``Timeouts.total`` expired while the call was queued; allow more time, or start fewer calls at once."""


class AttemptTimeout(TransportError, TimeoutError):
    """``Timeouts.attempt`` expired before the response was complete.

    ``phase`` tells whether the platform may have acted.
    """


class StallTimeout(AttemptTimeout):
    """No byte of a file travelled, or came from its source, for ``Timeouts.stall`` seconds.

    Check the network and the source, or allow more time.
    """


class TotalTimeout(TransportError, TimeoutError):
    """``Timeouts.total`` expired during an attempt; ``phase`` tells whether the platform may have acted.

    Or the ``total`` of ``session.contracts.wait`` expired, which changes nothing: wait again.

    Attributes:
        tasks: State and open tasks that a wait has seen last, as `ContractTasks`; ``None`` if it has seen none, and for
            a call.
    """

    tasks: ContractTasks | None = None
    """State and open tasks that a wait has seen last, as `ContractTasks`; ``None`` if it has seen none, and for a
    call."""

    def __init__(self, text: str, *, phase: Phase = Phase.NOT_SENT, tasks: ContractTasks | None = None) -> None:
        super().__init__(text, phase=phase)
        self.tasks = tasks

    @classmethod
    def of_wait(cls, total: float | None, tasks: ContractTasks | None, failure: KfqError | None) -> Self:
        """Return the error of a wait: its ``total``, what it has seen last, and the error of its last look."""
        moment = "before the contract could be looked at"
        if tasks is not None:
            moment = f"while the contract was {_name_status(tasks)} with {_count_tasks(tasks)}"
        cause = "" if failure is None else f"; the last look failed ({type(failure).__name__}: {failure.args[0]})"
        phase = Phase.SENT if tasks is None else Phase.ANSWERED
        return cls(f"total timeout ({total} s) expired {moment}{cause}", phase=phase, tasks=tasks)


class ConnectionLost(TransportError):
    """The connection was lost before the response was complete; the platform may have acted."""


class GatewayError(TransportError):
    """A proxy responded with HTTP 502, 503 or 504 in place of the platform; the platform may have acted.

    Attributes:
        http_status: HTTP status of the response.
        retry_after: ``Retry-After`` of the response, in seconds; ``None`` if it had none.
    """

    def __init__(self, http_status: int, *, retry_after: float | None = None) -> None:
        super().__init__(f"a gateway responded with HTTP {http_status} instead of the platform", phase=Phase.SENT)
        self.http_status = http_status
        self.retry_after = retry_after


class UnexpectedResponse(KfqError):
    """The response is not one of the platform's; the text describes it and names the setting to check.

    Attributes:
        http_status: HTTP status of the response.
    """

    def __init__(self, text: str, *, http_status: int, phase: Phase = Phase.SENT) -> None:
        super().__init__(text, phase=phase)
        self.http_status = http_status


class DecodeError(KfqError):
    """The platform reported success, but a key of the result is missing or has the wrong type.

    The operation has taken effect.

    Attributes:
        problems: One text per problem, ``<problem> @ <path>``, such as ``required key missing @ $.result.orderNo``.
    """

    def __init__(self, problems: tuple[str, ...], *, phase: Phase = Phase.ANSWERED) -> None:
        self.problems: tuple[str, ...] = tuple(printable(problem, _MAX_DETAIL) for problem in problems)
        super().__init__("the result is unreadable: " + "; ".join(self.problems), phase=phase)


class PlatformMessage(MaskedStr):
    """A message of the platform as received, which may hold personal data.

    It is a ``str`` with that text, also for ``==``, ``in`` and JSON, but printing it (``str()``, ``format``, ``%s``)
    shows no more than the text of an error does: Sentry (from 2.45 on) prints ``error.message`` in place of the error.

    Attributes:
        raw: The message as a plain ``str``.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return redact(self.raw) or "…"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    @property
    def raw(self) -> str:
        """The message as a plain ``str``."""
        return str.__str__(self)


class ApiError(KfqError):
    """The platform reported an error; ``code`` and ``message`` are its own.

    ``str()`` shows the code with its meaning, and of the message only words that are known to be harmless.

    Args:
        meaning: Meaning of the code in English, for the text.
        hint: Advice to append to the text.

    Attributes:
        code: Error code of the platform (protocol section 2); ``None`` if the response has none.
        message: `PlatformMessage`, which may hold personal data: as received, but that of an unhandled failure ends
            before it repeats the request (protocol section 2.5). ``None`` if the response has none.
        http_status: HTTP status of the response.
        retry_after: ``Retry-After`` of the response, in seconds; ``None`` if it had none.
        envelope: `Envelope` of the response; ``None`` if it had none.
    """

    code: int | None
    """Error code of the platform (protocol section 2); ``None`` if the response has none."""
    message: PlatformMessage | None
    """`PlatformMessage`, which may hold personal data: as received, but that of an unhandled failure ends before it
    repeats the request (protocol section 2.5). ``None`` if the response has none."""
    http_status: int
    """HTTP status of the response."""
    retry_after: float | None = None
    """``Retry-After`` of the response, in seconds; ``None`` if it had none."""
    envelope: Any = None
    """`Envelope` of the response; ``None`` if it had none."""

    def __init__(
        self,
        code: int | None,
        message: str | None,
        *,
        http_status: int,
        meaning: str = "",
        hint: str = "",
    ) -> None:
        text = f"the platform reported {_name_code(code)}{f' ({meaning})' if meaning else ''}{_quote(message)}"
        super().__init__(f"{text}. {hint}" if hint else text, phase=Phase.ANSWERED)
        self.code = code
        self.message = None if message is None else PlatformMessage(message)
        self.http_status = http_status


def _name_code(code: int | None) -> str:
    if code is None:
        return "an error without a code"
    return f"error {code}" if 0 <= code <= _MAX_CODE else "an error with an unknown code, see error.code"


def _quote(message: str | None) -> str:
    """Return what may be shown of a message, and where the rest is."""
    if not message:
        return ""
    shown = redact(message)
    if shown == message:
        return f" “{shown}”"
    return f" “{shown}”, in full in error.message.raw" if shown else ", whose message is in error.message.raw"


class CredentialsError(ApiError):
    """The token is missing or invalid, or its developer is disabled; check it, a retry cannot help.

    Codes 40000, 41000 and 42000. A token of more than 64 characters is not refused so, but ends in `HiddenErrorPage`.
    """


class ParameterError(ApiError):
    """A field is missing, blank, too long or malformed, or refers to something that does not exist; correct it."""


class SignatureError(ApiError):
    """The signature was refused; check the private key and the choice of signer."""


class ClockError(SignatureError):
    """The timestamp is out of range, even after one correction of the clock; check this machine's clock."""


class NonceError(SignatureError):
    """The nonce was used before: an earlier copy of the request may have been accepted, so check before retrying."""


class BusinessError(ApiError):
    """Refused by a rule of the platform; ``message`` gives the reason."""


class TooFrequentError(ApiError):
    """Rate limit exceeded; the call was not executed and can be retried later."""


class NotFoundError(ApiError):
    """The platform does not have this operation or method; check ``base_url`` and the platform's edition."""


class HiddenErrorPage(ApiError):
    """The platform's login filter answered in place of its error page, with HTTP 401 (protocol section 1.5).

    Its message speaks of the token, but a refused token is a `CredentialsError`. It means one of: the operation does
    not exist on this platform, such as those under ``auth/`` on a self-hosted one, or its path is mistyped; the rate
    limit is exceeded; the token has more than 64 characters; or an operation that was begun has failed inside the
    platform, and may have left something behind. The text names what is possible for the operation. With an
    ``operator_account`` the platform reports some of these failures in words.
    """


class ServerError(ApiError):
    """Internal failure of the platform; it may have acted, so check before retrying a write."""


class OutcomeUnknown(KfqError):
    """The operation cannot be retried safely and may have taken effect; check the platform before retrying.

    Attributes:
        original_error: Error that left the outcome open.
    """

    def __init__(self, original_error: KfqError) -> None:
        super().__init__(
            f"it may have taken effect ({type(original_error).__name__}: {original_error.args[0]}); "
            "check the platform before retrying",
            phase=original_error.phase,
        )
        self.original_error = original_error


class TasksUnavailable(KfqError):
    """The operation took effect, but the contract's tasks could not be read afterwards; do not repeat the operation.

    Read them with ``session.contracts.tasks``. The details of the call are those of the operation.

    Attributes:
        contract_id: Id of the contract.
        original_error: Error of reading the tasks.
    """

    def __init__(self, contract_id: str, original_error: KfqError) -> None:
        super().__init__(
            f"it took effect, but the contract's tasks could not be read afterwards ({type(original_error).__name__}: "
            f"{original_error.args[0]}); call session.contracts.tasks instead of repeating it",
            phase=Phase.ANSWERED,
        )
        self.contract_id = contract_id
        self.original_error = original_error


class FileNotWritten(KfqError, OSError):
    """A download cannot be written to the disk: no space, no permission, or no such folder; nothing is left there.

    The text names the path that the caller gave. An older file of that name is as it was. ``phase`` is ``not_sent`` if
    that was seen before the request, and otherwise ``answered``: the platform was sending the file.

    Attributes:
        path: Path of the file or folder, as given.
        errno: Number of the system's error, such as `errno.ENOSPC`; ``None`` if it has none.
    """

    path: str
    """Path of the file or folder, as given."""
    errno: int | None = None
    """Number of the system's error, such as `errno.ENOSPC`; ``None`` if it has none."""

    def __init__(self, path: PurePath, errno: int | None, *, phase: Phase = Phase.ANSWERED) -> None:
        reason = "the system gives no reason" if errno is None else os.strerror(errno)
        super().__init__(f"{printable(str(path), _MAX_DETAIL)} cannot be written: {reason}", phase=phase)
        self.path = str(path)
        self.errno = errno


class ContractStateError(KfqError):
    """The state of the contract does not allow what was asked for; look at ``tasks``.

    Attributes:
        contract_id: Id of the contract.
        status: A `ContractStatus`, or the text received if this version does not know it.
        tasks: State and open tasks, as `ContractTasks`.
    """

    def __init__(self, text: str, *, contract_id: str, tasks: ContractTasks) -> None:
        super().__init__(text, phase=Phase.ANSWERED)
        self.contract_id = contract_id
        self.status: str = tasks.status
        self.tasks = tasks


def _name_status(tasks: ContractTasks) -> str:
    return tasks.status if isinstance(tasks.status, ContractStatus) else "in an unknown state"


def _count_tasks(tasks: ContractTasks) -> str:
    number = len(tasks.todo_task_list)
    return f"{number} open {'task' if number == 1 else 'tasks'}"


class ContractStuck(ContractStateError):
    """The platform reported success, but the contract is in a state in which nobody can act on it.

    A platform that was measured leaves contracts so when operations that drive contracts overlap (protocol section
    4.17). ``args[0]`` tells what helps.

    Attributes:
        recallable: Whether ``session.contracts.recall`` can withdraw the contract.
    """

    recallable: bool
    """Whether ``session.contracts.recall`` can withdraw the contract."""

    def __init__(self, problem: str, *, contract_id: str, tasks: ContractTasks) -> None:
        recallable = tasks.status in {ContractStatus.WRITING, ContractStatus.SIGNING}
        remedy = (
            "withdraw it with session.contracts.recall, and draft it again"
            if recallable
            else "no call changes that: draft it again, and have this one removed by the platform's administrator"
        )
        super().__init__(f"{problem}; {remedy}", contract_id=contract_id, tasks=tasks)
        self.recallable = recallable


class ContractCompleted(ContractStateError):
    """The contract is complete: it is valid, and can no longer be changed, withdrawn or refused."""

    def __init__(self, contract_id: str, tasks: ContractTasks) -> None:
        text = "the contract is COMPLETED: it is valid, and can no longer be changed, withdrawn or refused"
        super().__init__(text, contract_id=contract_id, tasks=tasks)


class ContractEnded(ContractStateError):
    """The contract has ended otherwise than it was meant to, such as refused, withdrawn or expired.

    Attributes:
        reason: Reason that a contract event gave; ``None`` if none was received.
    """

    reason: str | None
    """Reason that a contract event gave; ``None`` if none was received."""

    def __init__(self, contract_id: str, tasks: ContractTasks, *, advice: str = "", reason: str | None = None) -> None:
        text = f"the contract has ended as {_name_status(tasks)}"
        super().__init__(f"{text}: {advice}" if advice else text, contract_id=contract_id, tasks=tasks)
        self.reason = None if reason is None else MaskedStr(reason)


class ContractUnfinished(ContractStateError):
    """The contract to download is not complete, and nothing was downloaded.

    ``allow_unfinished=True`` downloads its documents as they are, with the signatures made so far.
    """

    def __init__(self, contract_id: str, tasks: ContractTasks) -> None:
        super().__init__(
            f"the contract is {_name_status(tasks)} and not COMPLETED, with {_count_tasks(tasks)}; "
            "pass allow_unfinished=True to download its documents as they are",
            contract_id=contract_id,
            tasks=tasks,
        )


class OnboardingError(KfqError):
    """The batch of companies cannot continue; the ledger is kept, so run it again to resume."""


class SourceError(OnboardingError, ValueError):
    """The input file cannot be read, or lacks required data; the text names the row or column to correct."""


class LedgerError(OnboardingError):
    """The ledger cannot be used: of another tenant or schema, in use by another run, or the disk is full."""


class RunPaused(OnboardingError):
    """A systemic failure paused the run; the remaining rows were not sent. Fix the cause and run it again.

    Attributes:
        original_error: Error that revealed the failure.
    """

    def __init__(self, original_error: KfqError, advice: str) -> None:
        super().__init__(f"paused: {original_error.args[0]}. {advice}", phase=original_error.phase)
        self.original_error = original_error


class RejectionReason(StrEnum):
    """Reason why a notification was rejected; each has an error code of the platform and an HTTP status.

    Attributes:
        HEADER_MISSING: A signature header is absent or blank.
        HEADER_REPEATED: A signature header occurs more than once, so two readers could see different values.
        HEADER_MALFORMED: A signature header is not text, or is too long.
        TIMESTAMP_MALFORMED: The timestamp is not a number of milliseconds.
        BODY_TOO_LARGE: The body exceeds the receiver's size limit, or holds more values than any notification.
        BODY_TIMEOUT: The body did not arrive within the receiver's ``body_timeout``.
        BODY_INCOMPLETE: The sender disconnected before the end of the body, or sent malformed chunks.
        BODY_MALFORMED: The body is not a JSON object in UTF-8.
        FIELD_MALFORMED: A field of the body is missing or has the wrong type.
        WRONG_KIND: The body is a notification of another kind than this receiver handles.
        UNKNOWN_PATH: The path was not issued here: foreign, altered, or made with a secret that is no longer in use.
        WRONG_APP: ``appId`` is that of another application.
        STALE: The timestamp is too far from this machine's clock, in either direction.
        BAD_SIGNATURE: The signature is not valid under any of the keys.
        REPLAYED: The nonce was used before, with another body.
        BUSY: The same notification is already being handled.
        UNFINISHED: The handler is still running when the reply is due; it continues.
        HANDLER_FAILED: The handler raised; its exception is the ``__cause__``.
        STORE_FAILED: The store failed; its exception is the ``__cause__``.
        CLOSING: The receiver is closing.
    """

    HEADER_MISSING = "header_missing"
    """A signature header is absent or blank."""
    HEADER_REPEATED = "header_repeated"
    """A signature header occurs more than once, so two readers could see different values."""
    HEADER_MALFORMED = "header_malformed"
    """A signature header is not text, or is too long."""
    TIMESTAMP_MALFORMED = "timestamp_malformed"
    """The timestamp is not a number of milliseconds."""
    BODY_TOO_LARGE = "body_too_large"
    """The body exceeds the receiver's size limit, or holds more values than any notification."""
    BODY_TIMEOUT = "body_timeout"
    """The body did not arrive within the receiver's ``body_timeout``."""
    BODY_INCOMPLETE = "body_incomplete"
    """The sender disconnected before the end of the body, or sent malformed chunks."""
    BODY_MALFORMED = "body_malformed"
    """The body is not a JSON object in UTF-8."""
    FIELD_MALFORMED = "field_malformed"
    """A field of the body is missing or has the wrong type."""
    WRONG_KIND = "wrong_kind"
    """The body is a notification of another kind than this receiver handles."""
    UNKNOWN_PATH = "unknown_path"
    """The path was not issued here: foreign, altered, or made with a secret that is no longer in use."""
    WRONG_APP = "wrong_app"
    """``appId`` is that of another application."""
    STALE = "stale"
    """The timestamp is too far from this machine's clock, in either direction."""
    BAD_SIGNATURE = "bad_signature"
    """The signature is not valid under any of the keys."""
    REPLAYED = "replayed"
    """The nonce was used before, with another body."""
    BUSY = "busy"
    """The same notification is already being handled."""
    UNFINISHED = "unfinished"
    """The handler is still running when the reply is due; it continues."""
    HANDLER_FAILED = "handler_failed"
    """The handler raised; its exception is the ``__cause__``."""
    STORE_FAILED = "store_failed"
    """The store failed; its exception is the ``__cause__``."""
    CLOSING = "closing"
    """The receiver is closing."""


# Error code (protocol sections 2.2 and 5.5), HTTP status (400 malformed, 401 not authentic, 503 retry later), text.
_REPLIES: dict[RejectionReason, tuple[int, int, str]] = {
    RejectionReason.HEADER_MISSING: (21000, 400, "a header is missing or blank"),
    RejectionReason.HEADER_REPEATED: (23000, 400, "a header occurs more than once"),
    RejectionReason.HEADER_MALFORMED: (23000, 400, "a header is not text, or is too long"),
    RejectionReason.TIMESTAMP_MALFORMED: (41001, 400, "the timestamp is not a number of milliseconds"),
    RejectionReason.BODY_TOO_LARGE: (23000, 400, "the body is too large"),
    RejectionReason.BODY_TIMEOUT: (91000, 503, "the body took too long to arrive"),
    RejectionReason.BODY_INCOMPLETE: (25000, 400, "the body is incomplete"),
    RejectionReason.BODY_MALFORMED: (25000, 400, "the body is not a JSON object in UTF-8"),
    RejectionReason.FIELD_MALFORMED: (23000, 400, "a field is missing or has the wrong type"),
    RejectionReason.WRONG_KIND: (23000, 400, "this is another kind of notification"),
    RejectionReason.UNKNOWN_PATH: (26000, 401, "the path was not issued here"),
    RejectionReason.WRONG_APP: (41000, 401, "the appId is that of another application"),
    RejectionReason.STALE: (41001, 401, "the timestamp is out of range"),
    RejectionReason.BAD_SIGNATURE: (26000, 401, "the signature is not valid"),
    RejectionReason.REPLAYED: (41002, 401, "the nonce was used before with another body"),
    RejectionReason.BUSY: (91000, 503, "the notification is already being handled"),
    RejectionReason.UNFINISHED: (91000, 503, "the handler is still running"),
    RejectionReason.HANDLER_FAILED: (91000, 503, "the handler failed"),
    RejectionReason.STORE_FAILED: (91000, 503, "the store failed"),
    RejectionReason.CLOSING: (91000, 503, "the receiver is closing"),
}


class CallbackRejected(KfqError):
    """An incoming notification was rejected; the sender may retry it.

    The text names headers and fields, never their values.

    Attributes:
        reason: Reason of the rejection.
        code: Error code of the platform for it (protocol section 5.5).
        http_status: HTTP status of the reply: 400 malformed, 401 not authentic, 503 retry later.
    """

    def __init__(self, reason: RejectionReason, detail: str = "") -> None:
        text = _REPLIES[reason][2]
        super().__init__(f"{text}: {printable(detail, _MAX_DETAIL)}" if detail else text)
        self.reason = reason

    @property
    def code(self) -> int:
        """Error code of the platform for the reason (protocol section 5.5)."""
        return _REPLIES[self.reason][0]

    @property
    def http_status(self) -> int:
        """HTTP status of the reply: 400 malformed, 401 not authentic, 503 retry later."""
        return _REPLIES[self.reason][1]
