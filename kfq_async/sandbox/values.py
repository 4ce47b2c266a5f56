"""Values that a strict sandbox refuses although they have the right type. Pure.

Refused are values outside the documented lists, malformed URLs, accounts that are neither a mobile number nor an e-mail
address, an empty request for identification, and what the platform would silently drop. The forms of numbers are not
checked, because no source documents them: neither check digits nor lengths.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import fields_dict, frozen

from kfq_async.models.identity import CorpIdentInfo, OprIdentInfo
from kfq_async.models.urls import parse_http_url
from kfq_async.protocol.codec import camel
from kfq_async.protocol.requests import REQUEST_ID
from kfq_async.sandbox.checks import Refused
from kfq_async.sandbox.dates import strict_date

if TYPE_CHECKING:
    from attrs import AttrsInstance

__all__ = ["EMAIL", "MOBILE", "check_identity_values", "check_values"]

MOBILE = re.compile(r"1[3-9][0-9]{9}")
EMAIL = re.compile(r"[A-Za-z0-9+_.-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}")
"""Forms of accounts in the contract family (protocol section 4.2)."""
_ACCOUNT = re.compile(r"(?:\+?86)?1[3-9][0-9]{9}|[^@\s]++@(?:[^@\s.]++\.)++[^@\s.]++")
"""Account of an operator, whose form is not documented any further (protocol section 3)."""
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_ORIGIN = re.compile(r"(?:[^/?#]*//)?[^/?#]*")
_UNSAFE = re.compile(r"[ \\]|%(?![0-9A-Fa-f]{2})")
"""What no URL holds: spaces, backslashes, and percent signs that begin no escape."""
_NOT_THE_REQUEST = {REQUEST_ID, "callbackPage", "authCallbackUrl"}
"""Fields that name no company and no operator; the client, and `CallbackUrls.bind`, add them to every request."""
_BAD_FORMAT, _UNSUPPORTED = 23000, 31000
# `kfq_async.redaction` knows these sentences, and shows no others.
_NO_ACCOUNT = "must be a mobile number or an e-mail address"
_NO_URL = "must be a complete http or https URL"
_DROPPED = ": the platform would silently drop it"
_NO_DECISION = ": the platform would answer with success, and silently drop it"

Check = Callable[[Any], str | None]
"""Returns what is wrong with a value."""


@frozen
class _Problem:
    path: str
    text: str
    code: int = _BAD_FORMAT


def check_values(path: str, fields: Mapping[str, Any]) -> None:
    """Raise `Refused`, with the place of every improper value, for the fields of an operation of the contract family.

    ``path`` is that of the operation, such as ``/contract/draft``.
    """
    problems = list(_find_problems(fields, "$"))
    if path == "/contract/approval" and "approval" not in fields:
        problems.append(_Problem("$.approval", f"required key missing{_NO_DECISION}"))
    _refuse(problems)


def check_identity_values(fields: Mapping[str, Any]) -> None:
    """Raise `Refused`, with the path of every improper value, for a request for an identification link."""
    problems = list(_find_problems(fields, "$"))
    if all(_is_empty(value) for name, value in fields.items() if name not in _NOT_THE_REQUEST):
        problems.append(_Problem("$", "the request is empty: it needs corpIdentInfo or accountName"))
    _refuse(problems)


def _refuse(problems: Sequence[_Problem]) -> None:
    if problems:
        text = "；".join(f"{problem.text} @ {problem.path}" for problem in problems)
        raise Refused(problems[0].code, f"请求字段校验失败：{text}")


def _is_empty(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_is_empty, value.values()))
    return value in ("", [])


def _find_problems(fields: Mapping[str, Any], path: str) -> Iterator[_Problem]:
    """Find the problems of an object and of those below it."""
    parent = path.rpartition(".")[2]
    for name, value in fields.items():
        check = _CHECKS.get(name) or _CHECKS.get(f"{parent}.{name}")
        for place, item in _items(value, f"{path}.{name}"):
            problem = check(item) if check else None
            if problem is not None:
                yield _Problem(place, problem, _UNSUPPORTED if name in _REFUSED_WITH_31000 else _BAD_FORMAT)
            if isinstance(item, dict):
                yield from _find_problems(item, place)
    yield from _find_mismatches(fields, path)


def _items(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Yield a value, or each item of a list, with its path."""
    if not isinstance(value, list):
        yield path, value
        return
    for index, item in enumerate(value):
        yield f"{path}[{index}]", item


def _find_mismatches(fields: Mapping[str, Any], path: str) -> Iterator[_Problem]:
    """Find the fields of one object that do not fit each other, or that the platform would drop."""
    form = _CONTACTS.get(fields.get("contactType", ""))
    if form is not None and fields.get("contact") and form.fullmatch(fields["contact"]) is None:
        yield _Problem(f"{path}.contact", f"must be an account of contactType {fields['contactType']}")
    if "pageUrlExpireTime" in fields and not fields.get("noLogin"):
        yield _Problem(f"{path}.pageUrlExpireTime", f"needs noLogin{_DROPPED}")
    if fields.get("controlType") == "CHOP_STAMP" and fields.get("pageConfig", "ALL") not in _CHOP_PAGES:
        yield _Problem(f"{path}.pageConfig", f"must be one of {', '.join(_CHOP_PAGES)}{_DROPPED}")
    for index, node in enumerate(fields.get("internalNodeList", ())):
        yield from _find_dropped(node, f"{path}.internalNodeList[{index}]", fields.get("signerType"))


def _find_dropped(node: Mapping[str, Any], path: str, signer_type: str | None) -> Iterator[_Problem]:
    is_seal = node.get("nodeType") == "ENTERPRISE_SEAL"
    if "autoSign" in node and not (is_seal and signer_type == "SENDER"):
        yield _Problem(f"{path}.autoSign", f"is for ENTERPRISE_SEAL of the SENDER only{_DROPPED}")
    for name in ("personalSignAuth", "sealType"):
        if name in node and is_seal:
            yield _Problem(f"{path}.{name}", f"is not for ENTERPRISE_SEAL{_DROPPED}")


def _one_of(*allowed: object, more: str = "") -> Check:
    problem = f"must be one of {', '.join(map(str, allowed))}{more}"
    return lambda value: None if value in allowed else problem


def _matches(form: re.Pattern[str], problem: str) -> Check:
    return lambda value: None if form.fullmatch(value) else problem


def _day(value: str) -> str | None:
    try:
        strict_date(value)
    except ValueError:
        return f"must be an existing day yyyy-MM-dd{_DROPPED}"
    return None


def _base64(value: str) -> str | None:
    if len(value) % 4 == 0 and _BASE64.fullmatch(value):
        return None
    return "must be padded base64: the platform would silently drop other characters"


def _page(value: str) -> str | None:
    """Return what is wrong with a URL for browsers, which may have a fragment."""
    if not value.isprintable() or _UNSAFE.search(value):
        return _NO_URL
    try:
        parse_http_url("the URL", _ORIGIN.findall(value)[0], example="https://your-domain.com")
    except ValueError:
        return _NO_URL
    return None


def _callback(value: str) -> str | None:
    """Return what is wrong with a URL for notifications."""
    return _page(value) or (f"must be a URL without fragment{_DROPPED}" if "#" in value else None)


def _wire_names(model: type[AttrsInstance]) -> Iterator[str]:
    return map(camel, fields_dict(model))


_CHOP_PAGES = ("ALL", "EVEN_NUMBER", "ODD_NUMBER")
_CONTACTS = {"MOBILE": MOBILE, "EMAIL": EMAIL}
_FLAG = _one_of(0, 1)
_CHECKS: Mapping[str, Check] = {
    # Identification: protocol section 3.
    "accountName": _matches(_ACCOUNT, _NO_ACCOUNT),
    "companyType": _one_of(1, 2, 3),
    "idCardType": _one_of(1, 2, 3, 4, 5, 6, 7),
    "corpVerifyMethods": _one_of("legalRep", "invite", "letter"),
    "personVerifyMethods": _one_of("face", "mobile"),
    "corpIdentConfig.unmodifiableParams": _one_of(*_wire_names(CorpIdentInfo)),
    "oprIdentConfig.unmodifiableParams": _one_of(*_wire_names(OprIdentInfo)),
    "callbackPage": _page,
    "authCallbackUrl": _callback,
    # Persons and parties: section 4.0.
    "$.contact": lambda value: None if MOBILE.fullmatch(value) or EMAIL.fullmatch(value) else _NO_ACCOUNT,
    "contactType": _one_of(*_CONTACTS),
    "signerType": _one_of(
        "SENDER",
        "RECEIVER_ENT",
        "RECEIVER_PERSONAL",
        more=": the platform would silently drop this party",
    ),
    "nodeType": _one_of("ENTERPRISE_SEAL", "AGENT_SIGN", "LEGAL_PERSON_SIGN", "PERSONAL_SIGN", "APPROVER_CHECK"),
    "autoSign": _one_of("AUTO_SIGN"),
    "signConfirm": _one_of("FACE"),
    "verifyType": _one_of("CAPTCHA", "PASSWORD", "DOUBLE", "FACE"),
    "agreeSkipWillingness": _FLAG,
    "personalSignAuth": _one_of("required", "allowed", "not_required"),
    "sealType": _one_of("NOLIMIT", "TEMPLATE", "HAND"),
    # Positions: section 4.0.
    "controlType": _one_of("SIGNATURE", "SEAL", "SIGN_DATE", "CHOP_STAMP"),
    "signPositionType": _one_of("POSITION", "KEYWORD"),
    "docType": _one_of("1", "2"),
    "signDateFormat": _one_of("YEAR_MONTH_DAY", "LINE", "BACK_SLASH"),
    "keywordType": _one_of("1", "0", "-1"),
    "controlWidth": _matches(_DECIMAL, "must be a number"),
    "controlHeight": _matches(_DECIMAL, "must be a number"),
    # Operations: sections 4.2 to 4.14.
    "isMakeSeal": _FLAG,
    "file": _base64,
    "send": _one_of("0", "1"),
    "expireDate": _day,
    "signOrderType": _one_of("ORDER", "NO_ORDER"),
    "controlChangeFlag": _one_of("NECESSARY_NO_ADD", "NECESSARY_AND_ADD", "NOT_NECESSARY"),
    "autoFinish": _FLAG,
    "approval": _one_of(0, 1, more=_NO_DECISION),
    "signatureSubjectType": _one_of("PERSON", "EMPLOYEE"),
    "linkType": _one_of("h5", "pc"),
}
"""Checks by the field's name on the wire; with the object that holds it where the name alone does not tell."""
_REFUSED_WITH_31000 = {"contactType", "controlType", "signPositionType", "docType", "signatureSubjectType"}
"""Fields whose improper values the platform refuses itself, with this code; the sandbox adds the path."""
