"""Identification of an enterprise: what is asked and what comes back (protocol section 3)."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from kfq_async.models.fields import MODEL, as_texts, integer, mask, mask_extra, model, new_id, text, texts


@frozen(kw_only=True)
class CorpIdentInfo:
    """Data of the enterprise that the page shows already filled in (企业预填信息).

    Every field may be left out; the platform's documentation states no lengths.
    """

    company_name: str | None = field(default=None, validator=text)
    """企业名称: name of the enterprise."""
    credit_code: str | None = field(default=None, validator=text)
    """统一社会信用代码: unified social credit code."""
    legal_rep_name: str | None = field(default=None, validator=text, repr=mask)
    """法定代表人: name of the legal representative."""
    company_type: int | None = field(default=None, validator=integer)
    """企业类型: 1 company, 2 sole trader, 3 other."""
    license: str | None = field(default=None, validator=text, repr=mask)
    """营业执照: business licence, optional; its encoding is not documented."""


@frozen(kw_only=True)
class CorpIdentConfig:
    """How the enterprise may be identified (企业实名认证配置)."""

    corp_verify_methods: tuple[str, ...] | None = field(default=None, converter=as_texts, validator=texts)
    """企业验证方式: any of ``legalRep``, ``invite``, ``letter``."""
    unmodifiable_params: tuple[str, ...] | None = field(default=None, converter=as_texts, validator=texts)
    """不可编辑字段: wire names of pre-filled fields that the operator may not edit."""


@frozen(kw_only=True)
class OprIdentInfo:
    """Data of the operator that the page shows already filled in (经办人预填实名信息)."""

    name: str | None = field(default=None, validator=text, repr=mask)
    """姓名: the operator's name."""
    id_card: str | None = field(default=None, validator=text, repr=mask)
    """证件号码: number of the identity document."""
    id_card_type: int | None = field(default=None, validator=integer)
    """证件类型: kind of identity document; the operation's page gives no list of values."""
    mobile: str | None = field(default=None, validator=text, repr=mask)
    """手机号: mobile number."""
    bank_card: str | None = field(default=None, validator=text, repr=mask)
    """银行卡号: number of a bank card."""


@frozen(kw_only=True)
class OprIdentConfig:
    """How the operator may be identified (经办人实名认证配置)."""

    person_verify_methods: tuple[str, ...] | None = field(default=None, converter=as_texts, validator=texts)
    """Ways to identify the person; the documented example is ``face`` and ``mobile``."""
    unmodifiable_params: tuple[str, ...] | None = field(default=None, converter=as_texts, validator=texts)
    """Wire names of pre-filled fields that the operator may not edit."""


@frozen(kw_only=True)
class CorpIdentLinkRequest:
    """Ask for the page on which an operator proves who an enterprise is.

    ``None`` leaves a key out and an empty string is sent as it is. ``client_request_id`` is filled with a
    fresh id here and now, so that asking again with the same object is the same request; in a service, take
    it from your own row, stored under a unique constraint before anything is sent.

    Raises `TypeError`, naming the field, for a value of a wrong type.
    """

    account_name: str | None = field(default=None, validator=text, repr=mask)
    """经办人账号: the operator's account, a mobile number or an e-mail address."""
    client_user_id: str | None = field(default=None, validator=text)
    """经办人ID: unique id of the operator in your own system."""
    corp_ident_info: CorpIdentInfo | None = field(
        default=None, validator=model(CorpIdentInfo), metadata={MODEL: CorpIdentInfo}
    )
    """企业预填信息: data of the enterprise to pre-fill."""
    corp_ident_config: CorpIdentConfig | None = field(
        default=None, validator=model(CorpIdentConfig), metadata={MODEL: CorpIdentConfig}
    )
    """企业实名认证配置: how the enterprise may be identified."""
    opr_ident_info: OprIdentInfo | None = field(
        default=None, validator=model(OprIdentInfo), metadata={MODEL: OprIdentInfo}
    )
    """经办人预填实名信息: data of the operator to pre-fill."""
    opr_ident_config: OprIdentConfig | None = field(
        default=None, validator=model(OprIdentConfig), metadata={MODEL: OprIdentConfig}
    )
    """经办人实名认证配置: how the operator may be identified."""
    callback_page: str | None = field(default=None, validator=text, repr=mask)
    """前端跳转页: the browser is sent here afterwards."""
    auth_callback_url: str | None = field(default=None, validator=text, repr=mask)
    """异步回调地址: the platform notifies this URL."""
    client_request_id: str | None = field(factory=new_id, validator=text)
    """客户端请求唯一标识: your id of this request."""


@frozen(kw_only=True)
class CorpIdentLink:
    """The identification order and the page to open for the operator."""

    order_no: str
    """Number of the identification order."""
    auth_url: str = field(repr=mask)
    """URL of the page. Whoever holds it can open it, so treat it as a secret."""
    extra: Mapping[str, object] = field(factory=dict, repr=mask_extra, hash=False)
    """Keys of the answer that this version does not know."""
