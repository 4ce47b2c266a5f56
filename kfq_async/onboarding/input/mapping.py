"""Mapping of columns to fields of the request, and of a row's cells to a request."""

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
from kfq_async.models.masking import mask_text
from kfq_async.onboarding.input.cells import (
    FieldValue,
    parse_account,
    parse_card,
    parse_company_name,
    parse_company_type,
    parse_credit_code,
    parse_id,
    parse_id_card,
    parse_id_type,
    parse_list,
    parse_mobile,
    parse_person_name,
    parse_text,
)
from kfq_async.onboarding.input.table import column_name
from kfq_async.onboarding.records import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

__all__ = [
    "FIELDS",
    "PERSONAL_FIELDS",
    "TITLE_ROWS",
    "Columns",
    "build_request",
    "closest_heading",
    "field_for_heading",
    "find_heading",
    "find_heading_row",
    "looks_like_data",
    "same_heading",
]

TITLE_ROWS = 10
"""Rows that are not blank among which `find_heading_row` searches."""
_MODELS: dict[str, Callable[..., Any]] = {
    "corp_ident_info": CorpIdentInfo,
    "corp_ident_config": CorpIdentConfig,
    "opr_ident_info": OprIdentInfo,
    "opr_ident_config": OprIdentConfig,
}

PERSONAL_FIELDS = frozenset({"legal_rep_name", "account_name", "operator_name", "id_card", "mobile", "bank_card"})
"""Fields with personal data, which are never shown."""
_DEFAULT_KEY_FIELDS = ("credit_code", "account_name")
"""Fields that identify a company if no key column is chosen."""
# A field's own name is understood too: company_name, companyName or Company Name.
_SYNONYMS = {
    "company_name": """企业名称 公司名称 单位名称 商户名称 客户名称 企业全称 公司全称 单位全称 企业名 公司名 单位名
        企业 公司 单位 名称 company corporation enterprise corp_name enterprise_name""",
    "credit_code": """统一社会信用代码 社会信用代码 统一信用代码 社会统一信用代码 信用代码 税号 纳税人识别号
        营业执照号 营业执照号码 uscc unified_social_credit_code social_credit_code tax_id tax_number""",
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
# Headings of an operator's columns are also written with the operator in front: 联系人手机号, 经办人身份证号.
_OPERATORS = ("经办人", "联系人", "操作人", "办理人")
_OPERATOR_FIELDS = ("operator_name", "id_card", "id_card_type", "mobile", "bank_card")
_ACCOUNT_HEADINGS = frozenset({"账号", "帐号", "账户", "account"})
"""Headings that may mean the operator's account or the company's bank account."""
_BANK = re.compile("开户|银行名称|bankname|bankbranch|^bank$|^银行$")
_REQUIRED = re.compile("(?:必填项?|选填项?|必须|required|optional)$|^(?:必填项?|选填项?|required|optional)")
"""Remarks that a heading may begin or end with, after its punctuation was removed."""
_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】|<[^<>]*>")
_PUNCTUATION = re.compile(r"[\W_]+")
_MAX_HEADING = 1000
"""Characters of a heading that are compared: normalising a long run of combining characters takes quadratic time."""
_DATA = re.compile(r"[0-9]{6}|@")


@frozen
class _Field:
    """A field of the request that a column can fill."""

    path: str
    """Attribute path in `CorpIdentLinkRequest`."""
    parse: Callable[[str], tuple[FieldValue, str]]
    """Parser of the cell: value and error message."""


FIELDS: Mapping[str, _Field] = {
    "company_name": _Field("corp_ident_info.company_name", parse_company_name),
    "credit_code": _Field("corp_ident_info.credit_code", parse_credit_code),
    "legal_rep_name": _Field("corp_ident_info.legal_rep_name", parse_person_name),
    "company_type": _Field("corp_ident_info.company_type", parse_company_type),
    "account_name": _Field("account_name", parse_account),
    "client_user_id": _Field("client_user_id", parse_id),
    "operator_name": _Field("opr_ident_info.name", parse_person_name),
    "id_card": _Field("opr_ident_info.id_card", parse_id_card),
    "id_card_type": _Field("opr_ident_info.id_card_type", parse_id_type),
    "mobile": _Field("opr_ident_info.mobile", parse_mobile),
    "bank_card": _Field("opr_ident_info.bank_card", parse_card),
    "corp_verify_methods": _Field("corp_ident_config.corp_verify_methods", parse_list),
    "person_verify_methods": _Field("opr_ident_config.person_verify_methods", parse_list),
    "corp_unmodifiable_params": _Field("corp_ident_config.unmodifiable_params", parse_list),
    "opr_unmodifiable_params": _Field("opr_ident_config.unmodifiable_params", parse_list),
    "callback_page": _Field("callback_page", parse_text),
    "auth_callback_url": _Field("auth_callback_url", parse_text),
}
"""Fields that a column can fill, by name. The business licence is a picture, so no cell can hold it."""


def build_request(values: Mapping[str, FieldValue], *, client_request_id: str | None) -> CorpIdentLinkRequest:
    """Return a request with these fields of `FIELDS`; ``None`` leaves a field out, and a model without fields too."""
    models: dict[str, dict[str, FieldValue]] = {}
    for name, value in values.items():
        if value is not None:
            model, _, attribute = FIELDS[name].path.rpartition(".")
            models.setdefault(model, {})[attribute] = value
    top_level: dict[str, Any] = models.pop("", {})
    nested = {model: _MODELS[model](**attributes) for model, attributes in models.items()}
    return CorpIdentLinkRequest(**top_level, **nested, client_request_id=client_request_id)


@frozen
class Columns:
    """Mapping of the columns of one table to fields."""

    headings: tuple[str, ...]
    indexes: Mapping[str, int]
    """Index of the column of each field that has one, from 0."""

    @classmethod
    def of(
        cls, headings: Sequence[str], columns: Mapping[str, str] | None = None, *, key_required: bool = True
    ) -> Columns:
        """Map headings to fields; ``columns`` gives the heading of a field explicitly and takes precedence.

        ``key_required`` demands a column for the credit code or the account, the default key.

        Raises `SourceError`, naming the headings, if two columns mean one field or too few headings are recognised.
        """
        explicit = columns or {}
        _check_bank_account(headings, explicit)
        indexes = {field: _explicit_index(field, heading, headings) for field, heading in explicit.items()}
        for index, heading in enumerate(headings):
            field = field_for_heading(heading)
            if field is None or field in explicit or index in indexes.values():
                continue
            if field in indexes:
                both = f"{column_name(headings, indexes[field])} and {column_name(headings, index)}"
                raise SourceError(
                    f"the columns {both} both mean {field}; rename one, or choose one with --column {field}=HEADING"
                )
            indexes[field] = index
        if key_required and not indexes.keys() & set(_DEFAULT_KEY_FIELDS):
            raise SourceError(
                f"there is no column for credit_code or account_name{_hint(_DEFAULT_KEY_FIELDS[0], headings)}"
            )
        if not indexes:
            raise SourceError(f"no heading is recognised{_hint('company_name', headings)}")
        return cls(tuple(headings), indexes)

    @property
    def unused(self) -> tuple[str, ...]:
        """Headings of the columns that fill no field."""
        used = set(self.indexes.values())
        return tuple(heading for index, heading in enumerate(self.headings) if heading.strip() and index not in used)

    def heading(self, field: str) -> str:
        """Return the name of a field's column, or the field's name if it has none."""
        return column_name(self.headings, self.indexes[field]) if field in self.indexes else field

    def find(self, name: str) -> int:
        """Return the index of the column with this heading, or of the one that fills this field, from 0.

        Raises `SourceError`, naming the closest heading, if there is none.
        """
        if name in self.indexes and find_heading(name, self.headings) is None:
            return self.indexes[name]
        return _find(name, self.headings)

    def field_at(self, index: int) -> str | None:
        """Return the field that a column fills, or ``None``."""
        return next((field for field, place in self.indexes.items() if place == index), None)

    def request(self, cells: Sequence[str]) -> tuple[CorpIdentLinkRequest, tuple[Problem, ...]]:
        """Return the request of a row, without an id, and the problems of its cells."""
        values: dict[str, FieldValue] = {}
        problems = []
        for field, index in self.indexes.items():
            value, error = FIELDS[field].parse(cells[index])
            values[field] = mask_text(value)
            if error:
                problems.append(Problem(self.heading(field), error))
        return build_request(values, client_request_id=None), tuple(problems)


def _check_bank_account(headings: Sequence[str], explicit: Mapping[str, str]) -> None:
    """Raise `SourceError` for an account that stands beside a bank: it is the company's, not the operator's."""
    if "account_name" in explicit or not any(_BANK.search(_normalize(heading)) for heading in headings):
        return
    for index, heading in enumerate(headings):
        if _normalize(heading) in _ACCOUNT_HEADINGS:
            name = column_name(headings, index)
            raise SourceError(
                f"the column {name} stands beside a bank and may be the company's bank account; rename it, or choose "
                "the operator's account with --column account_name=HEADING"
            )


def _explicit_index(field: str, heading: str, headings: Sequence[str]) -> int:
    if field not in FIELDS:
        raise SourceError(f"there is no field {field}; choose one of {', '.join(FIELDS)}")
    return _find(heading, headings)


def _find(name: str, headings: Sequence[str]) -> int:
    index = find_heading(name, headings)
    if index is None:
        raise SourceError(f"there is no column {name}, or more than one{_hint(name, headings)}")
    return index


def _hint(name: str, headings: Sequence[str]) -> str:
    """Return the end of an error message: the closest heading, and the headings of the file."""
    if looks_like_data(headings):
        return "; the first row looks like data, put a row of headings above it or choose one with --header-row"
    closest = closest_heading(name, headings)
    guess = f"; did you mean {closest}?" if closest else ";"
    present = [heading.strip() for heading in headings if heading.strip()]
    advice = "; if that is a title, choose the row of headings with --header-row; if it is a cover sheet, another sheet"
    return f"{guess} the headings are {', '.join(present)}{advice if len(present) == 1 else ''}"


def _normalize(heading: str) -> str:
    """Return a heading for comparison: without case, whitespace, punctuation, full-width letters and 必填."""
    normalized = _PUNCTUATION.sub("", _nfkc(heading).casefold())
    return _REQUIRED.sub("", normalized) or normalized


def _nfkc(heading: str) -> str:
    return unicodedata.normalize("NFKC", heading[:_MAX_HEADING])


_FIELDS_BY_SYNONYM = {
    _normalize(f"{operator}{synonym}"): field
    for operator in _OPERATORS
    for field in _OPERATOR_FIELDS
    for synonym in _SYNONYMS[field].split()
} | {_normalize(synonym): field for field, synonyms in _SYNONYMS.items() for synonym in (field, *synonyms.split())}


def field_for_heading(heading: str) -> str | None:
    """Return the field that a heading names, or ``None``; text in brackets counts only where it is needed.

    ``企业名称（必填）`` is the company's name, but ``经办人（手机号）`` is the operator's mobile, not the name.
    """
    without_brackets = _BRACKETED.sub("", _nfkc(heading))
    return _FIELDS_BY_SYNONYM.get(_normalize(heading)) or _FIELDS_BY_SYNONYM.get(_normalize(without_brackets))


def find_heading(name: str, headings: Sequence[str]) -> int | None:
    """Return the index of a heading: an exact match, else one that ignores case, whitespace and punctuation.

    ``None`` if there is none, or more than one.
    """
    for normalize in (str.strip, _normalize):
        found = [index for index, heading in enumerate(headings) if normalize(heading) == normalize(name)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def same_heading(cell: str, heading: str) -> bool:
    """Return whether a cell repeats a heading, apart from case, whitespace and punctuation."""
    return cell == heading or (len(cell) <= _MAX_HEADING and _normalize(cell) == _normalize(heading) != "")


def find_heading_row(rows: Sequence[Sequence[str]], expected: Collection[str] = ()) -> int:
    """Return the index of the row of headings among the first rows that are not blank.

    It is the first one, unless that is a title: it names at most one field, and a later row names several.

    Args:
        rows: First rows of a table.
        expected: Headings that the caller named; a row with one of them is the row of headings.
    """
    for index, row in enumerate(rows):
        if any(find_heading(heading, row) is not None for heading in expected):
            return index
        if len({field for heading in row if (field := field_for_heading(heading))}) > 1:
            return index
    return 0


def closest_heading(name: str, headings: Iterable[str]) -> str:
    """Return the heading that is most similar to a heading or to a field's synonyms, or an empty string."""
    normalized = {_normalize(heading): heading for heading in headings}
    for word in (name, *_SYNONYMS.get(name, "").split()):
        if matches := difflib.get_close_matches(_normalize(word), normalized, 1):
            return normalized[matches[0]]
    return ""


def looks_like_data(headings: Iterable[str]) -> bool:
    """Return whether the first row holds personal data, which an error message must not repeat."""
    return any(_DATA.search(_nfkc(heading)) for heading in headings)
