"""What stands on an order's page: its fields, which of them are locked, and the methods to choose from. Pure.

Assumed: a field is locked if ``unmodifiableParams`` names it and it came filled in; without a list of methods, or
with an empty one, all are offered; the first one is chosen beforehand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from attrs import frozen

from kfq_async.sandbox.orders import request_of

if TYPE_CHECKING:
    from kfq_async.sandbox.store import Order

__all__ = ["FormField", "FormSection", "OrderForm", "order_form"]

COMPANY_TYPES = {"1": "企业", "2": "个体工商户", "3": "其他"}
ID_CARD_TYPES = {
    "1": "居民身份证",
    "2": "港澳居民居住证",
    "3": "台湾居民居住证",
    "4": "港澳居民来往内地通行证",
    "5": "台湾居民来往大陆通行证",
    "6": "外国人永久居留身份证",
    "7": "护照",
}
"""The open-source server's numbers; that the page uses the same is an assumption (protocol section 3)."""
COMPANY_METHODS = {"legalRep": "法定代表人本人认证", "invite": "邀请法定代表人在线授权", "letter": "上传授权书"}
PERSON_METHODS = {"face": "人脸识别", "mobile": "手机号实名核验"}


@frozen(kw_only=True)
class FormField:
    """One field of the form."""

    name: str
    """As on the wire."""
    label: str
    value: str
    locked: bool
    choices: Mapping[str, str] | None
    """What a number may be, or ``None`` for a text."""


@frozen(kw_only=True)
class FormSection:
    """One half of the form: the company's or the operator's."""

    key: str
    """The wire's name of the object that holds the fields."""
    title: str
    blanks: tuple[FormField, ...]
    method: str
    """The notification's name of the chosen method."""
    chosen: str
    methods_title: str
    methods: Mapping[str, str]
    unknown: tuple[str, ...]
    """What ``unmodifiableParams`` names and this page does not have."""


@frozen(kw_only=True)
class OrderForm:
    """The whole form."""

    account: str
    license: bool
    """Whether the request came with a business licence."""
    parts: tuple[FormSection, ...]

    def answers(self, form: Mapping[str, str]) -> dict[str, object]:
        """Return what is left behind when the form is sent; a locked field keeps its value, whatever is sent."""
        answers: dict[str, object] = {}
        for part in self.parts:
            answers[part.key] = {blank.name: _answer(blank, form) for blank in part.blanks}
            chosen = form.get(part.method)
            answers[part.method] = chosen if chosen in part.methods else part.chosen
        return answers


@frozen(kw_only=True)
class _Plan:
    """What one half of the form is made of, by the wire's names."""

    info: str
    config: str
    title: str
    labels: Mapping[str, str]
    method: str
    methods_title: str
    allowed: str
    methods: Mapping[str, str]


_PLANS = (
    _Plan(
        info="corpIdentInfo",
        config="corpIdentConfig",
        title="企业信息",
        labels={
            "companyName": "企业名称",
            "creditCode": "统一社会信用代码",
            "legalRepName": "法定代表人",
            "companyType": "企业类型",
        },
        method="companyVerifyMethod",
        methods_title="企业认证方式",
        allowed="corpVerifyMethods",
        methods=COMPANY_METHODS,
    ),
    _Plan(
        info="oprIdentInfo",
        config="oprIdentConfig",
        title="经办人信息",
        labels={
            "name": "姓名",
            "idCardType": "证件类型",
            "idCard": "证件号码",
            "mobile": "手机号",
            "bankCard": "银行卡号",
        },
        method="personVerifyMethod",
        methods_title="经办人认证方式",
        allowed="personVerifyMethods",
        methods=PERSON_METHODS,
    ),
)
_CHOICES = {"companyType": COMPANY_TYPES, "idCardType": ID_CARD_TYPES}
_ELSEWHERE = {"license"}
"""Fields of the request that the page does not offer for editing."""


def order_form(order: Order) -> OrderForm:
    """Return the form of an order, filled in as its request says, or as it was handed in last."""
    request = request_of(order)
    company = request.get("corpIdentInfo") or {}
    return OrderForm(
        account=request.get("accountName") or "",
        license=bool(company.get("license")),
        parts=tuple(_part(plan, request, orjson.loads(order.answers)) for plan in _PLANS),
    )


def _part(plan: _Plan, request: Mapping[str, Any], answers: Mapping[str, Any]) -> FormSection:
    given, config = request.get(plan.info) or {}, request.get(plan.config) or {}
    now = answers.get(plan.info, given)
    named = config.get("unmodifiableParams") or []
    fixed = [name for name in named if given.get(name) not in (None, "")]
    methods = {name: plan.methods.get(name, name) for name in config.get(plan.allowed) or plan.methods}
    return FormSection(
        key=plan.info,
        title=plan.title,
        blanks=tuple(_blank(name, label, now.get(name), fixed) for name, label in plan.labels.items()),
        method=plan.method,
        chosen=answers.get(plan.method) or next(iter(methods)),
        methods_title=plan.methods_title,
        methods=methods,
        unknown=tuple(name for name in named if name not in plan.labels and name not in _ELSEWHERE),
    )


def _blank(name: str, label: str, now: object, fixed: Collection[str]) -> FormField:
    value = "" if now is None else str(now)
    choices = _CHOICES.get(name)
    if choices is not None:
        choices = {"": "请选择", **choices, **({} if value in choices or not value else {value: value})}
    return FormField(name=name, label=label, value=value, locked=name in fixed, choices=choices)


def _answer(blank: FormField, form: Mapping[str, str]) -> str | int:
    sent = blank.value if blank.locked else form.get(blank.name, blank.value)
    if blank.choices is None:
        return sent
    value = sent if sent in blank.choices else blank.value
    return int(value) if value else ""
