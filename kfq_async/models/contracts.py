"""Contracts: drafts, parties, sign positions, tasks, and the requests of all operations (protocol section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from inspect import currentframe
from typing import TYPE_CHECKING, Literal, Self, TypeAlias
from warnings import warn

from attrs import evolve, field, fields_dict, frozen

from kfq_async.base_errors import DraftRefused
from kfq_async.models.anchors import Anchor, WirePosition, check_whole
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
from kfq_async.models.masking import type_name

if TYPE_CHECKING:
    from datetime import date

    from kfq_async.models.files import UploadedAttachment, UploadedDocument

Anchors: TypeAlias = Anchor | Sequence[Anchor]
"""One place of a mark, or several."""
DateFormat: TypeAlias = Literal["YEAR_MONTH_DAY", "LINE", "BACK_SLASH"]


class PlatformFaultWarning(UserWarning):
    """The draft asks for something that a measured release of the platform accepts and cannot do."""


@frozen(kw_only=True)
class ContractUser(Model):
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

    @classmethod
    def mobile(cls, name: str, number: str) -> Self:
        """Return a person with a mobile number."""
        return cls(name=name, contact_type="MOBILE", contact=number)

    @classmethod
    def email(cls, name: str, address: str) -> Self:
        """Return a person with an e-mail address."""
        return cls(name=name, contact_type="EMAIL", contact=address)


@frozen(kw_only=True)
class RelationDoc(Model):
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
class PositionParam(Model):
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
class InternalNode(Model):
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

    @classmethod
    def seal(
        cls,
        place: Anchors | None = None,
        *,
        seal_id: str | None = None,
        by: ContractUser | None = None,
        auto: bool = False,
        chop: Anchors | None = None,
        date: Anchors | None = None,
        date_format: DateFormat = "YEAR_MONTH_DAY",
    ) -> Self:
        """Return the step that applies the enterprise's seal.

        Args:
            place: Places of the seal.
            seal_id: Id of the seal; the sender's must have one.
            by: Person who applies it; ``None`` for an automatic seal, and for the sender's operator.
            auto: Whether the platform applies it by itself; only for the sender.
            chop: Height of a cross-page seal (骑缝签), on all pages.
            date: Places of a date; see `ContractSigner.person`.
            date_format: Format of the date.

        Raises:
            DraftRefused: A place cannot be reached; the text names the argument.
            TypeError: An argument has the wrong type.
        """
        return cls(
            node_type="ENTERPRISE_SEAL",
            signer=by,
            auto_sign="AUTO_SIGN" if auto else None,
            seal_id=seal_id,
            position_param_list=_positions(seal=place, chop=chop, date=date, date_format=date_format),
        )

    @classmethod
    def sign(
        cls,
        place: Anchors | None = None,
        *,
        by: ContractUser | None = None,
        kind: Literal["AGENT_SIGN", "LEGAL_PERSON_SIGN", "PERSONAL_SIGN"] = "AGENT_SIGN",
        date: Anchors | None = None,
        date_format: DateFormat = "YEAR_MONTH_DAY",
    ) -> Self:
        """Return the step in which a person of the enterprise signs.

        Args:
            place: Places of the signature.
            by: The person; ``None`` for the sender's operator.
            kind: Whether the person signs as agent, as legal representative, or personally.
            date: Places of a date; see `ContractSigner.person`.
            date_format: Format of the date.

        Raises:
            DraftRefused: A place cannot be reached; the text names the argument.
            TypeError: An argument has the wrong type.
        """
        return cls(
            node_type=kind,
            signer=by,
            position_param_list=_positions(sign=place, date=date, date_format=date_format),
        )

    @classmethod
    def approve(cls, *, by: ContractUser | None = None) -> Self:
        """Return the step in which an employee of the sender approves; ``None`` for its operator."""
        return cls(node_type="APPROVER_CHECK", signer=by)


@frozen(kw_only=True)
class ContractSigner(Model):
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

    @classmethod
    def sender(
        cls,
        *,
        seal: Anchors | None = None,
        seal_id: str | None = None,
        auto: bool = False,
        by: ContractUser | None = None,
        chop: Anchors | None = None,
        date: Anchors | None = None,
        date_format: DateFormat = "YEAR_MONTH_DAY",
        nodes: Sequence[InternalNode] | None = None,
        order: int | None = None,
    ) -> Self:
        """Return the enterprise that sends the contract, with one seal, or with the steps of ``nodes``.

        Args:
            seal: Places of the seal.
            seal_id: Id of the seal.
            auto: Whether the platform applies the seal by itself.
            by: Person who applies it; ``None`` for the operator of the draft.
            chop: Height of a cross-page seal (骑缝签), on all pages.
            date: Places of a date; see `person`.
            date_format: Format of the date.
            nodes: Several steps, in place of all this: `InternalNode.seal`, ``sign`` and ``approve``.
            order: Signing order; ``None`` for the place in the sequence.

        Raises:
            DraftRefused: A place cannot be reached; the text names the argument.
            TypeError: An argument has the wrong type, or ``nodes`` are given with others.
        """
        if nodes is None:
            steps = [
                InternalNode.seal(
                    seal, seal_id=seal_id, by=by, auto=auto, chop=chop, date=date, date_format=date_format
                )
            ]
        else:
            _check_alone(nodes, seal=seal, seal_id=seal_id, by=by, chop=chop, date=date)
            steps = list(nodes)
        return cls(signer_type="SENDER", signer_order=_order(order), internal_node_list=_numbered(steps))

    @classmethod
    def enterprise(
        cls,
        name: str,
        *,
        by: ContractUser | None = None,
        seal: Anchors | None = None,
        sign: Anchors | None = None,
        chop: Anchors | None = None,
        date: Anchors | None = None,
        date_format: DateFormat = "YEAR_MONTH_DAY",
        nodes: Sequence[InternalNode] | None = None,
        order: int | None = None,
    ) -> Self:
        """Return an enterprise that receives the contract, whose agent signs and seals, or with the steps of ``nodes``.

        Args:
            name: Name of the enterprise.
            by: Person who signs and applies the seal.
            seal: Places of the seal.
            sign: Places of the agent's signature, which comes first.
            chop: Height of a cross-page seal (骑缝签), on all pages.
            date: Places of a date, beside the seal or else the signature; see `person`.
            date_format: Format of the date.
            nodes: Several steps, in place of all this: `InternalNode.seal` and ``sign``.
            order: Signing order; ``None`` for the place in the sequence.

        Raises:
            DraftRefused: A place cannot be reached; the text names the argument.
            TypeError: An argument has the wrong type, or ``nodes`` are given with others.
        """
        if nodes is None:
            sealed = seal is not None or chop is not None or sign is None
            steps = []
            if sign is not None:
                steps.append(InternalNode.sign(sign, by=by, date=None if sealed else date, date_format=date_format))
            if sealed:
                steps.append(InternalNode.seal(seal, by=by, chop=chop, date=date, date_format=date_format))
        else:
            _check_alone(nodes, by=by, seal=seal, sign=sign, chop=chop, date=date)
            steps = list(nodes)
        return cls(
            signer_type="RECEIVER_ENT",
            signer_name=name,
            signer_order=_order(order),
            internal_node_list=_numbered(steps),
        )

    @classmethod
    def person(
        cls,
        user: ContractUser,
        *,
        sign: Anchors | None = None,
        date: Anchors | None = None,
        date_format: DateFormat = "YEAR_MONTH_DAY",
        order: int | None = None,
    ) -> Self:
        """Return a person who receives the contract, and signs it.

        Args:
            user: The person.
            sign: Places of the signature; ``None`` leaves them to the signer, where the business line allows it.
            date: Places of a date, which warns with `PlatformFaultWarning`: release 3.2 of the self-hosted platform
                starts such a contract, and cannot sign it.
            date_format: Format of the date: ``YEAR_MONTH_DAY`` (yyyy年MM月dd日), ``LINE`` (yyyy-MM-dd) or
                ``BACK_SLASH`` (yyyy/MM/dd).
            order: Signing order; ``None`` for the place in the sequence.

        Raises:
            DraftRefused: A place cannot be reached; the text names the argument.
            TypeError: An argument has the wrong type.
        """
        return cls(
            signer_type="RECEIVER_PERSONAL",
            signer_name=user.name,
            signer_order=_order(order),
            receiver=user,
            position_param_list=_positions(sign=sign, date=date, date_format=date_format),
        )


CONTROL_TYPES = {"sign": "SIGNATURE", "seal": "SEAL", "chop": "CHOP_STAMP", "date": "SIGN_DATE"}
"""Kind of mark by the argument that places it."""


def _positions(*, date_format: str, **anchors: Anchors | None) -> tuple[PositionParam, ...] | None:
    """Return the positions of marks, or ``None``; raise `DraftRefused` or `TypeError` that names the argument."""
    positions = [
        _position(control_type, anchor, position, date_format)
        for name, control_type in CONTROL_TYPES.items()
        for anchor in _anchors(name, anchors.get(name))
        for position in _wire_positions(name, anchor, control_type)
    ]
    if anchors.get("date") is not None:
        warn(
            "a contract with a date mark starts, but release 3.2 of the self-hosted platform cannot sign it: leave "
            "date out, and let the signature's own time tell it",
            PlatformFaultWarning,
            stacklevel=_levels_outside(),
        )
    return tuple(positions) or None


def _levels_outside() -> int:
    """Return how many frames above its caller the first one outside this module is."""
    frame, levels = currentframe(), 0
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame, levels = frame.f_back, levels + 1
    return levels


def _anchors(name: str, value: object) -> Sequence[Anchor]:
    found = () if value is None else (value,) if isinstance(value, Anchor) else value
    if isinstance(found, str | bytes) or not isinstance(found, Sequence):
        raise TypeError(f"{name} must be an anchor, such as document.keyword(...), not {type_name(value)}")
    for item in found:
        if not isinstance(item, Anchor):
            raise TypeError(f"{name} must hold anchors, such as document.keyword(...), not {type_name(item)}")
    return found


def _wire_positions(name: str, anchor: Anchor, control_type: str) -> list[WirePosition]:
    try:
        return list(anchor.place(control_type))
    except ValueError as problem:
        text = str(problem)
    raise DraftRefused(name, text)


def _position(control_type: str, anchor: Anchor, position: WirePosition, date_format: str) -> PositionParam:
    return PositionParam(
        control_type=control_type,
        relation_doc_list=(RelationDoc(doc_type="1", doc_id=anchor.doc_id),),
        sign_date_format=date_format if control_type == "SIGN_DATE" else None,
        **{name: getattr(position, name) for name in fields_dict(WirePosition)},
    )


def _order(order: int | None) -> str | None:
    if order is not None:
        check_whole("order", order)
    return None if order is None else str(order)


def _numbered(steps: Sequence[InternalNode]) -> tuple[InternalNode, ...]:
    """Return steps with their place in the sequence where they have no order."""
    return tuple(
        step if step.signer_order is not None else evolve(step, signer_order=str(number))
        for number, step in enumerate(steps, 1)
    )


def _check_alone(nodes: object, **others: object) -> None:
    if isinstance(nodes, InternalNode | str) or not isinstance(nodes, Sequence):
        raise TypeError(f"nodes must be a sequence of InternalNode, not {type_name(nodes)}: write a list, even for one")
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise TypeError(f"{given[0]} does not go with nodes: give it to InternalNode.seal or InternalNode.sign")


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
    approval: int | None = field(default=None, validator=integer)
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
    link_type: str | None = field(default=None, validator=text)
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


def known_contract_status(value: str) -> str:
    """Return the `ContractStatus`, or ``value`` if this version does not know it."""
    status: str = known_member(ContractStatus, value)
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
    contact_type: str | None = None
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
class ContractTasks(Model):
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
