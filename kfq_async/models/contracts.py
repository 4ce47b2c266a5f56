"""Contracts: what is drafted and what is open (protocol sections 4.0, 4.6 and 4.12).

Much that looks numeric is text on the wire. Nothing is refused for being absent: the platform says what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from attrs import field, frozen

from kfq_async.models.fields import MODEL, as_tuple, integer, mask, mask_extra, model, models, text


@frozen(kw_only=True)
class ContractUser:
    """A person, by name and account."""

    name: str | None = field(default=None, validator=text, repr=mask)
    """The person's name."""
    contact_type: str | None = field(default=None, validator=text)
    """``MOBILE`` or ``EMAIL``."""
    contact: str | None = field(default=None, validator=text, repr=mask)
    """The number or the address."""


@frozen(kw_only=True)
class RelationDoc:
    """A document that a position refers to."""

    doc_type: str | None = field(default=None, validator=text)
    """``"1"`` an uploaded file, ``"2"`` a template."""
    doc_id: str | None = field(default=None, validator=text)
    """Id of the file or template."""


@frozen(kw_only=True)
class PositionParam:
    """One kind of mark at one place of a document.

    Always send ``relation_doc_list``: without it the platform fills in an id that it cannot resolve. Send explicit
    page lists: ``EVEN_NUMBER`` and ``ODD_NUMBER`` are swapped. Leave offsets and sizes out instead of sending ``""``.
    """

    control_type: str | None = field(default=None, validator=text)
    """``SIGNATURE``, ``SEAL``, ``SIGN_DATE`` or ``CHOP_STAMP`` (骑缝签)."""
    sign_position_type: str | None = field(default=None, validator=text)
    """``POSITION`` (coordinates) or ``KEYWORD``."""
    relation_doc_list: tuple[RelationDoc, ...] | None = field(
        default=None, converter=as_tuple, validator=models(RelationDoc), metadata={MODEL: RelationDoc}
    )
    """The documents to mark."""
    sign_date_format: str | None = field(default=None, validator=text)
    """``YEAR_MONTH_DAY``, ``LINE`` or ``BACK_SLASH``; required for ``SIGN_DATE``."""
    page_config: str | None = field(default=None, validator=text)
    """``ALL``, or pages from 1 such as ``1,2,7-10``; for ``POSITION``."""
    keyword: str | None = field(default=None, validator=text)
    """Text to find; for ``KEYWORD``."""
    keyword_type: str | None = field(default=None, validator=text)
    """``"1"`` first hit, ``"0"`` every hit, ``"-1"`` last hit; required for ``KEYWORD``."""
    offset_x: str | None = field(default=None, validator=text)
    """``POSITION``: fraction of the page's width. ``KEYWORD``: whole points to the right of the hit."""
    offset_y: str | None = field(default=None, validator=text)
    """``POSITION``: fraction of the page's height. ``KEYWORD``: whole points below the hit."""
    control_width: str | None = field(default=None, validator=text)
    """Points at 72 dpi, 10 to 120."""
    control_height: str | None = field(default=None, validator=text)
    """Points at 72 dpi, 10 to 120."""


@frozen(kw_only=True)
class InternalNode:
    """One step inside an enterprise."""

    node_type: str | None = field(default=None, validator=text)
    """``ENTERPRISE_SEAL``, ``AGENT_SIGN``, ``LEGAL_PERSON_SIGN``, ``PERSONAL_SIGN`` or ``APPROVER_CHECK``."""
    signer_order: str | None = field(default=None, validator=text)
    """Order inside the enterprise, a decimal integer as text."""
    signer: ContractUser | None = field(default=None, validator=model(ContractUser), metadata={MODEL: ContractUser})
    """Who acts."""
    auto_sign: str | None = field(default=None, validator=text)
    """``AUTO_SIGN`` stamps automatically; only for the sender's enterprise seal."""
    seal_id: str | None = field(default=None, validator=text)
    """The enterprise seal."""
    position_param_list: tuple[PositionParam, ...] | None = field(
        default=None, converter=as_tuple, validator=models(PositionParam), metadata={MODEL: PositionParam}
    )
    """Where to sign."""
    sign_confirm: str | None = field(default=None, validator=text)
    """``FACE`` forces a face check."""
    verify_type: str | None = field(default=None, validator=text)
    """``CAPTCHA``, ``PASSWORD``, ``DOUBLE`` or ``FACE``; absent lets the signer choose."""
    agree_skip_willingness: int | None = field(default=None, validator=integer)
    """1 signs without intent check where that service is opened."""
    personal_sign_auth: str | None = field(default=None, validator=text)
    """``required``, ``allowed`` or ``not_required``."""
    seal_type: str | None = field(default=None, validator=text)
    """``NOLIMIT``, ``TEMPLATE`` or ``HAND``."""


@frozen(kw_only=True)
class ContractSigner:
    """A signing party."""

    signer_type: str | None = field(default=None, validator=text)
    """``SENDER``, ``RECEIVER_ENT`` or ``RECEIVER_PERSONAL``; the platform silently drops any other."""
    signer_name: str | None = field(default=None, validator=text, repr=mask)
    """The enterprise's or the person's name."""
    signer_order: str | None = field(default=None, validator=text)
    """Signing order, a decimal integer as text."""
    internal_node_list: tuple[InternalNode, ...] | None = field(
        default=None, converter=as_tuple, validator=models(InternalNode), metadata={MODEL: InternalNode}
    )
    """Steps inside an enterprise."""
    receiver: ContractUser | None = field(default=None, validator=model(ContractUser), metadata={MODEL: ContractUser})
    """The person, for a personal receiver."""
    position_param_list: tuple[PositionParam, ...] | None = field(
        default=None, converter=as_tuple, validator=models(PositionParam), metadata={MODEL: PositionParam}
    )
    """Where a personal receiver signs."""
    sign_confirm: str | None = field(default=None, validator=text)
    """``FACE`` forces a face check."""
    verify_type: str | None = field(default=None, validator=text)
    """``CAPTCHA``, ``PASSWORD``, ``DOUBLE`` or ``FACE``; absent lets the signer choose."""
    agree_skip_willingness: int | None = field(default=None, validator=integer)
    """1 signs without intent check where that service is opened."""
    personal_sign_auth: str | None = field(default=None, validator=text)
    """``required``, ``allowed`` or ``not_required``."""
    seal_type: str | None = field(default=None, validator=text)
    """``NOLIMIT``, ``TEMPLATE`` or ``HAND``."""


@frozen(kw_only=True)
class SignDocument:
    """An uploaded file to be signed."""

    doc_id: str | None = field(default=None, validator=text)
    """Id of the upload."""


@frozen(kw_only=True)
class Annex:
    """An uploaded attachment."""

    file_id: str | None = field(default=None, validator=text)
    """Id of the upload."""


@frozen(kw_only=True)
class TemplateParam:
    """The value of one control of a template."""

    param_key: str | None = field(default=None, validator=text)
    """Which control; it alone decides."""
    param_value: str | None = field(default=None, validator=text, repr=mask)
    """The value; images as base64, dates as ``yyyy-MM-dd``."""


@frozen(kw_only=True)
class SignTemplateParam:
    """Values for the controls of a template that the sender fills in."""

    template_id: str | None = field(default=None, validator=text)
    """Id of the template."""
    template_name: str | None = field(default=None, validator=text)
    """Name of the template."""
    template_param_list: tuple[TemplateParam, ...] | None = field(
        default=None, converter=as_tuple, validator=models(TemplateParam), metadata={MODEL: TemplateParam}
    )
    """The values."""


@frozen(kw_only=True)
class ContractDraftRequest:
    """Create a contract and, with ``send="1"``, start it.

    It carries no key: asked twice, the platform makes two contracts. Raises `TypeError`, naming the field, for a
    value of a wrong type.
    """

    send: str | None = field(default=None, validator=text)
    """``"1"`` starts at once, ``"0"`` keeps a draft."""
    operator: ContractUser | None = field(default=None, validator=model(ContractUser), metadata={MODEL: ContractUser})
    """The initiating employee."""
    expire_date: str | None = field(default=None, validator=text)
    """Signing deadline ``yyyy-MM-dd``, China time; the day itself is not included."""
    sign_re_id: str | None = field(default=None, validator=text)
    """The business line (业务线)."""
    sn: str | None = field(default=None, validator=text)
    """Contract number, 50 characters at the most."""
    subject: str | None = field(default=None, validator=text)
    """Title, 50 characters at the most."""
    sign_document_list: tuple[SignDocument, ...] | None = field(
        default=None, converter=as_tuple, validator=models(SignDocument), metadata={MODEL: SignDocument}
    )
    """Files to sign, added to those of the business line."""
    annex_list: tuple[Annex, ...] | None = field(
        default=None, converter=as_tuple, validator=models(Annex), metadata={MODEL: Annex}
    )
    """Attachments."""
    sign_template_param_list: tuple[SignTemplateParam, ...] | None = field(
        default=None, converter=as_tuple, validator=models(SignTemplateParam), metadata={MODEL: SignTemplateParam}
    )
    """Values of template controls."""
    signer_list: tuple[ContractSigner, ...] | None = field(
        default=None, converter=as_tuple, validator=models(ContractSigner), metadata={MODEL: ContractSigner}
    )
    """The parties."""
    sign_order_type: str | None = field(default=None, validator=text)
    """``ORDER`` or ``NO_ORDER``."""
    control_change_flag: str | None = field(default=None, validator=text)
    """``NECESSARY_NO_ADD``, ``NECESSARY_AND_ADD`` or ``NOT_NECESSARY``: may signers move or add positions."""
    auto_finish: int | None = field(default=None, validator=integer)
    """1 finishes after the last signature, 0 keeps the contract open for more parties."""
    enterprise_name: str | None = field(default=None, validator=text)
    """Initiating enterprise; the platform does not evaluate it."""
    operator_account: str | None = field(default=None, validator=text, repr=mask)
    """Account to act as, if the platform has linked it to the token."""


@frozen(kw_only=True)
class ContractDraft:
    """The contract that was created."""

    contract_id: str
    """Id of the contract."""
    extra: Mapping[str, object] = field(factory=dict, repr=mask_extra, hash=False)
    """Keys of the answer that this version does not know."""


@frozen(kw_only=True)
class ContractTasksRequest:
    """Ask for the state of a contract and its open tasks."""

    contract_id: str | None = field(default=None, validator=text)
    """Id of the contract."""
    operator_account: str | None = field(default=None, validator=text, repr=mask)
    """Account to act as, if the platform has linked it to the token."""


class ContractStatus(StrEnum):
    """State of a contract (protocol section 6.3), in the published spelling; the server's own is understood too."""

    DRAFT = "DRAFT"
    APPROVING = "APPROVING"
    APPROVE_FAILED = "APPROVE_FAILED"
    START = "START"
    WRITING = "WRITING"
    REFUSAL_WRITE = "REFUSAL_WRITE"
    SIGNING = "SIGNING"
    REFUSAL_SIGN = "REFUSAL_SIGN"
    EXPIRED = "EXPIRED"
    RECALLED = "RECALLED"
    COMPLETED = "COMPLETED"
    DELETED = "DELETED"
    CLEAN_UP = "CLEAN_UP"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return {"REFUSAL_WRIT": cls.REFUSAL_WRITE, "COMPLETE": cls.COMPLETED}.get(str(value))


def known_status(value: str) -> str:
    """Return the `ContractStatus`, or the text itself if this version does not know it."""
    try:
        return ContractStatus(value)
    except ValueError:
        return value


@frozen(kw_only=True)
class TaskParty:
    """The person that a task waits for."""

    name: str | None = field(default=None, repr=mask)
    contact_type: str | None = None
    contact: str | None = field(default=None, repr=mask)
    extra: Mapping[str, object] = field(factory=dict, repr=mask_extra, hash=False)


@frozen(kw_only=True)
class ContractTask:
    """Something that somebody has yet to do."""

    task_id: str
    task_type: str
    """``WRITE``, ``SIGN`` or ``APPROVE``."""
    party_type: str | None = None
    """``SENDER``, ``PERSONAL`` or ``ENTERPRISE``."""
    party_name: str | None = field(default=None, repr=mask)
    """The person or enterprise."""
    party_account: str | None = field(default=None, repr=mask)
    """The platform's id of the acting user."""
    party: TaskParty | None = None
    """The person; ``None`` for the sender's own tasks."""
    extra: Mapping[str, object] = field(factory=dict, repr=mask_extra, hash=False)
    """Keys of the answer that this version does not know."""


@frozen(kw_only=True)
class ContractTasks:
    """The state of a contract."""

    status: str = field(converter=known_status)
    """A `ContractStatus`, or plain text if this version does not know it."""
    todo_task_list: tuple[ContractTask, ...]
    """Open tasks, none in final states."""
    extra: Mapping[str, object] = field(factory=dict, repr=mask_extra, hash=False)
    """Keys of the answer that this version does not know."""
