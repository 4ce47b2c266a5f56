"""The sandbox's operations on accounts: business lines, and registrations (protocol sections 4.1 to 4.3)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from kfq_async.sandbox.binding import PERSON, Shape
from kfq_async.sandbox.checks import Refused, check_column, success
from kfq_async.sandbox.gateway import ApiOperation
from kfq_async.sandbox.store import RegisteredAccount
from kfq_async.sandbox.values import EMAIL, MOBILE

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Mapping

    from kfq_async.sandbox.checks import PlatformResponse
    from kfq_async.sandbox.directory import Directory
    from kfq_async.sandbox.gateway import ApiCall

__all__ = ["AccountService"]

MAX_COMPANY_NAME = 32

_BUSINESS_LINES: Mapping[str, Shape] = {"contact": str}
_COMPANY: Mapping[str, Shape] = {
    "account": PERSON,
    "companyName": str,
    "creditCode": str,
    "legalPerson": str,
    "identity": str,
    "isMakeSeal": int,
}
_PERSON: Mapping[str, Shape] = {
    "account": PERSON,
    "idCardType": int,
    "identity": str,
    "mobile": str,
    "bankCard": str,
}
_FORMATS = {"MOBILE": MOBILE, "EMAIL": EMAIL}


class AccountService:
    """Business lines of a member, and registrations, which last as long as the store."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def operations(self) -> Iterable[ApiOperation]:
        """Return the operations."""
        yield ApiOperation(method="GET", path="/signRes", shape=_BUSINESS_LINES, handler=self._business_lines)
        yield ApiOperation(method="POST", path="/companyCreateAndAuth", shape=_COMPANY, handler=self._register_company)
        yield ApiOperation(method="POST", path="/personCreateAndAuth", shape=_PERSON, handler=self._register_person)

    def _business_lines(self, call: ApiCall) -> PlatformResponse:
        contact = call.fields.get("contact", "")
        if not contact or self._directory.account(contact) is None:
            raise Refused(31000, f"账号 {contact} 不存在")
        if not self._directory.is_member(call.enterprise, contact):
            raise Refused(31000, f"账号 {contact} 不属于企业 {call.enterprise.name}")
        return success(
            [
                {"signReId": line.sign_re_id, "signReName": line.sign_re_name}
                for line in call.enterprise.lines
                if line.enabled
            ]
        )

    def _register_company(self, call: ApiCall) -> PlatformResponse:
        account = _checked_account(call)
        if not account.get("contact"):
            raise Refused(21000, "缺少 account.contact")
        _check_format("account.contact", account["contact"], _FORMATS[account["contactType"]])
        check_column(call.quirks, "companyName", call.fields.get("companyName"), MAX_COMPANY_NAME)
        check_column(call.quirks, "legalPerson", call.fields.get("legalPerson"))
        return self._register(call, account, call.fields.get("companyName"))

    def _register_person(self, call: ApiCall) -> PlatformResponse:
        account = _checked_account(call)
        _check_format("account.contact", account.get("contact", ""), _FORMATS[account["contactType"]])
        if call.fields.get("mobile"):
            _check_format("mobile", call.fields["mobile"], MOBILE)
        return self._register(call, account, None)

    def _register(self, call: ApiCall, account: Mapping[str, Any], company_name: str | None) -> PlatformResponse:
        """Store the account; it stays unidentified in spite of the operation's name."""
        name = account.get("name", "")
        check_column(call.quirks, "account.name", name)
        self._directory.register(
            RegisteredAccount(
                registration_id=secrets.token_hex(16),
                contact=account["contact"],
                contact_type=account["contactType"],
                name=name,
                company_name=company_name,
            )
        )
        return success(None)


def _checked_account(call: ApiCall) -> Mapping[str, Any]:
    account: Mapping[str, Any] | None = call.fields.get("account")
    if account is None:
        raise Refused(21000, "缺少 account")
    if not account.get("contactType"):
        raise Refused(21000, "缺少 account.contactType")
    if account["contactType"] not in _FORMATS:
        raise Refused(31000, f"不支持的联系方式类型 {account['contactType']}")
    return account


def _check_format(field: str, value: str, form: re.Pattern[str]) -> None:
    if not form.fullmatch(value):
        raise Refused(23000, f"{field} 格式不正确")
