"""Business lines, and registration of enterprises and persons (protocol sections 4.1 to 4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from kfq_async.models.base import Model
from kfq_async.models.fields import MODEL, SECRET_TEXT, UNKNOWN_KEYS, integer, model, text
from kfq_async.models.parties import ContractUser


@frozen(kw_only=True)
class BusinessLinesRequest(Model):
    """Request of ``session.accounts.business_lines`` (protocol section 4.1).

    Every field is optional; ``None`` leaves the key out.

    Attributes:
        contact: Login name of a user of the token's enterprise: mobile number or e-mail address.
        operator_account: Account to act as, if the platform has linked it to the token; without effect otherwise.
            ``None`` leaves it to the session.
    """

    contact: str | None = field(default=None, **SECRET_TEXT)
    """Login name of a user of the token's enterprise: mobile number or e-mail address."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""


@frozen(kw_only=True)
class BusinessLine(Model):
    """Business line (业务线) that a user may draft contracts in.

    Attributes:
        sign_re_id: Id of the business line, for `ContractDraftRequest.sign_re_id`.
        sign_re_name: Name of the business line.
        extra: Unknown keys of the result, as received.
    """

    sign_re_id: str
    """Id of the business line, for `ContractDraftRequest.sign_re_id`."""
    sign_re_name: str
    """Name of the business line."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys of the result, as received."""


@frozen(kw_only=True)
class RegisterCompanyRequest(Model):
    """Request of ``session.accounts.register_company``: an enterprise and its operator (protocol section 4.2).

    Every field is optional; ``None`` leaves the key out. The platform stores the data and verifies nothing: the
    enterprise is not identified afterwards.

    Attributes:
        account: Operator of the enterprise; its name is not checked, and the format of its contact is.
        company_name: Name of the enterprise; if one of that name exists, the account is added to it.
        credit_code: Unified social credit code (统一社会信用代码).
        legal_person: Name of the legal representative.
        identity: Number of the legal representative's identity document.
        is_make_seal: 1 asks for a seal; at present without effect on the platform.
        operator_account: Account to act as, if the platform has linked it to the token; without effect otherwise.
            ``None`` leaves it to the session.
    """

    account: ContractUser | None = field(default=None, validator=model(ContractUser), metadata={MODEL: ContractUser})
    """Operator of the enterprise; its name is not checked, and the format of its contact is."""
    company_name: str | None = field(default=None, validator=text)
    """Name of the enterprise; if one of that name exists, the account is added to it."""
    credit_code: str | None = field(default=None, validator=text)
    """Unified social credit code (统一社会信用代码)."""
    legal_person: str | None = field(default=None, **SECRET_TEXT)
    """Name of the legal representative."""
    identity: str | None = field(default=None, **SECRET_TEXT)
    """Number of the legal representative's identity document."""
    is_make_seal: Literal[1] | int | None = field(default=None, validator=integer)
    """1 asks for a seal; at present without effect on the platform."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""


@frozen(kw_only=True)
class RegisterPersonRequest(Model):
    """Request of ``session.accounts.register_person``: a person (protocol section 4.3).

    Every field is optional; ``None`` leaves the key out. The platform stores the data and verifies nothing: the person
    is not identified afterwards.

    Attributes:
        account: Account of the person.
        id_card_type: Kind of identity document: 1 mainland ID card, 2 residence permit for Hong Kong and Macao
            residents, 3 for Taiwan residents, 4 mainland travel permit for Hong Kong and Macao residents, 5 for Taiwan
            residents, 6 foreigner's permanent residence card, 7 passport.
        identity: Number of the identity document.
        mobile: Additional mobile number: 11 digits, starting with 13 to 19.
        bank_card: Number of a bank card.
        operator_account: Account to act as, if the platform has linked it to the token; without effect otherwise.
            ``None`` leaves it to the session.
    """

    account: ContractUser | None = field(default=None, validator=model(ContractUser), metadata={MODEL: ContractUser})
    """Account of the person."""
    id_card_type: Literal[1, 2, 3, 4, 5, 6, 7] | int | None = field(default=None, validator=integer)
    """Kind of identity document: 1 mainland ID card, 2 residence permit for Hong Kong and Macao residents, 3 for Taiwan
    residents, 4 mainland travel permit for Hong Kong and Macao residents, 5 for Taiwan residents, 6 foreigner's
    permanent residence card, 7 passport."""
    identity: str | None = field(default=None, **SECRET_TEXT)
    """Number of the identity document."""
    mobile: str | None = field(default=None, **SECRET_TEXT)
    """Additional mobile number: 11 digits, starting with 13 to 19."""
    bank_card: str | None = field(default=None, **SECRET_TEXT)
    """Number of a bank card."""
    operator_account: str | None = field(default=None, **SECRET_TEXT)
    """Account to act as, if the platform has linked it to the token; without effect otherwise. ``None`` leaves it to
    the session."""
