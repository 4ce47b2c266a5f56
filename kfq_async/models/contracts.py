"""Contracts: drafts, tasks, and the requests of all operations (protocol section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Self

from attrs import evolve, field, frozen

from kfq_async.models.base import Model
from kfq_async.models.drafts import check_choice, check_documents, check_draft, check_flag, check_sequence, format_day
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
from kfq_async.models.parties import ContactType, ContractSigner, ContractUser, InternalNode, PositionParam

if TYPE_CHECKING:
    from datetime import date

    from kfq_async.models.files import UploadedAttachment, UploadedDocument


@frozen(kw_only=True)
class SignDocument(Model):
    """An uploaded file to sign.

    Attributes:
        doc_id: Id of the uploaded file; ``None`` leaves the key out.
    """

    doc_id: str | None = field(default=None, validator=text)
    """Id of the uploaded file; ``None`` leaves the key out."""


@frozen(kw_only=True)
class Annex(Model):
    """An uploaded attachment.

    Attributes:
        file_id: Id of the uploaded attachment; ``None`` leaves the key out.
    """

    file_id: str | None = field(default=None, validator=text)
    """Id of the uploaded attachment; ``None`` leaves the key out."""


@frozen(kw_only=True)
class TemplateParam(Model):
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
class SignTemplateParam(Model):
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
class ContractDraftRequest(Model):
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

    send: Literal["1", "0"] | str | None = field(default=None, validator=text)
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
    sign_order_type: Literal["ORDER", "NO_ORDER"] | str | None = field(default=None, validator=text)
    """Signing in sequence: ``ORDER`` or ``NO_ORDER``; ``None`` takes that of the business line."""
    control_change_flag: Literal["NECESSARY_NO_ADD", "NECESSARY_AND_ADD", "NOT_NECESSARY"] | str | None = field(
        default=None, validator=text
    )
    """Whether signers may move or add positions: ``NECESSARY_NO_ADD``, ``NECESSARY_AND_ADD`` or ``NOT_NECESSARY``."""
    auto_finish: Literal[1, 0] | int | None = field(default=None, validator=integer)
    """1, also meant by ``None``, finishes the contract after the last signature; 0 keeps it open for
    ``session.contracts.add_signers`` and ``finish``."""
    enterprise_name: str | None = field(default=None, validator=text)
    """Name of the initiating enterprise; the platform does not evaluate it."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""

    @classmethod
    def of(
        cls,
        documents: UploadedDocument | Sequence[UploadedDocument],
        *,
        subject: str,
        sign_re_id: str,
        operator: ContractUser,
        signers: Sequence[ContractSigner],
        expire_date: date | None = None,
        send: bool = False,
        sn: str | None = None,
        annexes: Sequence[UploadedAttachment] = (),
        template_params: Sequence[SignTemplateParam] = (),
        auto_finish: bool = True,
        together: bool = False,
        mode: Literal["free", "rule"] = "free",
        control_change_flag: Literal["NECESSARY_NO_ADD", "NECESSARY_AND_ADD", "NOT_NECESSARY"] | None = None,
    ) -> Self:
        """Return the request of a contract, after checking it for what the platform refuses without a clear reason.

        The result is an ordinary request: print it, change it with ``attrs.evolve``, store it, send it later. A request
        that is made by hand is not checked.

        Args:
            documents: Documents to sign, from ``session.files.upload_document``: one, or several of different names.
            subject: Title, at most 200 characters, none beyond the basic multilingual plane.
            sign_re_id: Id of the business line; see ``session.accounts.business_lines``.
            operator: Employee of the token's enterprise who initiates the contract, and performs the sender's steps
                that name no one else.
            signers: Parties, from `ContractSigner.sender`, ``enterprise`` and ``person``; they sign in this sequence.
            expire_date: Signing deadline, after today in China; the day itself is not included.
            send: Whether to start the contract at once; otherwise it is kept as a draft.
            sn: Contract number, at most 200 characters.
            annexes: Attachments, from ``session.files.upload_attachment``.
            template_params: Values of template controls.
            auto_finish: Whether the contract finishes after the last signature, or is kept open.
            together: Whether all parties sign at once instead of one after the other.
            mode: ``"rule"`` for a business line that prescribes the parties: ``signers`` are the receivers then, each
                with the ``order`` of the business line.
            control_change_flag: Whether signers may move or add marks; ``None`` leaves it to the business line.

        Raises:
            DraftRefused: The platform would refuse the draft, or make of it what is not meant; ``path`` names the
                argument, such as ``signers[1].date``.
            TypeError: An argument has the wrong type.
        """
        listed = check_sequence("documents", documents)
        parties = check_sequence("signers", signers)
        by_rule = check_choice("mode", mode, ("free", "rule")) == "rule"
        check_documents([document.name for document in listed])
        draft = cls(
            send="1" if check_flag("send", send) else "0",
            operator=operator,
            expire_date=format_day("expire_date", expire_date),
            sign_re_id=sign_re_id,
            sn=sn,
            subject=subject,
            sign_document_list=[SignDocument(doc_id=document.doc_id) for document in listed],
            annex_list=[Annex(file_id=annex.file_id) for annex in check_sequence("annexes", annexes)] or None,
            sign_template_param_list=check_sequence("template_params", template_params) or None,
            signer_list=_in_sequence(parties, operator, by_rule=by_rule),
            sign_order_type="NO_ORDER" if check_flag("together", together) else "ORDER",
            control_change_flag=control_change_flag,
            auto_finish=1 if check_flag("auto_finish", auto_finish) else 0,
        )
        check_draft(draft, by_rule=by_rule)
        return draft


def _in_sequence(
    signers: Sequence[ContractSigner], operator: ContractUser, *, by_rule: bool
) -> tuple[ContractSigner, ...]:
    """Return parties with their place in the sequence if they have no order, and the sender's steps with a person."""
    return tuple(
        evolve(
            signer,
            signer_order=str(number) if signer.signer_order is None and not by_rule else signer.signer_order,
            internal_node_list=signer.internal_node_list
            and tuple(_with_operator(node, operator) for node in signer.internal_node_list)
            if signer.signer_type == "SENDER"
            else signer.internal_node_list,
        )
        for number, signer in enumerate(signers, 1)
    )


def _with_operator(node: InternalNode, operator: ContractUser) -> InternalNode:
    return evolve(node, signer=operator) if node.signer is None and node.auto_sign != "AUTO_SIGN" else node


@frozen(kw_only=True)
class ContractDraft(Model):
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
class ContractTasksRequest(Model):
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
class ContractAddSignersRequest(Model):
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
class ContractApprovalRequest(Model):
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
    approval: Literal[1, 0] | int | None = field(default=None, validator=integer)
    """1 approves, 0 refuses; with any other value, or ``None``, the platform reports success and changes nothing."""
    comment: str | None = field(default=None, **SECRET_TEXT)
    """Reason of the decision, for the record."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""


@frozen(kw_only=True)
class ContractFinishRequest(Model):
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
class ContractRecallRequest(Model):
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
class ContractProxySignRequest(Model):
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
    signature_subject_type: Literal["PERSON", "EMPLOYEE"] | str | None = field(default=None, validator=text)
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
class ContractTaskUrlRequest(Model):
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
    link_type: Literal["h5", "pc"] | str | None = field(default=None, validator=text)
    """``h5`` or ``pc``; the platform ignores it."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""


@frozen(kw_only=True)
class ContractPageUrlRequest(Model):
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
class ContractDownloadRequest(Model):
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


def known_contract_status(value: str) -> ContractStatus | str:
    """Return the `ContractStatus`, or ``value`` if this version does not know it."""
    status: ContractStatus | str = known_member(ContractStatus, value)
    return status


@frozen(kw_only=True)
class TaskParty(Model):
    """Person whom a task waits for. ``None``: not sent.

    Attributes:
        name: Name of the person.
        contact_type: Kind of ``contact``: ``MOBILE`` or ``EMAIL``.
        contact: Mobile number or e-mail address of the account.
        extra: Unknown keys of the result, as received.
    """

    name: str | None = field(default=None, **SECRET)
    """Name of the person."""
    contact_type: ContactType | None = None
    """Kind of ``contact``: ``MOBILE`` or ``EMAIL``."""
    contact: str | None = field(default=None, **SECRET)
    """Mobile number or e-mail address of the account."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys of the result, as received."""


@frozen(kw_only=True)
class ContractTask(Model):
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
    task_type: Literal["WRITE", "SIGN", "APPROVE"] | str
    """Kind of task: ``WRITE``, ``SIGN`` or ``APPROVE``."""
    party_type: Literal["SENDER", "PERSONAL", "ENTERPRISE"] | str | None = None
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
class ContractTasks(Model):
    """Result of ``session.contracts.tasks``: state and open tasks of a contract.

    Attributes:
        status: A `ContractStatus`, or the text received if this version does not know it.
        todo_task_list: Open tasks; empty in final states.
        extra: Unknown keys of the result, as received.
    """

    status: ContractStatus | str = field(converter=known_contract_status)
    """A `ContractStatus`, or the text received if this version does not know it."""
    todo_task_list: tuple[ContractTask, ...]
    """Open tasks; empty in final states."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys of the result, as received."""


@frozen(kw_only=True)
class PageLink(Model):
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
