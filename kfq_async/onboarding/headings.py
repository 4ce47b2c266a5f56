"""What people write above their columns, in Chinese and English, and how it is compared."""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["field_of", "index_of", "looks_like_data", "nearest"]

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
