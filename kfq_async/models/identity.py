"""Request and result of an enterprise's identification (protocol section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from kfq_async.models.base import Model
from kfq_async.models.fields import (
    MODEL,
    SECRET,
    SECRET_TEXT,
    UNKNOWN_KEYS,
    as_texts,
    integer,
    model,
    new_id,
    text,
    texts,
)


@frozen(kw_only=True)
class CorpIdentInfo(Model):
    """Enterprise data that the page shows pre-filled (企业预填信息).

    Every field is optional; ``None`` leaves the key out. The platform documents no maximum lengths.

    Attributes:
        company_name: 企业名称, name of the enterprise.
        credit_code: 统一社会信用代码, unified social credit code.
        legal_rep_name: 法定代表人, name of the legal representative.
        company_type: 企业类型, kind of enterprise; 1 company, 2 sole trader (个体工商户), 3 other.
        license: 营业执照, business licence; its encoding is not documented.
    """

    company_name: str | None = field(default=None, validator=text)
    """企业名称, name of the enterprise."""
    credit_code: str | None = field(default=None, validator=text)
    """统一社会信用代码, unified social credit code."""
    legal_rep_name: str | None = field(default=None, **SECRET_TEXT)
    """法定代表人, name of the legal representative."""
    company_type: Literal[1, 2, 3] | int | None = field(default=None, validator=integer)
    """企业类型, kind of enterprise; 1 company, 2 sole trader (个体工商户), 3 other."""
    license: str | None = field(default=None, **SECRET_TEXT)
    """营业执照, business licence; its encoding is not documented."""


@frozen(kw_only=True)
class CorpIdentConfig(Model):
    """Allowed ways to identify the enterprise (企业实名认证配置).

    Every field is optional; ``None`` leaves the key out.

    Attributes:
        corp_verify_methods: 企业验证方式, allowed methods, any of ``legalRep``, ``invite`` and ``letter``.
        unmodifiable_params: 不可编辑字段, wire names of the pre-filled fields that are locked, such as ``companyName``.
    """

    corp_verify_methods: tuple[Literal["legalRep", "invite", "letter"] | str, ...] | None = field(
        default=None, converter=as_texts, validator=texts
    )
    """企业验证方式, allowed methods, any of ``legalRep``, ``invite`` and ``letter``."""
    unmodifiable_params: tuple[str, ...] | None = field(default=None, converter=as_texts, validator=texts)
    """不可编辑字段, wire names of the pre-filled fields that are locked, such as ``companyName``."""


@frozen(kw_only=True)
class OprIdentInfo(Model):
    """Operator data that the page shows pre-filled (经办人预填实名信息).

    Every field is optional; ``None`` leaves the key out.

    Attributes:
        name: 姓名, name of the operator.
        id_card: 证件号码, number of the identity document.
        id_card_type: 证件类型, kind of identity document; the operation's page lists no values.
        mobile: 手机号, mobile number.
        bank_card: 银行卡号, bank card number.
    """

    name: str | None = field(default=None, **SECRET_TEXT)
    """姓名, name of the operator."""
    id_card: str | None = field(default=None, **SECRET_TEXT)
    """证件号码, number of the identity document."""
    id_card_type: int | None = field(default=None, validator=integer)
    """证件类型, kind of identity document; the operation's page lists no values."""
    mobile: str | None = field(default=None, **SECRET_TEXT)
    """手机号, mobile number."""
    bank_card: str | None = field(default=None, **SECRET_TEXT)
    """银行卡号, bank card number."""


@frozen(kw_only=True)
class OprIdentConfig(Model):
    """Allowed ways to identify the operator (经办人实名认证配置).

    Every field is optional; ``None`` leaves the key out.

    Attributes:
        person_verify_methods: Allowed methods; the documented example is ``face`` and ``mobile``.
        unmodifiable_params: Wire names of the pre-filled fields that are locked, such as ``idCard``.
    """

    person_verify_methods: tuple[Literal["face", "mobile"] | str, ...] | None = field(
        default=None, converter=as_texts, validator=texts
    )
    """Allowed methods; the documented example is ``face`` and ``mobile``."""
    unmodifiable_params: tuple[str, ...] | None = field(default=None, converter=as_texts, validator=texts)
    """Wire names of the pre-filled fields that are locked, such as ``idCard``."""


@frozen(kw_only=True)
class CorpIdentLinkRequest(Model):
    """Request of ``session.auth.corp_ident_link``: the page on which an operator identifies an enterprise.

    Every field is optional: ``None`` leaves the key out, an empty string is sent as it is. ``client_request_id``
    defaults to a random id, so sending the same object twice sends the same request. A service should set it from its
    own record, stored under a unique constraint before anything is sent.

    Raises `TypeError`, naming the field, for a value of the wrong type.

    Attributes:
        account_name: 经办人账号, account of the operator, a mobile number or an e-mail address.
        client_user_id: 经办人ID, unique id of the operator in your own system.
        corp_ident_info: 企业预填信息, enterprise data to pre-fill.
        corp_ident_config: 企业实名认证配置, allowed ways to identify the enterprise.
        opr_ident_info: 经办人预填实名信息, operator data to pre-fill.
        opr_ident_config: 经办人实名认证配置, allowed ways to identify the operator.
        callback_page: 前端跳转页, URL that the browser is sent to afterwards.
        auth_callback_url: 异步回调地址, URL that the platform notifies.
        client_request_id: 客户端请求唯一标识, your id for this request; ``None`` sends none.
    """

    account_name: str | None = field(default=None, **SECRET_TEXT)
    """经办人账号, account of the operator, a mobile number or an e-mail address."""
    client_user_id: str | None = field(default=None, validator=text)
    """经办人ID, unique id of the operator in your own system."""
    corp_ident_info: CorpIdentInfo | None = field(
        default=None, validator=model(CorpIdentInfo), metadata={MODEL: CorpIdentInfo}
    )
    """企业预填信息, enterprise data to pre-fill."""
    corp_ident_config: CorpIdentConfig | None = field(
        default=None, validator=model(CorpIdentConfig), metadata={MODEL: CorpIdentConfig}
    )
    """企业实名认证配置, allowed ways to identify the enterprise."""
    opr_ident_info: OprIdentInfo | None = field(
        default=None, validator=model(OprIdentInfo), metadata={MODEL: OprIdentInfo}
    )
    """经办人预填实名信息, operator data to pre-fill."""
    opr_ident_config: OprIdentConfig | None = field(
        default=None, validator=model(OprIdentConfig), metadata={MODEL: OprIdentConfig}
    )
    """经办人实名认证配置, allowed ways to identify the operator."""
    callback_page: str | None = field(default=None, **SECRET_TEXT)
    """前端跳转页, URL that the browser is sent to afterwards."""
    auth_callback_url: str | None = field(default=None, **SECRET_TEXT)
    """异步回调地址, URL that the platform notifies."""
    client_request_id: str | None = field(factory=new_id, validator=text)
    """客户端请求唯一标识, your id for this request; ``None`` sends none."""


@frozen(kw_only=True)
class CorpIdentLink(Model):
    """Result of ``session.auth.corp_ident_link``: the identification order and its page.

    Attributes:
        order_no: Number of the identification order.
        auth_url: URL of the page to open for the operator; a bearer link, so treat it as a secret.
        extra: Unknown keys of the result, as received.
    """

    order_no: str
    """Number of the identification order."""
    auth_url: str = field(**SECRET)
    """URL of the page to open for the operator; a bearer link, so treat it as a secret."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys of the result, as received."""
