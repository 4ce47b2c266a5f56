"""Incoming notifications: identification orders and contract events (protocol sections 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Literal, Self

from attrs import field, frozen

from kfq_async.models.base import Model
from kfq_async.models.contracts import ContractStatus, known_contract_status
from kfq_async.models.fields import SECRET, UNKNOWN_KEYS, known_member
from kfq_async.models.parties import NodeType

__all__ = ["CallbackType", "ContractEvent", "EventSigner", "IdentityNotification", "IdentityStatus", "supersedes"]


class IdentityStatus(IntEnum):
    """State of an identification order (protocol section 5.3). The numbers are the platform's.

    Attributes:
        IDENTIFIED: 已认证完成, identified; final.
        IN_PROGRESS: 认证中, in progress, including waiting for or refused in a manual review or an approval; not final.
        WITHDRAWN: 已撤销, withdrawn; final.
        EXPIRED: 已失效, expired; final.
        final: Whether the order stays in this state.
    """

    IDENTIFIED = 1
    """已认证完成, identified; final."""
    IN_PROGRESS = 2
    """认证中, in progress, including waiting for or refused in a manual review or an approval; not final."""
    WITHDRAWN = 3
    """已撤销, withdrawn; final."""
    EXPIRED = 4
    """已失效, expired; final."""

    @property
    def final(self) -> bool:
        """Whether the order stays in this state."""
        return self is not IdentityStatus.IN_PROGRESS


def supersedes(new: int | None, old: int | None) -> bool:
    """Return whether a notification with the status ``new`` supersedes the status ``old`` that is on record.

    Notifications may overtake each other, so the last one to arrive need not be the latest (protocol section 5.3):

    * Nothing supersedes a final status, and a status does not supersede itself.
    * `IdentityStatus.IN_PROGRESS` supersedes nothing but ``None``, since every order begins with it.
    * A final status supersedes any other. So does a status that this version does not know, except a final one.

    Args:
        new: Status of the notification, an `IdentityStatus` or any number; ``None`` supersedes nothing.
        old: Status on record; ``None`` if there is none yet.

    Raises:
        TypeError: A status is neither a number nor ``None``, such as the text ``"1"``.
    """
    for name, status in (("new", new), ("old", old)):
        if not isinstance(status, int | None):
            raise TypeError(f"{name} must be an int or None, not {type(status).__name__}")
    if new is None or new == old or old in _FINAL_STATUSES:
        return False
    return old is None or new != IdentityStatus.IN_PROGRESS


_FINAL_STATUSES = frozenset(status for status in IdentityStatus if status.final)


def known_identity_status(value: int | None) -> IdentityStatus | int | None:
    """Return the `IdentityStatus`, or ``value`` if this version does not know it."""
    status: IdentityStatus | int | None = known_member(IdentityStatus, value)
    return status


@frozen(kw_only=True)
class IdentityNotification(Model):
    """State of an identification order, as notified to ``auth_callback_url`` (protocol section 5.2).

    That the hosted platform sends this form is likely but not documented, so any field may be ``None``: absent or null.
    For an enterprise, the self-hosted platform takes ``name`` and ``id_card`` as those of the legal representative.

    Attributes:
        action_type: Kind of notification; its values are not documented.
        order_no: Number of the identification order.
        order_status: An `IdentityStatus`, or the number received if this version does not know it.
        union_id: Id of the person or enterprise at the sender.
        contact_union_id: Id of the enterprise's operator at the sender.
        user_type: Kind of subject: 1 person, 2 enterprise.
        biz_type: Kind of order: 1 first identification, 2 change of an existing one.
        person_verify_method: Method for the person: ``mobile``, ``bank`` or ``offline``; probably ``face`` too.
        company_verify_method: Method for the enterprise: ``legalRep``, ``invite`` or ``letter``.
        name: 姓名, name of the person.
        id_card: 证件号码, number of the identity document.
        id_card_type: 证件类型, kind of identity document.
        mobile: 手机号, mobile number.
        bank_card: 银行卡号, bank card number.
        company_name: 企业名称, name of the enterprise.
        credit_code: 统一社会信用代码, unified social credit code.
        company_type: 企业类型, kind of enterprise.
        create_time: Time of the order; 14 digits ``yyyyMMddHHmmss`` on the self-hosted platform, zone not documented.
        verify_time: Time of the verification, written like ``create_time``.
        extra: Unknown keys, as received.
    """

    action_type: str | None = None
    """Kind of notification; its values are not documented."""
    order_no: str | None = None
    """Number of the identification order."""
    order_status: IdentityStatus | int | None = field(default=None, converter=known_identity_status)
    """An `IdentityStatus`, or the number received if this version does not know it."""
    union_id: str | None = None
    """Id of the person or enterprise at the sender."""
    contact_union_id: str | None = None
    """Id of the enterprise's operator at the sender."""
    user_type: Literal[1, 2] | int | None = None
    """Kind of subject: 1 person, 2 enterprise."""
    biz_type: Literal[1, 2] | int | None = None
    """Kind of order: 1 first identification, 2 change of an existing one."""
    person_verify_method: Literal["mobile", "bank", "offline", "face"] | str | None = None
    """Method for the person: ``mobile``, ``bank`` or ``offline``; probably ``face`` too."""
    company_verify_method: Literal["legalRep", "invite", "letter"] | str | None = None
    """Method for the enterprise: ``legalRep``, ``invite`` or ``letter``."""
    name: str | None = field(default=None, **SECRET)
    """姓名, name of the person."""
    id_card: str | None = field(default=None, **SECRET)
    """证件号码, number of the identity document."""
    id_card_type: int | None = None
    """证件类型, kind of identity document."""
    mobile: str | None = field(default=None, **SECRET)
    """手机号, mobile number."""
    bank_card: str | None = field(default=None, **SECRET)
    """银行卡号, bank card number."""
    company_name: str | None = None
    """企业名称, name of the enterprise."""
    credit_code: str | None = None
    """统一社会信用代码, unified social credit code."""
    company_type: int | None = None
    """企业类型, kind of enterprise."""
    create_time: str | None = None
    """Time of the order; 14 digits ``yyyyMMddHHmmss`` on the self-hosted platform, zone not documented."""
    verify_time: str | None = None
    """Time of the verification, written like ``create_time``."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys, as received."""


class CallbackType(StrEnum):
    """Kind of contract event (protocol section 6.4).

    ``REFUSAL_WRIT`` and ``COMPLETED``, as states are spelt, are read as ``REFUSAL_WRITE`` and ``COMPLETE``.

    Attributes:
        SEND_SIGNING: Contract started.
        SUBMIT_WRITE: Filled in.
        REFUSAL_WRITE: Filling in refused.
        SUBMIT_SIGN: Signed.
        REFUSAL_SIGN: Signing refused.
        SUBMIT_APPROVE: Step approved.
        REFUSAL_APPROVE: Approval of a step refused.
        RECALLED: Contract withdrawn.
        DELETE: Contract deleted.
        COMPLETE: Contract completed.
        EXPIRED: Deadline passed.
        SIGN_FAILED: Signing failed.
        DOCUMENT_DELAY: Deadline changed.
        ADD_SIGN_NODE: Parties added; not sent by release 3.2 of the self-hosted platform.
    """

    SEND_SIGNING = "SEND_SIGNING"
    """Contract started."""
    SUBMIT_WRITE = "SUBMIT_WRITE"
    """Filled in."""
    REFUSAL_WRITE = "REFUSAL_WRITE"
    """Filling in refused."""
    SUBMIT_SIGN = "SUBMIT_SIGN"
    """Signed."""
    REFUSAL_SIGN = "REFUSAL_SIGN"
    """Signing refused."""
    SUBMIT_APPROVE = "SUBMIT_APPROVE"
    """Step approved."""
    REFUSAL_APPROVE = "REFUSAL_APPROVE"
    """Approval of a step refused."""
    RECALLED = "RECALLED"
    """Contract withdrawn."""
    DELETE = "DELETE"
    """Contract deleted."""
    COMPLETE = "COMPLETE"
    """Contract completed."""
    EXPIRED = "EXPIRED"
    """Deadline passed."""
    SIGN_FAILED = "SIGN_FAILED"
    """Signing failed."""
    DOCUMENT_DELAY = "DOCUMENT_DELAY"
    """Deadline changed."""
    ADD_SIGN_NODE = "ADD_SIGN_NODE"
    """Parties added; not sent by release 3.2 of the self-hosted platform."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return {"REFUSAL_WRIT": cls.REFUSAL_WRITE, "COMPLETED": cls.COMPLETE}.get(str(value))


def known_callback_type(value: str) -> CallbackType | str:
    """Return the `CallbackType`, or ``value`` if this version does not know it."""
    kind: CallbackType | str = known_member(CallbackType, value)
    return kind


@frozen(kw_only=True)
class EventSigner(Model):
    """Person who performed the task that an event reports. ``None``: not sent.

    Attributes:
        name: Name of the account: the mobile number until the person is identified, not the name in the draft.
        contact_type: Kind of ``contact``: ``MOBILE``, also for an account with an e-mail address.
        contact: Mobile number of the account; may be absent for accounts without one.
        extra: Unknown keys, as received.
    """

    name: str | None = field(default=None, **SECRET)
    """Name of the account: the mobile number until the person is identified, not the name in the draft."""
    contact_type: Literal["MOBILE"] | str | None = None
    """Kind of ``contact``: ``MOBILE``, also for an account with an e-mail address."""
    contact: str | None = field(default=None, **SECRET)
    """Mobile number of the account; may be absent for accounts without one."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys, as received."""


@frozen(kw_only=True)
class ContractEvent(Model):
    """Event of a contract (protocol section 6.2). ``None``: not sent with this event.

    Do not derive the state from ``callback_type``: a ``COMPLETE`` may arrive while the contract is still being signed,
    a contract may complete without one, and an ``EXPIRED`` carries the status before expiry. A contract is complete if
    ``contract_status`` is `ContractStatus.COMPLETED`, and expired if either field says so. Events can be lost:
    ``session.contracts.tasks`` is authoritative.

    Attributes:
        contract_id: Id of the contract.
        contract_status: State when the platform stored the event, since when it may have changed: a `ContractStatus`,
            or the text received if this version does not know it.
        callback_type: Event: a `CallbackType`, or the text received if this version does not know it.
        task_id: Id of the task, for events of a task; empty for ``RECALLED``. That of an automatic seal is never in
            ``tasks``.
        signer_type: Kind of party, for events of a task: ``PERSONAL`` or ``ENTERPRISE``.
        signer_name: Name of the enterprise, if the party is one.
        node_type: Step inside an enterprise, if it was signed or refused there: ``ENTERPRISE_SEAL``, ``AGENT_SIGN``,
            ``LEGAL_PERSON_SIGN``, ``PERSONAL_SIGN`` or ``APPROVER_CHECK``.
        signer: Person who performed the task; ``None`` if it was done automatically.
        reason: First reason recorded for the contract, not necessarily that of this event; ``None`` for
            ``REFUSAL_APPROVE``.
        extra: Unknown keys, as received.
    """

    contract_id: str
    """Id of the contract."""
    contract_status: ContractStatus | str = field(converter=known_contract_status)
    """State when the platform stored the event, since when it may have changed: a `ContractStatus`, or the text
    received if this version does not know it."""
    callback_type: CallbackType | str = field(converter=known_callback_type)
    """Event: a `CallbackType`, or the text received if this version does not know it."""
    task_id: str | None = None
    """Id of the task, for events of a task; empty for ``RECALLED``. That of an automatic seal is never in ``tasks``."""
    signer_type: Literal["PERSONAL", "ENTERPRISE"] | str | None = None
    """Kind of party, for events of a task: ``PERSONAL`` or ``ENTERPRISE``."""
    signer_name: str | None = field(default=None, **SECRET)
    """Name of the enterprise, if the party is one."""
    node_type: NodeType | None = None
    """Step inside an enterprise, if it was signed or refused there: ``ENTERPRISE_SEAL``, ``AGENT_SIGN``,
    ``LEGAL_PERSON_SIGN``, ``PERSONAL_SIGN`` or ``APPROVER_CHECK``."""
    signer: EventSigner | None = None
    """Person who performed the task; ``None`` if it was done automatically."""
    reason: str | None = field(default=None, **SECRET)
    """First reason recorded for the contract, not necessarily that of this event; ``None`` for ``REFUSAL_APPROVE``."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys, as received."""
