"""What comes back unasked: identity notifications and contract events (protocol sections 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Self

from attrs import field, frozen

from kfq_async.models.contracts import known_status
from kfq_async.models.fields import mask, mask_extra

__all__ = ["CallbackType", "ContractEvent", "EventSigner", "IdentityNotification", "IdentityStatus"]


class IdentityStatus(IntEnum):
    """State of an identification order (protocol section 5.3)."""

    IDENTIFIED = 1
    """已认证完成, final."""
    IN_PROGRESS = 2
    """Not final: includes waiting for a manual review or an approval, and refused in one."""
    WITHDRAWN = 3
    """已撤销, final."""
    EXPIRED = 4
    """已失效, final."""


def known_identity_status(value: int | None) -> int | None:
    """Return the `IdentityStatus`, or the number itself if this version does not know it."""
    try:
        return IdentityStatus(value) if value is not None else None
    except ValueError:
        return value


@frozen(kw_only=True)
class IdentityNotification:
    """The state of an identification order (protocol section 5.2).

    That the hosted platform sends this form to ``auth_callback_url`` is likely and not documented, so any field may
    be absent. For an enterprise, the self-hosted platform takes ``name`` and ``id_card`` for those of the legal
    representative.
    """

    action_type: str | None = None
    """Kind of notification; its values are not documented."""
    order_no: str | None = None
    """The identification order."""
    order_status: int | None = field(default=None, converter=known_identity_status)
    """An `IdentityStatus`, or a plain number if this version does not know it."""
    union_id: str | None = None
    """The sender's id of the person or enterprise."""
    contact_union_id: str | None = None
    """The sender's id of the enterprise's operator."""
    user_type: int | None = None
    """1 person, 2 enterprise."""
    biz_type: int | None = None
    """1 first identification, 2 change of an existing one."""
    person_verify_method: str | None = None
    """``mobile``, ``bank``, ``offline``; probably ``face`` too."""
    company_verify_method: str | None = None
    """``legalRep``, ``invite`` or ``letter``."""
    name: str | None = field(default=None, repr=mask)
    """姓名: the person's name."""
    id_card: str | None = field(default=None, repr=mask)
    """证件号码: number of the identity document."""
    id_card_type: int | None = None
    """证件类型: kind of identity document."""
    mobile: str | None = field(default=None, repr=mask)
    """手机号: mobile number."""
    bank_card: str | None = field(default=None, repr=mask)
    """银行卡号: number of a bank card."""
    company_name: str | None = None
    """企业名称: name of the enterprise."""
    credit_code: str | None = None
    """统一社会信用代码: unified social credit code."""
    company_type: int | None = None
    """企业类型: kind of enterprise."""
    create_time: str | None = None
    """When the order was made; 14 digits ``yyyyMMddHHmmss`` for the self-hosted platform, zone not documented."""
    verify_time: str | None = None
    """When it was verified; as ``create_time``."""
    extra: Mapping[str, object] = field(factory=dict, repr=mask_extra, hash=False)
    """Keys that this version does not know."""


class CallbackType(StrEnum):
    """What happened to a contract (protocol section 6.4)."""

    SEND_SIGNING = "SEND_SIGNING"
    SUBMIT_WRITE = "SUBMIT_WRITE"
    REFUSAL_WRITE = "REFUSAL_WRITE"
    SUBMIT_SIGN = "SUBMIT_SIGN"
    REFUSAL_SIGN = "REFUSAL_SIGN"
    SUBMIT_APPROVE = "SUBMIT_APPROVE"
    REFUSAL_APPROVE = "REFUSAL_APPROVE"
    RECALLED = "RECALLED"
    DELETE = "DELETE"
    COMPLETE = "COMPLETE"
    EXPIRED = "EXPIRED"
    SIGN_FAILED = "SIGN_FAILED"
    DOCUMENT_DELAY = "DOCUMENT_DELAY"
    ADD_SIGN_NODE = "ADD_SIGN_NODE"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return {"REFUSAL_WRIT": cls.REFUSAL_WRITE, "COMPLETED": cls.COMPLETE}.get(str(value))


def known_callback_type(value: str) -> str:
    """Return the `CallbackType`, or the text itself if this version does not know it."""
    try:
        return CallbackType(value)
    except ValueError:
        return value


@frozen(kw_only=True)
class EventSigner:
    """The person whom an event is about."""

    name: str | None = field(default=None, repr=mask)
    contact_type: str | None = None
    contact: str | None = field(default=None, repr=mask)
    """May be missing for accounts without a phone."""
    extra: Mapping[str, object] = field(factory=dict, repr=mask_extra, hash=False)


@frozen(kw_only=True)
class ContractEvent:
    """Something happened to a contract (protocol section 6.2).

    Do not derive the state from the event: a ``COMPLETE`` may come while the contract is still being signed, a
    contract may complete without one, and an ``EXPIRED`` carries the status before expiry. A contract is complete
    when ``contract_status`` says so, and expired when either says so. Events can be lost: ``contract/tasks`` is the
    truth.
    """

    contract_id: str
    contract_status: str = field(converter=known_status)
    """A `ContractStatus`, or plain text if this version does not know it; as it was when the event was sent."""
    callback_type: str = field(converter=known_callback_type)
    """A `CallbackType`, or plain text if this version does not know it."""
    task_id: str | None = None
    """The task, for events of a task; empty for ``RECALLED``."""
    signer_type: str | None = None
    """``PERSONAL`` or ``ENTERPRISE``, for events of a task."""
    signer_name: str | None = field(default=None, repr=mask)
    """Name of the enterprise."""
    node_type: str | None = None
    """The step inside an enterprise."""
    signer: EventSigner | None = None
    """The person; ``None`` for what was done automatically."""
    reason: str | None = field(default=None, repr=mask)
    """The first reason recorded for the contract, not necessarily of this event."""
    extra: Mapping[str, object] = field(factory=dict, repr=mask_extra, hash=False)
    """Keys that this version does not know."""
