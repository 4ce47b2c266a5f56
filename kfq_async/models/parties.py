"""Parties of a contract: persons, steps, and the positions of their marks (protocol section 4.0)."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import currentframe
from typing import Literal, Self, TypeAlias
from warnings import warn

from attrs import evolve, field, fields_dict, frozen

from kfq_async.base_errors import DraftRefused
from kfq_async.models.anchors import CONTROL_TYPES, Anchor, DateFormat, WirePosition, check_whole
from kfq_async.models.base import Model
from kfq_async.models.fields import MODEL, SECRET_TEXT, as_tuple, integer, model, models, text
from kfq_async.models.masking import type_name

__all__ = [
    "Anchors",
    "ContactType",
    "ContractSigner",
    "ContractUser",
    "InternalNode",
    "NodeType",
    "PlatformFaultWarning",
    "PositionParam",
    "RelationDoc",
]

Anchors: TypeAlias = Anchor | Sequence[Anchor]
"""One place of a mark, or several."""
ContactType: TypeAlias = Literal["MOBILE", "EMAIL"] | str
"""Kind of account of a person."""
NodeType: TypeAlias = (
    Literal["ENTERPRISE_SEAL", "AGENT_SIGN", "LEGAL_PERSON_SIGN", "PERSONAL_SIGN", "APPROVER_CHECK"] | str
)
"""Step inside an enterprise."""
VerifyType: TypeAlias = Literal["CAPTCHA", "PASSWORD", "DOUBLE", "FACE"] | str
"""Intent check."""
PersonalSignAuth: TypeAlias = Literal["required", "allowed", "not_required"] | str
"""Identification of a person who signs."""
SealType: TypeAlias = Literal["NOLIMIT", "TEMPLATE", "HAND"] | str
"""Kind of signature."""


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
    contact_type: ContactType | None = field(default=None, validator=text)
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

    doc_type: Literal["1", "2"] | str | None = field(default=None, validator=text)
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
            (cross-page seal of an enterprise, 骑缝章).
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

    control_type: Literal["SIGNATURE", "SEAL", "SIGN_DATE", "CHOP_STAMP"] | str | None = field(
        default=None, validator=text
    )
    """Kind of mark: ``SIGNATURE``, ``SEAL`` (of an enterprise only), ``SIGN_DATE`` or ``CHOP_STAMP`` (cross-page seal
    of an enterprise, 骑缝章)."""
    sign_position_type: Literal["POSITION", "KEYWORD"] | str | None = field(default=None, validator=text)
    """How the place is given: ``POSITION`` (coordinates) or ``KEYWORD``."""
    relation_doc_list: tuple[RelationDoc, ...] | None = field(
        default=None, converter=as_tuple, validator=models(RelationDoc), metadata={MODEL: RelationDoc}
    )
    """Documents to mark."""
    sign_date_format: DateFormat | str | None = field(default=None, validator=text)
    """Format of the date: ``YEAR_MONTH_DAY`` (yyyy年MM月dd日), ``LINE`` (yyyy-MM-dd) or ``BACK_SLASH`` (yyyy/MM/dd);
    required for ``SIGN_DATE``, although it is documented to have a default."""
    page_config: Literal["ALL"] | str | None = field(default=None, validator=text)
    """Pages to mark, for ``POSITION``: ``ALL``, or a list counted from 1 such as ``1,2,7-10``, of digits, commas and
    hyphens only. A page that stands twice is marked twice; ``CHOP_STAMP`` reads any list as ``ALL``."""
    keyword: str | None = field(default=None, validator=text)
    """Text to find, for ``KEYWORD``: in one piece, without blanks and ``: . ( ) / ; ! ? [ ]``; of a text with a comma
    the part before it is looked for. The mark is placed at the beginning of the text without blanks that holds the
    keyword, in Chinese usually that of the line."""
    keyword_type: Literal["1", "0", "-1"] | str | None = field(default=None, validator=text)
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

    node_type: NodeType | None = field(default=None, validator=text)
    """Step: ``ENTERPRISE_SEAL``, ``AGENT_SIGN``, ``LEGAL_PERSON_SIGN``, ``PERSONAL_SIGN`` or ``APPROVER_CHECK``."""
    signer_order: str | None = field(default=None, validator=text)
    """Order inside the enterprise: a decimal integer as text."""
    signer: ContractUser | None = field(default=None, validator=model(ContractUser), metadata={MODEL: ContractUser})
    """Person who performs the step."""
    auto_sign: Literal["AUTO_SIGN"] | str | None = field(default=None, validator=text)
    """``AUTO_SIGN`` applies the seal automatically; only for the sender's ``ENTERPRISE_SEAL``."""
    seal_id: str | None = field(default=None, validator=text)
    """Id of the enterprise seal."""
    position_param_list: tuple[PositionParam, ...] | None = field(
        default=None, converter=as_tuple, validator=models(PositionParam), metadata={MODEL: PositionParam}
    )
    """Sign positions."""
    sign_confirm: Literal["FACE"] | str | None = field(default=None, validator=text)
    """``FACE`` forces a face check, whatever ``verify_type``; ``None`` does not."""
    verify_type: VerifyType | None = field(default=None, validator=text)
    """Intent check: ``CAPTCHA``, ``PASSWORD``, ``DOUBLE`` (both) or ``FACE``; ``None`` lets the signer choose."""
    agree_skip_willingness: Literal[1] | int | None = field(default=None, validator=integer)
    """1 signs without an intent check where that service is enabled."""
    personal_sign_auth: PersonalSignAuth | None = field(default=None, validator=text)
    """Identification of the person: ``required``, ``allowed`` or ``not_required``."""
    seal_type: SealType | None = field(default=None, validator=text)
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
            chop: Height of a cross-page seal (骑缝章), on all pages.
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

    signer_type: Literal["SENDER", "RECEIVER_ENT", "RECEIVER_PERSONAL"] | str | None = field(
        default=None, validator=text
    )
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
    sign_confirm: Literal["FACE"] | str | None = field(default=None, validator=text)
    """``FACE`` forces a face check, whatever ``verify_type``; ``None`` does not."""
    verify_type: VerifyType | None = field(default=None, validator=text)
    """Intent check: ``CAPTCHA``, ``PASSWORD``, ``DOUBLE`` (both) or ``FACE``; ``None`` lets the signer choose."""
    agree_skip_willingness: Literal[1] | int | None = field(default=None, validator=integer)
    """1 signs without an intent check where that service is enabled."""
    personal_sign_auth: PersonalSignAuth | None = field(default=None, validator=text)
    """Identification of the person: ``required``, ``allowed`` or ``not_required``."""
    seal_type: SealType | None = field(default=None, validator=text)
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
            chop: Height of a cross-page seal (骑缝章), on all pages.
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
            chop: Height of a cross-page seal (骑缝章), on all pages.
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
        if not isinstance(user, ContractUser):
            raise TypeError(f"user must be a ContractUser, such as ContractUser.mobile(...), not {type_name(user)}")
        return cls(
            signer_type="RECEIVER_PERSONAL",
            signer_name=user.name,
            signer_order=_order(order),
            receiver=user,
            position_param_list=_positions(sign=sign, date=date, date_format=date_format),
        )


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
