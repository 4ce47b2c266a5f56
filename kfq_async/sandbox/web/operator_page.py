"""Page behind ``authUrl``, where the operator completes or abandons an identification.

Assumed: after completing, abandoning and review the browser goes to ``callbackPage`` as given in the request, without
added parameters; an order that expires keeps it on this page.
"""

from __future__ import annotations

from hmac import compare_digest
from html import escape
from typing import TYPE_CHECKING

from aiohttp import web

from kfq_async.models.notifications import IdentityStatus
from kfq_async.sandbox.addresses import web_address
from kfq_async.sandbox.identity import PAGES, page_url
from kfq_async.sandbox.orders import (
    ABANDON,
    COMPLETE,
    EXPIRE,
    REVIEW,
    STATUS_AFTER,
    china_time,
    request_of,
)
from kfq_async.sandbox.web.forms import html, read_form, see_other
from kfq_async.sandbox.web.frame import headers, page, policy_sources, refused
from kfq_async.sandbox.web.order_form import order_form
from kfq_async.sandbox.web.texts import Texts, status_pill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yarl import URL

    from kfq_async.sandbox.identity import OrderService
    from kfq_async.sandbox.store import Order
    from kfq_async.sandbox.web.order_form import FormField, FormSection, OrderForm

__all__ = ["OperatorPage", "not_found_page", "operator_page"]

PATH = f"{PAGES}{{order_no}}"
_CHINESE = Texts("zh")


class OperatorPage:
    """Handlers of the page."""

    def __init__(self, order_service: OrderService) -> None:
        self._order_service = order_service

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the page."""
        return [web.get(PATH, self.show), web.post(PATH, self.submit)]

    async def show(self, request: web.Request) -> web.Response:
        """Show the page if the URL contains the order's secret."""
        order = self._order(request, request.query.get("code", ""))
        if order is None:
            return html(not_found_page(), headers(), 404)
        return html(operator_page(order), _headers(_callback_page(order)))

    async def submit(self, request: web.Request) -> web.Response:
        """Perform the action of the pressed button. A repeated press has no effect and leads to the same page."""
        form = await read_form(request)
        order = self._order(request, form.get("code", ""))
        if order is None:
            return html(not_found_page(), headers(), 404)
        action = form.get("action", "")
        if action not in STATUS_AFTER:
            return html(refused("操作无效", "未知的操作。"), headers(), 400)
        try:
            self._order_service.perform(action, order.order_no, lambda order: order_form(order).form_data(form))
        except ValueError:
            if self._order_service.order(order.order_no).status != STATUS_AFTER[action]:
                return see_other(page_url("", order), headers())
        target = None if action == EXPIRE else _callback_page(order)
        return see_other(page_url("", order) if target is None else str(target), headers())

    def _order(self, request: web.Request, code: str) -> Order | None:
        try:
            order = self._order_service.order(request.match_info["order_no"])
        except LookupError:
            return None
        return order if compare_digest(order.code.encode(), code.encode()) else None


def _callback_page(order: Order) -> URL | None:
    return web_address(request_of(order).get("callbackPage"))


def _headers(target: URL | None) -> dict[str, str]:
    return headers("'self'" if target is None else f"'self' {policy_sources(target)}")


def operator_page(order: Order) -> str:
    """Return the page of an order: its form or, once the order is final, its result."""
    return _result(order) if order.status is not None and order.status.final else _form(order, order_form(order))


def not_found_page() -> str:
    """Return the page for an invalid link."""
    return refused("链接无效", "认证订单不存在，或链接不完整。")


def _form(order: Order, form: OrderForm) -> str:
    account = f"<dt>经办人账号</dt><dd>{escape(form.account)}</dd>" if form.account else ""
    license_text = "已随请求提供" if form.has_license else "未提供"
    in_progress = order.status == IdentityStatus.IN_PROGRESS
    notice = '<p class="notice">已提交，认证中。在沙箱中仍可完成或放弃认证。</p>' if in_progress else ""
    return page(
        f"企业实名认证 · {order.company_name}",
        f"<h1>企业实名认证</h1><p>请经办人核对以下信息，选择认证方式后提交。</p>{notice}"
        f"<dl><dt>认证订单</dt><dd><code>{escape(order.order_no)}</code> {status_pill(order.status, _CHINESE)}</dd>"
        f"{account}<dt>营业执照</dt><dd>{license_text}</dd></dl>"
        f'<form method="post" action="{PAGES}{escape(order.order_no)}" autocomplete="off">'
        f'<input type="hidden" name="code" value="{escape(order.code)}">'
        f"{''.join(map(_section, form.sections))}"
        f'<div class="actions">{_button(COMPLETE, "完成认证", "main")}{_button(ABANDON, "放弃认证")}</div>'
        f"{_sandbox_only(form, in_progress=in_progress)}</form>"
        '<p class="note">开放签未公开真实页面的内容与流程，本页的字段、按钮和状态流转均为沙箱的假设。</p>',
    )


def _section(section: FormSection) -> str:
    choices = (
        f'<label class="choice"><input type="radio" name="{section.method}" value="{escape(name)}"'
        f"{' checked' if name == section.chosen else ''}>{escape(text)}<code>{escape(name)}</code></label>"
        for name, text in section.methods.items()
    )
    return (
        f"<fieldset><legend>{section.title}</legend>"
        f'<div class="grid">{"".join(map(_field, section.fields))}</div></fieldset>'
        f"<fieldset><legend>{section.methods_title}</legend>{''.join(choices)}</fieldset>"
    )


def _field(field: FormField) -> str:
    """Return an input or a select; a locked field is a read-only text, even if it holds a number."""
    tag = '<span class="tag">不可修改</span>' if field.locked else ""
    if field.choices is not None and not field.locked:
        return (
            f'<label>{field.label}<select name="{field.name}">{_options(field.choices, field.value)}</select></label>'
        )
    shown = field.value if field.choices is None else field.choices[field.value]
    readonly = " readonly" if field.locked else ""
    return f'<label>{tag}{field.label}<input type="text" name="{field.name}" value="{escape(shown)}"{readonly}></label>'


def _options(choices: Mapping[str, str], value: str) -> str:
    return "".join(
        f'<option value="{escape(name)}"{" selected" if name == value else ""}>{escape(text)}</option>'
        for name, text in choices.items()
    )


def _sandbox_only(form: OrderForm, *, in_progress: bool) -> str:
    review = "" if in_progress else _button(REVIEW, "提交并置为认证中")
    unknown = [name for section in form.sections for name in section.unknown_params]
    warning = f"<p>unmodifiableParams 包含本页没有的字段：{escape('、'.join(unknown))}</p>" if unknown else ""
    return (
        '<fieldset class="box"><legend>仅沙箱可用</legend>'
        '<p class="soft">真实页面没有以下按钮。点击后订单变为认证中（orderStatus 2）或已失效（orderStatus 4），'
        f'并发送通知。</p>{warning}<div class="row">{review}{_button(EXPIRE, "置为已失效")}</div></fieldset>'
    )


def _button(action: str, text: str, style: str = "plain") -> str:
    return f'<button class="{style}" name="action" value="{action}">{text}</button>'


_RESULTS: dict[IdentityStatus | None, tuple[str, str, str, str]] = {
    IdentityStatus.IDENTIFIED: ("good", "✓", "已认证", "企业已完成实名认证。"),
    IdentityStatus.WITHDRAWN: ("bad", "×", "已撤销", "经办人已放弃认证，订单已撤销。"),
    IdentityStatus.EXPIRED: ("bad", "!", "已失效", "订单已失效，此链接不能再用于认证。"),
}
"""Style, sign, name and sentence of each final status."""


def _result(order: Order) -> str:
    style, sign, status, sentence = _RESULTS[order.status]
    verified = (
        f"<dt>认证时间</dt><dd>{china_time(order.verified_at, '%Y-%m-%d %H:%M:%S')}</dd>" if order.verified_at else ""
    )
    return page(
        f"{status} · {order.company_name}",
        f'<div class="result"><div class="sign {style}">{sign}</div><h1>{status}</h1>'
        f"<p>{sentence}</p></div>"
        f"<dl><dt>企业名称</dt><dd>{escape(order.company_name)}</dd>"
        f"<dt>认证订单</dt><dd><code>{escape(order.order_no)}</code></dd>{verified}</dl>"
        f'<p class="note">{_no_redirect_reason(order)}</p>',
    )


def _no_redirect_reason(order: Order) -> str:
    """Return the reason why the browser stays on this page."""
    target = request_of(order).get("callbackPage")
    if not target:
        return "请求未设置 callbackPage，因此停留在本页。可以关闭窗口。"
    if web_address(target) is None:
        return "callbackPage 不是 http 或 https 地址，因此没有跳转。"
    return "订单已结束，不能继续操作。可以关闭窗口。"
