"""Which column is which field of a request, and what request a row's cells make."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from kfq_async.errors import SourceError
from kfq_async.models.identity import (
    CorpIdentConfig,
    CorpIdentInfo,
    CorpIdentLinkRequest,
    OprIdentConfig,
    OprIdentInfo,
)
from kfq_async.onboarding.input.cells import Value, as_code, as_company_type, as_id, as_number, as_text, as_texts
from kfq_async.onboarding.input.table import column_name
from kfq_async.onboarding.records import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["FIELDS", "PERSONAL", "Columns", "field_of", "index_of", "looks_like_data", "nearest"]


_PARTS: dict[str, Callable[..., Any]] = {
    "corp_ident_info": CorpIdentInfo,
    "corp_ident_config": CorpIdentConfig,
    "opr_ident_info": OprIdentInfo,
    "opr_ident_config": OprIdentConfig,
}


@frozen
class _Field:
    """A field of the request that a column can fill."""

    path: str
    """Where it is in the request."""
    read: Callable[[str], tuple[Value, str]]


FIELDS: Mapping[str, _Field] = {
    "company_name": _Field("corp_ident_info.company_name", as_text),
    "credit_code": _Field("corp_ident_info.credit_code", as_code),
    "legal_rep_name": _Field("corp_ident_info.legal_rep_name", as_text),
    "company_type": _Field("corp_ident_info.company_type", as_company_type),
    "account_name": _Field("account_name", as_code),
    "client_user_id": _Field("client_user_id", as_id),
    "operator_name": _Field("opr_ident_info.name", as_text),
    "id_card": _Field("opr_ident_info.id_card", as_code),
    "id_card_type": _Field("opr_ident_info.id_card_type", as_number),
    "mobile": _Field("opr_ident_info.mobile", as_code),
    "bank_card": _Field("opr_ident_info.bank_card", as_code),
    "corp_verify_methods": _Field("corp_ident_config.corp_verify_methods", as_texts),
    "person_verify_methods": _Field("opr_ident_config.person_verify_methods", as_texts),
    "corp_unmodifiable_params": _Field("corp_ident_config.unmodifiable_params", as_texts),
    "opr_unmodifiable_params": _Field("opr_ident_config.unmodifiable_params", as_texts),
    "callback_page": _Field("callback_page", as_text),
    "auth_callback_url": _Field("auth_callback_url", as_text),
}
"""What a column may fill. The business licence is a picture and comes in no cell."""
PERSONAL = frozenset({"legal_rep_name", "account_name", "operator_name", "id_card", "mobile", "bank_card"})
"""Fields that are a person's data and are shown nowhere."""
_KEYS = ("credit_code", "account_name")
"""What a company is recognised by, if no column is chosen."""


@frozen
class Columns:
    """Which column fills which field."""

    headings: tuple[str, ...]
    places: Mapping[str, int]
    """The column of each field that has one, counted from 0."""

    @classmethod
    def of(cls, headings: Sequence[str], given: Mapping[str, str] | None = None, *, keyed: bool = False) -> Columns:
        """Find the fields that the headings name; ``given`` says the heading of a field and wins.

        ``keyed`` says that a column of its own is the key. Otherwise the credit code or the account must be there.

        Raises `SourceError`, naming the headings, where a field has two columns or where too little is recognised.
        """
        places = {field: _given(field, heading, headings) for field, heading in (given or {}).items()}
        for index, heading in enumerate(headings):
            field = field_of(heading)
            if field is None or field in (given or {}) or index in places.values():
                continue
            if field in places:
                both = f"{column_name(headings, places[field])} and {column_name(headings, index)}"
                raise SourceError(f"the columns {both} both mean {field}; rename one, or say which column it is")
            places[field] = index
        if not keyed and not places.keys() & set(_KEYS):
            raise SourceError(f"there is no column for credit_code or account_name{_hint(_KEYS[0], headings)}")
        if not places:
            raise SourceError(f"no heading is known{_hint('company_name', headings)}")
        return cls(tuple(headings), places)

    @property
    def unused(self) -> tuple[str, ...]:
        """The headings of the columns that fill no field."""
        return tuple(h for i, h in enumerate(self.headings) if h.strip() and i not in self.places.values())

    def heading(self, field: str) -> str:
        """Return what the column of a field is called, or the field's name if it has none."""
        return column_name(self.headings, self.places[field]) if field in self.places else field

    def find(self, wanted: str) -> int:
        """Return the column with this heading, or that fills this field, counted from 0.

        Raises `SourceError`, naming the nearest one, if there is none.
        """
        if wanted in self.places and index_of(wanted, self.headings) is None:
            return self.places[wanted]
        return _find(wanted, self.headings)

    def field_at(self, index: int) -> str | None:
        """Return the field that a column fills, if any."""
        return next((field for field, place in self.places.items() if place == index), None)

    def request(self, cells: Sequence[str]) -> tuple[CorpIdentLinkRequest, tuple[Problem, ...]]:
        """Return the request that a row makes, without an id, and what is wrong with its cells."""
        parts: dict[str, dict[str, Value]] = {}
        problems = []
        for name, index in self.places.items():
            value, words = FIELDS[name].read(cells[index])
            if words:
                problems.append(Problem(self.heading(name), words))
            if value is not None:
                part, _, attribute = FIELDS[name].path.rpartition(".")
                parts.setdefault(part, {})[attribute] = value
        plain: dict[str, Any] = parts.pop("", {})
        whole = {part: _PARTS[part](**values) for part, values in parts.items()}
        return CorpIdentLinkRequest(**plain, **whole, client_request_id=None), tuple(problems)


def _given(field: str, heading: str, headings: Sequence[str]) -> int:
    if field not in FIELDS:
        raise SourceError(f"no column can fill {field}; these can be filled: {', '.join(FIELDS)}")
    return _find(heading, headings)


def _find(wanted: str, headings: Sequence[str]) -> int:
    index = index_of(wanted, headings)
    if index is None:
        raise SourceError(f"there is no column {wanted}, or more than one{_hint(wanted, headings)}")
    return index


def _hint(wanted: str, headings: Sequence[str]) -> str:
    """Return the end of an error: what the wanted heading may be, and what there is."""
    if looks_like_data(headings):
        return "; the first row looks like data, put a row of headings above it"
    close = nearest(wanted, headings)
    guess = f"; did you mean {close}?" if close else ";"
    there = [heading.strip() for heading in headings if heading.strip()]
    exclusive = "; if that is a title, delete the row, and if it is a cover, choose another sheet"
    return f"{guess} the headings are {', '.join(there)}{exclusive if len(there) == 1 else ''}"


# Each field's own name is understood as well, as company_name, companyName or Company Name.
_WORDS = {
    "company_name": """企业名称 公司名称 单位名称 商户名称 客户名称 企业全称 公司全称 单位全称 企业 公司 单位 名称
        company corporation enterprise corp_name enterprise_name""",
    "credit_code": """统一社会信用代码 社会信用代码 统一信用代码 信用代码 税号 纳税人识别号 营业执照号 营业执照号码
        uscc unified_social_credit_code social_credit_code tax_id tax_number""",
    "legal_rep_name": """法定代表人 法定代表人姓名 法人 法人姓名 法人代表 法人代表姓名
        legal_rep legal_representative legal_representative_name legal_person legal_person_name""",
    "company_type": "企业类型 公司类型 单位类型 主体类型 corp_type enterprise_type",
    "account_name": "经办人账号 经办人帐号 账号 帐号 账户 登录账号 account operator_account login",
    "client_user_id": "经办人ID 用户ID 用户编号 user_id operator_id",
    "operator_name": "经办人姓名 经办人名称 经办人 姓名 联系人 联系人姓名 operator contact contact_name",
    "id_card": """证件号码 证件号 身份证 身份证号 身份证号码 经办人证件号码 经办人证件号 经办人身份证 经办人身份证号
        经办人身份证号码 id_number id_no id_card_no id_card_number identity_card""",
    "id_card_type": "证件类型 经办人证件类型 id_type",
    "mobile": """手机号 手机号码 手机 联系电话 联系手机 联系方式 电话 电话号码 经办人手机 经办人手机号 经办人手机号码
        经办人电话 mobile_number mobile_phone phone phone_number telephone operator_mobile""",
    "bank_card": "银行卡号 银行卡 银行卡号码 经办人银行卡号 bank_card_no bank_card_number",
    "corp_verify_methods": "企业验证方式 企业认证方式",
    "person_verify_methods": "个人验证方式 个人认证方式 经办人验证方式 经办人认证方式",
    "corp_unmodifiable_params": "企业不可编辑字段 企业不可修改字段",
    "opr_unmodifiable_params": "经办人不可编辑字段 经办人不可修改字段 operator_unmodifiable_params",
    "callback_page": "前端跳转页 前端跳转页面 跳转页 跳转页面 跳转地址 return_url redirect_url",
    "auth_callback_url": "异步回调地址 回调地址 通知地址 callback_url notify_url",
}
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】|<[^<>]*>")
_MARKS = re.compile(r"[\W_]+")
_DATA = re.compile(r"[0-9]{6}|@")


def _plain(heading: str) -> str:
    """Return what is compared: no case, no blanks, no marks, no full-width letters."""
    return _MARKS.sub("", unicodedata.normalize("NFKC", heading).casefold())


_FIELDS = {_plain(word): field for field, words in _WORDS.items() for word in (field, *words.split())}


def field_of(heading: str) -> str | None:
    """Return the field that a heading names, if any; brackets count only where they make a difference.

    ``企业名称（必填）`` is the company's name, but ``经办人（手机号）`` is not the operator's.
    """
    without = _BRACKETS.sub("", unicodedata.normalize("NFKC", heading))
    return _FIELDS.get(_plain(heading)) or _FIELDS.get(_plain(without))


def index_of(wanted: str, headings: Sequence[str]) -> int | None:
    """Return where a heading stands, exactly or else but for case, blanks and marks; ``None`` if nowhere or twice."""
    for same in (str.strip, _plain):
        found = [index for index, heading in enumerate(headings) if same(heading) == same(wanted)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def nearest(wanted: str, headings: Iterable[str]) -> str:
    """Return the heading that is most like a wanted heading or field, or nothing."""
    plain = {_plain(heading): heading for heading in headings}
    for word in (wanted, *_WORDS.get(wanted, "").split()):
        if close := difflib.get_close_matches(_plain(word), plain, 1):
            return plain[close[0]]
    return ""


def looks_like_data(headings: Iterable[str]) -> bool:
    """Tell whether the headings are a row of people's data, which an error must not repeat."""
    return any(_DATA.search(unicodedata.normalize("NFKC", heading)) for heading in headings)
