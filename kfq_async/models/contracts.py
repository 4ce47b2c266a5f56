"""Contracts: drafts, parties, sign positions, tasks, and the requests of all operations (protocol section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from attrs import field, frozen

from kfq_async.models.fields import (
    ADDED,
    MODEL,
    SECRET,
    SECRET_TEXT,
    UNKNOWN_KEYS,
    as_tuple,
    boolean,
    integer,
    known_member,
    model,
    models,
    text,
)


@frozen(kw_only=True)
class ContractUser:
    """A person: name and account (protocol section 4.0). Every field is optional; ``None`` leaves the key out.

    Attributes:
        name: Name of the person: up to 50 characters for a receiver, 20 for a step of a receiving enterprise.
        contact_type: Kind of ``contact``: ``MOBILE`` or ``EMAIL``.
        contact: Mobile number or e-mail address of the account, up to 255 characters.
    """

    name: str | None = field(default=None, **SECRET_TEXT)
    """Name of the person: up to 50 characters for a receiver, 20 for a step of a receiving enterprise."""
    contact_type: str | None = field(default=None, validator=text)
    """Kind of ``contact``: ``MOBILE`` or ``EMAIL``."""
    contact: str | None = field(default=None, **SECRET_TEXT)
    """Mobile number or e-mail address of the account, up to 255 characters."""


@frozen(kw_only=True)
class RelationDoc:
    """A document that a sign position refers to. Every field is optional; ``None`` leaves the key out.

    Attributes:
        doc_type: Kind of document: ``"1"`` uploaded file, ``"2"`` template.
        doc_id: Id of the uploaded file or of the template.
    """

    doc_type: str | None = field(default=None, validator=text)
    """Kind of document: ``"1"`` uploaded file, ``"2"`` template."""
    doc_id: str | None = field(default=None, validator=text)
    """Id of the uploaded file or of the template."""


@frozen(kw_only=True)
class PositionParam:
    """One kind of mark (signature, seal, date) at one place of a document (protocol section 4.0).

    Every field is optional here, and ``None`` leaves the key out. Always set ``relation_doc_list``: without it the
    platform fills in an id that it cannot resolve. Set explicit page lists: the platform swaps ``EVEN_NUMBER`` and
    ``ODD_NUMBER``, except for ``CHOP_STAMP``. Leave offsets and sizes ``None`` instead of sending ``""``. All numbers
    are sent as text.

    A contract with a ``SIGN_DATE`` starts, but on release 3.2 of the self-hosted platform it cannot be signed.

    Attributes:
        control_type: Kind of mark: ``SIGNATURE``, ``SEAL`` (of an enterprise only), ``SIGN_DATE`` or ``CHOP_STAMP``
            (cross-page seal of an enterprise, 骑缝签).
        sign_position_type: How the place is given: ``POSITION`` (coordinates) or ``KEYWORD``.
        relation_doc_list: Documents to mark.
        sign_date_format: Format of the date: ``YEAR_MONTH_DAY`` (yyyy年MM月dd日), ``LINE`` (yyyy-MM-dd) or
            ``BACK_SLASH`` (yyyy/MM/dd); required for ``SIGN_DATE``, although it is documented to have a default.
        page_config: Pages to mark, for ``POSITION``: ``ALL``, or a list counted from 1 such as ``1,2,7-10``, of digits,
            commas and hyphens only. A page that stands twice is marked twice; ``CHOP_STAMP`` reads any list as ``ALL``.
        keyword: Text to find, for ``KEYWORD``: in one piece, without blanks and ``: . ( ) / ; ! ? [ ]``; of a text with
            a comma the part before it is looked for. The mark is placed at the beginning of the text without blanks
            that holds the keyword, in Chinese usually that of the line.
        keyword_type: Hits to mark: ``"1"`` the first, ``"0"`` every, ``"-1"`` the last; required for ``KEYWORD``,
            although it is documented to have a default.
        offset_x: Horizontal offset of the mark's top left corner. ``POSITION``: fraction of the page's width, of its
            MediaBox; ``KEYWORD``: whole points right of the hit.
        offset_y: Vertical offset of the mark's top left corner, downwards. ``POSITION``: fraction of the page's height,
            of 842 points for ``CHOP_STAMP``; ``KEYWORD``: whole points below the hit.
        control_width: Width of the mark in points (72 dpi), 10 to 120; ``None``: 112 for a signature, else 120.
        control_height: Height of the mark in points (72 dpi), 10 to 120; ``None``: 52 for a signature, 30 for a date,
            120 for a seal.
    """

    control_type: str | None = field(default=None, validator=text)
    """Kind of mark: ``SIGNATURE``, ``SEAL`` (of an enterprise only), ``SIGN_DATE`` or ``CHOP_STAMP`` (cross-page seal
    of an enterprise, 骑缝签)."""
    sign_position_type: str | None = field(default=None, validator=text)
    """How the place is given: ``POSITION`` (coordinates) or ``KEYWORD``."""
    relation_doc_list: tuple[RelationDoc, ...] | None = field(
        default=None, converter=as_tuple, validator=models(RelationDoc), metadata={MODEL: RelationDoc}
    )
    """Documents to mark."""
    sign_date_format: str | None = field(default=None, validator=text)
    """Format of the date: ``YEAR_MONTH_DAY`` (yyyy年MM月dd日), ``LINE`` (yyyy-MM-dd) or ``BACK_SLASH`` (yyyy/MM/dd);
    required for ``SIGN_DATE``, although it is documented to have a default."""
    page_config: str | None = field(default=None, validator=text)
    """Pages to mark, for ``POSITION``: ``ALL``, or a list counted from 1 such as ``1,2,7-10``, of digits, commas and
    hyphens only. A page that stands twice is marked twice; ``CHOP_STAMP`` reads any list as ``ALL``."""
    keyword: str | None = field(default=None, validator=text)
    """Text to find, for ``KEYWORD``: in one piece, without blanks and ``: . ( ) / ; ! ? [ ]``; of a text with a comma
    the part before it is looked for. The mark is placed at the beginning of the text without blanks that holds the
    keyword, in Chinese usually that of the line."""
    keyword_type: str | None = field(default=None, validator=text)
    """Hits to mark: ``"1"`` the first, ``"0"`` every, ``"-1"`` the last; required for ``KEYWORD``, although it is
    documented to have a default."""
    offset_x: str | None = field(default=None, validator=text)
    """Horizontal offset of the mark's top left corner. ``POSITION``: fraction of the page's width, of its MediaBox;
    ``KEYWORD``: whole points right of the hit."""
    offset_y: str | None = field(default=None, validator=text)
    """Vertical offset of the mark's top left corner, downwards. ``POSITION``: fraction of the page's height, of 842
    points for ``CHOP_STAMP``; ``KEYWORD``: whole points below the hit."""
    control_width: str | None = field(default=None, validator=text)
    """Width of the mark in points (72 dpi), 10 to 120; ``None``: 112 for a signature, else 120."""
    control_height: str | None = field(default=None, validator=text)
    """Height of the mark in points (72 dpi), 10 to 120; ``None``: 52 for a signature, 30 for a date, 120 for a
    seal."""


@frozen(kw_only=True)
class InternalNode:
    """One step inside an enterprise: a seal, a signature or an approval.

    Every field is optional here; ``None`` leaves the key out.

    Attributes:
        node_type: Step: ``ENTERPRISE_SEAL``, ``AGENT_SIGN``, ``LEGAL_PERSON_SIGN``, ``PERSONAL_SIGN`` or
            ``APPROVER_CHECK``.
        signer_order: Order inside the enterprise: a decimal integer as text.
        signer: Person who performs the step.
        auto_sign: ``AUTO_SIGN`` applies the seal automatically; only for the sender's ``ENTERPRISE_SEAL``.
        seal_id: Id of the enterprise seal.
        position_param_list: Sign positions.
        sign_confirm: ``FACE`` forces a face check, whatever ``verify_type``; ``None`` does not.
        verify_type: Intent check: ``CAPTCHA``, ``PASSWORD``, ``DOUBLE`` (both) or ``FACE``; ``None`` lets the signer
            choose.
        agree_skip_willingness: 1 signs without an intent check where that service is enabled.
        personal_sign_auth: Identification of the person: ``required``, ``allowed`` or ``not_required``.
        seal_type: Kind of signature: ``NOLIMIT``, ``TEMPLATE`` (generated) or ``HAND`` (handwritten).
    """

    node_type: str | None = field(default=None, validator=text)
    """Step: ``ENTERPRISE_SEAL``, ``AGENT_SIGN``, ``LEGAL_PERSON_SIGN``, ``PERSONAL_SIGN`` or ``APPROVER_CHECK``."""
    signer_order: str | None = field(default=None, validator=text)
    """Order inside the enterprise: a decimal integer as text."""
    signer: ContractUser | None = field(default=None, validator=model(ContractUser), metadata={MODEL: ContractUser})
    """Person who performs the step."""
    auto_sign: str | None = field(default=None, validator=text)
    """``AUTO_SIGN`` applies the seal automatically; only for the sender's ``ENTERPRISE_SEAL``."""
    seal_id: str | None = field(default=None, validator=text)
    """Id of the enterprise seal."""
    position_param_list: tuple[PositionParam, ...] | None = field(
        default=None, converter=as_tuple, validator=models(PositionParam), metadata={MODEL: PositionParam}
    )
    """Sign positions."""
    sign_confirm: str | None = field(default=None, validator=text)
    """``FACE`` forces a face check, whatever ``verify_type``; ``None`` does not."""
    verify_type: str | None = field(default=None, validator=text)
    """Intent check: ``CAPTCHA``, ``PASSWORD``, ``DOUBLE`` (both) or ``FACE``; ``None`` lets the signer choose."""
    agree_skip_willingness: int | None = field(default=None, validator=integer)
    """1 signs without an intent check where that service is enabled."""
    personal_sign_auth: str | None = field(default=None, validator=text)
    """Identification of the person: ``required``, ``allowed`` or ``not_required``."""
    seal_type: str | None = field(default=None, validator=text)
    """Kind of signature: ``NOLIMIT``, ``TEMPLATE`` (generated) or ``HAND`` (handwritten)."""


@frozen(kw_only=True)
class ContractSigner:
    """A signing party: the sender, an enterprise or a person.

    Every field is optional here; ``None`` leaves the key out.

    Attributes:
        signer_type: ``SENDER``, ``RECEIVER_ENT`` or ``RECEIVER_PERSONAL``; the platform silently drops a party of any
            other type.
        signer_name: Name of the enterprise, at most 50 characters, or of the person, which the platform does not store;
            the sender's is replaced by that of the token's enterprise.
        signer_order: Signing order: a decimal integer from -128 to 127 as text, required for ``SENDER``. Parties of one
            order sign in the sequence of the list if the contract is signed in ``ORDER``.
        internal_node_list: Steps inside the enterprise.
        receiver: Person who signs, for ``RECEIVER_PERSONAL``.
        position_param_list: Sign positions, for ``RECEIVER_PERSONAL``.
        sign_confirm: ``FACE`` forces a face check, whatever ``verify_type``; ``None`` does not.
        verify_type: Intent check: ``CAPTCHA``, ``PASSWORD``, ``DOUBLE`` (both) or ``FACE``; ``None`` lets the signer
            choose.
        agree_skip_willingness: 1 signs without an intent check where that service is enabled.
        personal_sign_auth: Identification of the person: ``required``, ``allowed`` or ``not_required``.
        seal_type: Kind of signature: ``NOLIMIT``, ``TEMPLATE`` (generated) or ``HAND`` (handwritten).
    """

    signer_type: str | None = field(default=None, validator=text)
    """``SENDER``, ``RECEIVER_ENT`` or ``RECEIVER_PERSONAL``; the platform silently drops a party of any other type."""
    signer_name: str | None = field(default=None, **SECRET_TEXT)
    """Name of the enterprise, at most 50 characters, or of the person, which the platform does not store; the sender's
    is replaced by that of the token's enterprise."""
    signer_order: str | None = field(default=None, validator=text)
    """Signing order: a decimal integer from -128 to 127 as text, required for ``SENDER``. Parties of one order sign in
    the sequence of the list if the contract is signed in ``ORDER``."""
    internal_node_list: tuple[InternalNode, ...] | None = field(
        default=None, converter=as_tuple, validator=models(InternalNode), metadata={MODEL: InternalNode}
    )
    """Steps inside the enterprise."""
    receiver: ContractUser | None = field(default=None, validator=model(ContractUser), metadata={MODEL: ContractUser})
    """Person who signs, for ``RECEIVER_PERSONAL``."""
    position_param_list: tuple[PositionParam, ...] | None = field(
        default=None, converter=as_tuple, validator=models(PositionParam), metadata={MODEL: PositionParam}
    )
    """Sign positions, for ``RECEIVER_PERSONAL``."""
    sign_confirm: str | None = field(default=None, validator=text)
    """``FACE`` forces a face check, whatever ``verify_type``; ``None`` does not."""
    verify_type: str | None = field(default=None, validator=text)
    """Intent check: ``CAPTCHA``, ``PASSWORD``, ``DOUBLE`` (both) or ``FACE``; ``None`` lets the signer choose."""
    agree_skip_willingness: int | None = field(default=None, validator=integer)
    """1 signs without an intent check where that service is enabled."""
    personal_sign_auth: str | None = field(default=None, validator=text)
    """Identification of the person: ``required``, ``allowed`` or ``not_required``."""
    seal_type: str | None = field(default=None, validator=text)
    """Kind of signature: ``NOLIMIT``, ``TEMPLATE`` (generated) or ``HAND`` (handwritten)."""


@frozen(kw_only=True)
class SignDocument:
    """An uploaded file to sign.

    Attributes:
        doc_id: Id of the uploaded file; ``None`` leaves the key out.
    """

    doc_id: str | None = field(default=None, validator=text)
    """Id of the uploaded file; ``None`` leaves the key out."""


@frozen(kw_only=True)
class Annex:
    """An uploaded attachment.

    Attributes:
        file_id: Id of the uploaded attachment; ``None`` leaves the key out.
    """

    file_id: str | None = field(default=None, validator=text)
    """Id of the uploaded attachment; ``None`` leaves the key out."""


@frozen(kw_only=True)
class TemplateParam:
    """Value of one control of a template. Every field is optional; ``None`` leaves the key out.

    Attributes:
        param_key: Key of the control; the platform matches by it alone.
        param_value: Value: images as base64, dates as ``yyyy-MM-dd``.
    """

    param_key: str | None = field(default=None, validator=text)
    """Key of the control; the platform matches by it alone."""
    param_value: str | None = field(default=None, **SECRET_TEXT)
    """Value: images as base64, dates as ``yyyy-MM-dd``."""


@frozen(kw_only=True)
class SignTemplateParam:
    """Values of the template controls that the sender fills in. Every field is optional; ``None`` leaves the key out.

    Attributes:
        template_id: Id of the template.
        template_name: Name of the template.
        template_param_list: Values of the controls.
    """

    template_id: str | None = field(default=None, validator=text)
    """Id of the template."""
    template_name: str | None = field(default=None, validator=text)
    """Name of the template."""
    template_param_list: tuple[TemplateParam, ...] | None = field(
        default=None, converter=as_tuple, validator=models(TemplateParam), metadata={MODEL: TemplateParam}
    )
    """Values of the controls."""


@frozen(kw_only=True)
class ContractDraftRequest:
    """Request of ``session.contracts.draft``: create a contract and, with ``send="1"``, start it.

    Every field is optional here: ``None`` leaves the key out, and the platform reports what it needs. Many numbers are
    text on the wire. The request has no idempotency key: sent twice, the platform creates two contracts.

    Raises `TypeError`, naming the field, for a value of the wrong type.

    Attributes:
        send: ``"1"`` starts the contract at once, any other text such as ``"0"`` keeps a draft.
        operator: Employee of the token's enterprise who initiates the contract.
        expire_date: Signing deadline, ``yyyy-MM-dd`` in China time, today or later; the day itself is not included.
        sign_re_id: Id of the business line (业务线), at most 64 characters; see ``session.accounts.business_lines``.
        sn: Contract number, at most 200 characters.
        subject: Title, at most 200 characters, none beyond the basic multilingual plane, such as emoji.
        sign_document_list: Files to sign, in addition to those of the business line.
        annex_list: Attachments.
        sign_template_param_list: Values of the template controls that the sender fills in.
        signer_list: Signing parties, the sender among them; of a business line with set parties only the receivers.
        sign_order_type: Signing in sequence: ``ORDER`` or ``NO_ORDER``; ``None`` takes that of the business line.
        control_change_flag: Whether signers may move or add positions: ``NECESSARY_NO_ADD``, ``NECESSARY_AND_ADD`` or
            ``NOT_NECESSARY``.
        auto_finish: 1, also meant by ``None``, finishes the contract after the last signature; 0 keeps it open for
            ``session.contracts.add_signers`` and ``finish``.
        enterprise_name: Name of the initiating enterprise; the platform does not evaluate it.
        operator_account: Account to act as, if the platform has linked it to the token; without effect otherwise.
            ``None`` leaves it to the session.
    """

    send: str | None = field(default=None, validator=text)
    """``"1"`` starts the contract at once, any other text such as ``"0"`` keeps a draft."""
    operator: ContractUser | None = field(default=None, validator=model(ContractUser), metadata={MODEL: ContractUser})
    """Employee of the token's enterprise who initiates the contract."""
    expire_date: str | None = field(default=None, validator=text)
    """Signing deadline, ``yyyy-MM-dd`` in China time, today or later; the day itself is not included."""
    sign_re_id: str | None = field(default=None, validator=text)
    """Id of the business line (业务线), at most 64 characters; see ``session.accounts.business_lines``."""
    sn: str | None = field(default=None, validator=text)
    """Contract number, at most 200 characters."""
    subject: str | None = field(default=None, validator=text)
    """Title, at most 200 characters, none beyond the basic multilingual plane, such as emoji."""
    sign_document_list: tuple[SignDocument, ...] | None = field(
        default=None, converter=as_tuple, validator=models(SignDocument), metadata={MODEL: SignDocument}
    )
    """Files to sign, in addition to those of the business line."""
    annex_list: tuple[Annex, ...] | None = field(
        default=None, converter=as_tuple, validator=models(Annex), metadata={MODEL: Annex}
    )
    """Attachments."""
    sign_template_param_list: tuple[SignTemplateParam, ...] | None = field(
        default=None, converter=as_tuple, validator=models(SignTemplateParam), metadata={MODEL: SignTemplateParam}
    )
    """Values of the template controls that the sender fills in."""
    signer_list: tuple[ContractSigner, ...] | None = field(
        default=None, converter=as_tuple, validator=models(ContractSigner), metadata={MODEL: ContractSigner}
    )
    """Signing parties, the sender among them; of a business line with set parties only the receivers."""
    sign_order_type: str | None = field(default=None, validator=text)
    """Signing in sequence: ``ORDER`` or ``NO_ORDER``; ``None`` takes that of the business line."""
    control_change_flag: str | None = field(default=None, validator=text)
    """Whether signers may move or add positions: ``NECESSARY_NO_ADD``, ``NECESSARY_AND_ADD`` or ``NOT_NECESSARY``."""
    auto_finish: int | None = field(default=None, validator=integer)
    """1, also meant by ``None``, finishes the contract after the last signature; 0 keeps it open for
    ``session.contracts.add_signers`` and ``finish``."""
    enterprise_name: str | None = field(default=None, validator=text)
    """Name of the initiating enterprise; the platform does not evaluate it."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""


@frozen(kw_only=True)
class ContractDraft:
    """Result of ``session.contracts.draft``: the created contract.

    Attributes:
        contract_id: Id of the contract.
        tasks: State and open tasks, as read after the contract was started; ``None`` if it was not started or not
            looked at.
        extra: Unknown keys of the result, as received.
    """

    contract_id: str
    """Id of the contract."""
    tasks: ContractTasks | None = field(default=None, metadata={ADDED: True})
    """State and open tasks, as read after the contract was started; ``None`` if it was not started or not looked at."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys of the result, as received."""


@frozen(kw_only=True)
class ContractTasksRequest:
    """Request of the state and the open tasks of a contract. Every field is optional; ``None`` leaves the key out.

    Attributes:
        contract_id: Id of the contract.
        operator_account: Account to act as, if the platform has linked it to the token; without effect otherwise.
            ``None`` leaves it to the session.
    """

    contract_id: str | None = field(default=None, validator=text)
    """Id of the contract."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""


@frozen(kw_only=True)
class ContractAddSignersRequest:
    """Request of ``session.contracts.add_signers``: parties to add to a running contract (protocol section 4.8).

    Every field is optional; ``None`` leaves the key out.

    Attributes:
        contract_id: Id of the contract, at most 64 characters.
        signer_list: Parties to add. An enterprise that is a party already gets its steps extended.
        operator_account: Account to act as, if the platform has linked it to the token; without effect otherwise.
            ``None`` leaves it to the session.
    """

    contract_id: str | None = field(default=None, validator=text)
    """Id of the contract, at most 64 characters."""
    signer_list: tuple[ContractSigner, ...] | None = field(
        default=None, converter=as_tuple, validator=models(ContractSigner), metadata={MODEL: ContractSigner}
    )
    """Parties to add. An enterprise that is a party already gets its steps extended."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""


@frozen(kw_only=True)
class ContractApprovalRequest:
    """Request of ``session.contracts.approve`` and ``refuse``: decide an approval (protocol section 4.9).

    Every field is optional; ``None`` leaves the key out.

    Attributes:
        contract_id: Id of the contract, at most 64 characters.
        signer: Approver, an employee of the token's enterprise.
        approval: 1 approves, 0 refuses; with any other value, or ``None``, the platform reports success and changes
            nothing.
        comment: Reason of the decision, for the record.
        operator_account: Account to act as, if the platform has linked it to the token; without effect otherwise.
            ``None`` leaves it to the session.
    """

    contract_id: str | None = field(default=None, validator=text)
    """Id of the contract, at most 64 characters."""
    signer: ContractUser | None = field(default=None, validator=model(ContractUser), metadata={MODEL: ContractUser})
    """Approver, an employee of the token's enterprise."""
    approval: int | None = field(default=None, validator=integer)
    """1 approves, 0 refuses; with any other value, or ``None``, the platform reports success and changes nothing."""
    comment: str | None = field(default=None, **SECRET_TEXT)
    """Reason of the decision, for the record."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""


@frozen(kw_only=True)
class ContractFinishRequest:
    """Request of ``session.contracts.finish``: finish a contract kept open (protocol section 4.10).

    Every field is optional; ``None`` leaves the key out.

    Attributes:
        contract_id: Id of the contract, at most 64 characters.
        operator_account: Account to act as, if the platform has linked it to the token; without effect otherwise.
            ``None`` leaves it to the session.
    """

    contract_id: str | None = field(default=None, validator=text)
    """Id of the contract, at most 64 characters."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""


@frozen(kw_only=True)
class ContractRecallRequest:
    """Request of ``session.contracts.recall``: withdraw a contract (protocol section 4.11).

    Every field is optional; ``None`` leaves the key out.

    Attributes:
        contract_id: Id of the contract, at most 64 characters.
        operator_account: Account to act as, if the platform has linked it to the token; without effect otherwise.
            ``None`` leaves it to the session.
    """

    contract_id: str | None = field(default=None, validator=text)
    """Id of the contract, at most 64 characters."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""


@frozen(kw_only=True)
class ContractProxySignRequest:
    """Request of ``session.contracts.sign_for_person``: sign on behalf of a person (protocol section 4.7).

    Every field is optional; ``None`` leaves the key out.

    Attributes:
        contract_id: Id of the contract, at most 64 characters.
        signature_subject_type: Whose signature: ``PERSON``, a personal receiver, or ``EMPLOYEE``, a person of the
            initiating enterprise.
        signer: Person whose signature it is.
        position_param_list: Sign positions, in addition to the contract's; ``None`` uses those.
        operator_account: Account to act as, if the platform has linked it to the token; without effect otherwise.
            ``None`` leaves it to the session.
    """

    contract_id: str | None = field(default=None, validator=text)
    """Id of the contract, at most 64 characters."""
    signature_subject_type: str | None = field(default=None, validator=text)
    """Whose signature: ``PERSON``, a personal receiver, or ``EMPLOYEE``, a person of the initiating enterprise."""
    signer: ContractUser | None = field(default=None, validator=model(ContractUser), metadata={MODEL: ContractUser})
    """Person whose signature it is."""
    position_param_list: tuple[PositionParam, ...] | None = field(
        default=None, converter=as_tuple, validator=models(PositionParam), metadata={MODEL: PositionParam}
    )
    """Sign positions, in addition to the contract's; ``None`` uses those."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""


@frozen(kw_only=True)
class ContractTaskUrlRequest:
    """Request of ``session.contracts.task_url``: the page of one task (protocol section 4.13).

    Every field is optional; ``None`` leaves the key out.

    Attributes:
        contract_id: Id of the contract, at most 64 characters.
        task_id: Id of the task, from `ContractTasks`.
        callback_page: URL that the browser is sent to afterwards, at most 500 characters.
        link_type: ``h5`` or ``pc``; the platform ignores it.
        operator_account: Account to act as, if the platform has linked it to the token; without effect otherwise.
            ``None`` leaves it to the session.
    """

    contract_id: str | None = field(default=None, validator=text)
    """Id of the contract, at most 64 characters."""
    task_id: str | None = field(default=None, validator=text)
    """Id of the task, from `ContractTasks`."""
    callback_page: str | None = field(default=None, **SECRET_TEXT)
    """URL that the browser is sent to afterwards, at most 500 characters."""
    link_type: str | None = field(default=None, validator=text)
    """``h5`` or ``pc``; the platform ignores it."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""


@frozen(kw_only=True)
class ContractPageUrlRequest:
    """Request of ``session.contracts.page_url``: the short link to a contract (protocol section 4.14).

    Every field is optional; ``None`` leaves the key out.

    Attributes:
        contact: Account that the link is for: mobile number or e-mail address.
        contract_id: Id of the contract, at most 64 characters.
        task_id: Id of the task to open; ``None`` opens the contract.
        party_name: Name of the person or enterprise to act as.
        no_login: Whether the link opens without a login; ``None`` is false.
        page_url_expire_time: End of a link without login, ``yyyy-MM-dd HH:mm:ss`` in China time, at most 72 hours
            ahead; ``None`` is 72 hours.
        operator_account: Account to act as, if the platform has linked it to the token; without effect otherwise.
            ``None`` leaves it to the session.
    """

    contact: str | None = field(default=None, **SECRET_TEXT)
    """Account that the link is for: mobile number or e-mail address."""
    contract_id: str | None = field(default=None, validator=text)
    """Id of the contract, at most 64 characters."""
    task_id: str | None = field(default=None, validator=text)
    """Id of the task to open; ``None`` opens the contract."""
    party_name: str | None = field(default=None, **SECRET_TEXT)
    """Name of the person or enterprise to act as."""
    no_login: bool | None = field(default=None, validator=boolean)
    """Whether the link opens without a login; ``None`` is false."""
    page_url_expire_time: str | None = field(default=None, validator=text)
    """End of a link without login, ``yyyy-MM-dd HH:mm:ss`` in China time, at most 72 hours ahead; ``None`` is 72
    hours."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""


@frozen(kw_only=True)
class ContractDownloadRequest:
    """Request of ``session.contracts.download``: the documents of a contract (protocol section 4.15).

    Every field is optional; ``None`` leaves the key out.

    Attributes:
        contract_id: Id of the contract.
        contact: Account of a party, or of one who is authorised to download: mobile number or e-mail address.
        operator_account: Account to act as, if the platform has linked it to the token; without effect otherwise.
            ``None`` leaves it to the session.
    """

    contract_id: str | None = field(default=None, validator=text)
    """Id of the contract."""
    contact: str | None = field(default=None, **SECRET_TEXT)
    """Account of a party, or of one who is authorised to download: mobile number or e-mail address."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""


class ContractStatus(StrEnum):
    """State of a contract (protocol section 6.3), in the published spelling.

    The server's own spelling of two of them, ``REFUSAL_WRIT`` and ``COMPLETE``, is read as the same state.

    Attributes:
        DRAFT: Draft.
        APPROVING: Approval before the start is in progress.
        APPROVE_FAILED: Approval before the start was refused.
        START: Started; transient.
        WRITING: Being filled in.
        REFUSAL_WRITE: Filling in was refused; final.
        SIGNING: Being signed.
        REFUSAL_SIGN: Signing, or the approval of a step, was refused; final.
        EXPIRED: Deadline passed; final.
        RECALLED: Withdrawn; final.
        COMPLETED: Completed; final.
        DELETED: Deleted; final.
        CLEAN_UP: Purged; final.
    """

    DRAFT = "DRAFT"
    """Draft."""
    APPROVING = "APPROVING"
    """Approval before the start is in progress."""
    APPROVE_FAILED = "APPROVE_FAILED"
    """Approval before the start was refused."""
    START = "START"
    """Started; transient."""
    WRITING = "WRITING"
    """Being filled in."""
    REFUSAL_WRITE = "REFUSAL_WRITE"
    """Filling in was refused; final."""
    SIGNING = "SIGNING"
    """Being signed."""
    REFUSAL_SIGN = "REFUSAL_SIGN"
    """Signing, or the approval of a step, was refused; final."""
    EXPIRED = "EXPIRED"
    """Deadline passed; final."""
    RECALLED = "RECALLED"
    """Withdrawn; final."""
    COMPLETED = "COMPLETED"
    """Completed; final."""
    DELETED = "DELETED"
    """Deleted; final."""
    CLEAN_UP = "CLEAN_UP"
    """Purged; final."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return {"REFUSAL_WRIT": cls.REFUSAL_WRITE, "COMPLETE": cls.COMPLETED}.get(str(value))


def known_contract_status(value: str) -> str:
    """Return the `ContractStatus`, or ``value`` if this version does not know it."""
    status: str = known_member(ContractStatus, value)
    return status


@frozen(kw_only=True)
class TaskParty:
    """Person whom a task waits for. ``None``: not sent.

    Attributes:
        name: Name of the person.
        contact_type: Kind of ``contact``: ``MOBILE`` or ``EMAIL``.
        contact: Mobile number or e-mail address of the account.
        extra: Unknown keys of the result, as received.
    """

    name: str | None = field(default=None, **SECRET)
    """Name of the person."""
    contact_type: str | None = None
    """Kind of ``contact``: ``MOBILE`` or ``EMAIL``."""
    contact: str | None = field(default=None, **SECRET)
    """Mobile number or e-mail address of the account."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys of the result, as received."""


@frozen(kw_only=True)
class ContractTask:
    """Open task of a contract. ``None``: not sent.

    Attributes:
        task_id: Id of the task.
        task_type: Kind of task: ``WRITE``, ``SIGN`` or ``APPROVE``.
        party_type: Kind of party: ``SENDER``, ``PERSONAL`` or ``ENTERPRISE``.
        party_name: Name of the person or enterprise on the platform: the mobile number of a person who is not
            identified, ``None`` for one whom the platform does not know.
        party_account: Internal id of the acting user.
        party: Person whom the task waits for, as in the draft; ``None`` for the sender's own tasks.
        extra: Unknown keys of the result, as received.
    """

    task_id: str
    """Id of the task."""
    task_type: str
    """Kind of task: ``WRITE``, ``SIGN`` or ``APPROVE``."""
    party_type: str | None = None
    """Kind of party: ``SENDER``, ``PERSONAL`` or ``ENTERPRISE``."""
    party_name: str | None = field(default=None, **SECRET)
    """Name of the person or enterprise on the platform: the mobile number of a person who is not identified, ``None``
    for one whom the platform does not know."""
    party_account: str | None = field(default=None, **SECRET)
    """Internal id of the acting user."""
    party: TaskParty | None = None
    """Person whom the task waits for, as in the draft; ``None`` for the sender's own tasks."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys of the result, as received."""


@frozen(kw_only=True)
class ContractTasks:
    """Result of ``session.contracts.tasks``: state and open tasks of a contract.

    Attributes:
        status: A `ContractStatus`, or the text received if this version does not know it.
        todo_task_list: Open tasks; empty in final states.
        extra: Unknown keys of the result, as received.
    """

    status: str = field(converter=known_contract_status)
    """A `ContractStatus`, or the text received if this version does not know it."""
    todo_task_list: tuple[ContractTask, ...]
    """Open tasks; empty in final states."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys of the result, as received."""


@frozen(kw_only=True)
class PageLink:
    """Result of ``session.contracts.task_url`` and ``page_url``: a page for one person.

    Attributes:
        page_url: URL of the page, a bearer secret: that of a task holds the signer's mobile number, and a link without
            login lets its holder act as the signer.
        extra: Unknown keys of the result, as received.
    """

    page_url: str = field(**SECRET)
    """URL of the page, a bearer secret: that of a task holds the signer's mobile number, and a link without login lets
    its holder act as the signer."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys of the result, as received."""
