"""Form on an order's page: fields, locked fields, and the methods to choose from. Pure.

Assumed: a field is locked if ``unmodifiableParams`` names it and the request fills it in; without a list of methods, or
with an empty one, all are offered; the first one is preselected.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from attrs import field, frozen

from kfq_async.models.fields import SECRET
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
    """A field of the form."""

    name: str
    """Name as on the wire."""
    label: str
    value: str = field(**SECRET)
    locked: bool
    choices: Mapping[str, str] | None
    """Labels of the allowed numbers, or ``None`` for a text field."""


@frozen(kw_only=True)
class FormSection:
    """Company or operator section of the form."""

    key: str
    """Name on the wire of the object that holds the fields."""
    title: str
    fields: tuple[FormField, ...]
    method: str
    """Name of the chosen method in the notification."""
    chosen: str
    methods_title: str
    methods: Mapping[str, str]
    unknown_params: tuple[str, ...]
    """Names in ``unmodifiableParams`` that are not a field of this page."""


@frozen(kw_only=True)
class OrderForm:
    """The form of one order."""

    account: str = field(**SECRET)
    has_license: bool
    """Whether the request contained a business licence."""
    sections: tuple[FormSection, ...]

    def form_data(self, posted: Mapping[str, str]) -> dict[str, object]:
        """Return the form data after a post; a locked field keeps its value, whatever was posted."""
        data: dict[str, object] = {}
        for section in self.sections:
            data[section.key] = {field.name: _posted_value(field, posted) for field in section.fields}
            chosen = posted.get(section.method)
            data[section.method] = chosen if chosen in section.methods else section.chosen
        return data


def order_form(order: Order) -> OrderForm:
    """Return the form of an order, filled in as last submitted or, before that, as requested."""
    request = request_of(order)
    company = request.get("corpIdentInfo") or {}
    return OrderForm(
        account=request.get("accountName") or "",
        has_license=bool(company.get("license")),
        sections=tuple(_section(spec, request, orjson.loads(order.form_data)) for spec in _SECTIONS),
    )


@frozen(kw_only=True)
class _SectionSpec:
    """Names of a section on the wire, and its labels."""

    info: str
    config: str
    title: str
    labels: Mapping[str, str]
    method: str
    methods_title: str
    allowed: str
    methods: Mapping[str, str]


_SECTIONS = (
    _SectionSpec(
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
    _SectionSpec(
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
_NOT_EDITABLE = {"license"}
"""Fields of the request that the page does not show for editing."""


def _section(spec: _SectionSpec, request: Mapping[str, Any], form_data: Mapping[str, Any]) -> FormSection:
    requested, config = request.get(spec.info) or {}, request.get(spec.config) or {}
    current = form_data.get(spec.info, requested)
    unmodifiable = config.get("unmodifiableParams") or []
    locked = [name for name in unmodifiable if requested.get(name) not in (None, "")]
    methods = {name: spec.methods.get(name, name) for name in config.get(spec.allowed) or spec.methods}
    return FormSection(
        key=spec.info,
        title=spec.title,
        fields=tuple(_field(name, label, current.get(name), locked) for name, label in spec.labels.items()),
        method=spec.method,
        chosen=form_data.get(spec.method) or next(iter(methods)),
        methods_title=spec.methods_title,
        methods=methods,
        unknown_params=tuple(name for name in unmodifiable if name not in spec.labels and name not in _NOT_EDITABLE),
    )


def _field(name: str, label: str, current: object, locked: Collection[str]) -> FormField:
    value = "" if current is None else str(current)
    choices = _CHOICES.get(name)
    if choices is not None:
        choices = {"": "请选择", **choices, **({} if value in choices or not value else {value: value})}
    return FormField(name=name, label=label, value=value, locked=name in locked, choices=choices)


def _posted_value(field: FormField, posted: Mapping[str, str]) -> str | int:
    text = field.value if field.locked else posted.get(field.name, field.value)
    if field.choices is None:
        return text
    value = text if text in field.choices else field.value
    return int(value) if value else ""
