"""Texts of the signing page."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kfq_async.sandbox.web.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SigningTexts"]


class SigningTexts(Texts):
    """Texts of the signing page in one language."""

    entries: ClassVar[Mapping[str, tuple[str, str]]] = {
        **Texts.entries,
        # Frame of the page.
        "untitled": ("未命名合同", "Untitled contract"),
        "sender": ("发起方", "Sender"),
        "acting": ("当前操作人", "You act as"),
        "task": ("待办事项", "Your task"),
        "contract": ("合同 ID", "Contract ID"),
        "deadline": ("截止时间", "Deadline"),
        "number": ("合同 ID", "Contract id"),
        "progress": ("签署进度", "Progress"),
        "in_order": ("按顺序签署", "one after another"),
        "any_order": ("不分先后", "in any order"),
        "automatic": ("自动盖章", "applied automatically"),
        "assumed": (
            "开放签未公开真实页面的内容与流程，本页的字段、按钮和跳转均为沙箱的假设。",
            "The platform's page is not documented: what is shown and asked here is an assumption of the sandbox.",
        ),
        # Tasks.
        "task_SIGN": ("签署", "Sign"),
        "task_SEAL": ("盖章", "Seal"),
        "task_APPROVE": ("审批", "Approve"),
        "task_WRITE": ("填写", "Fill in"),
        "node_ENTERPRISE_SEAL": ("企业盖章", "Enterprise seal"),
        "node_AGENT_SIGN": ("经办人签字", "Signature of the operator"),
        "node_LEGAL_PERSON_SIGN": ("法定代表人签字", "Signature of the legal representative"),
        "node_PERSONAL_SIGN": ("个人签字", "Personal signature"),
        "node_APPROVER_CHECK": ("审批", "Approval"),
        "node_": ("个人签署", "Personal signature"),
        "node_WRITE": ("填写", "Filling in"),
        "state_waiting": ("未开始", "waiting"),
        "state_open": ("待处理", "open"),
        "state_done": ("已完成", "done"),
        "state_closed": ("已关闭", "closed"),
        "lead_SIGN": ("请阅读以下文件，确认无误后签署。", "Read the documents, then sign them."),
        "lead_SEAL": ("请阅读以下文件，确认无误后盖章。", "Read the documents, then apply the seal."),
        "lead_APPROVE": ("请阅读以下文件，决定是否同意发出。", "Read the documents, then approve or refuse."),
        "lead_WRITE": ("请阅读以下文件，完成填写后提交。", "Read the documents, then submit what you filled in."),
        # Documents.
        "documents": ("文件", "Documents"),
        "pages": ("共 {count} 页", "{count} pages"),
        "page": ("第 {number} 页，共 {count} 页", "Page {number} of {count}"),
        "marks_here": ("此页有您的签章位置 {count} 处", "{count} of your marks on this page"),
        "my_marks": ("您的签章位置", "Your marks"),
        "mark_link": ("{name} · 第 {number} 页", "{name} · page {number}"),
        "mark_SIGNATURE": ("签字", "signature"),
        "mark_SEAL": ("印章", "seal"),
        "mark_CHOP_STAMP": ("骑缝章", "cross-page seal"),
        "mark_SIGN_DATE": ("日期", "date"),
        "no_marks": ("此任务不在文件上留下签章。", "This task leaves no mark in the documents."),
        "not_placed": ("签章位置无法使用：{reason}", "A mark cannot be placed: {reason}"),
        "not_drawn": ("此文件无法显示：{reason}", "This document cannot be shown: {reason}"),
        "extra": (
            "显示文件需要安装扩展，请执行 pip install 'kfq-async[sandbox]'",
            "pictures need an extra: run pip install 'kfq-async[sandbox]'",
        ),
        "to_form": ("前往{action}", "{action} now"),
        # Place of a mark.
        "place_legend": ("签章位置", "Place of the mark"),
        "place_hint": (
            "合同没有为此任务指定签章位置，请自行选择。文件中的虚线框为当前位置。",
            "The contract names no place for this task: choose one. The dashed frame shows it.",
        ),
        "place_document": ("文件", "Document"),
        "place_page": ("页码", "Page"),
        "place_at": ("位置", "Place"),
        "at_left-bottom": ("左下", "bottom left"),
        "at_center-bottom": ("中下", "bottom centre"),
        "at_right-bottom": ("右下", "bottom right"),
        "at_left-middle": ("左中", "middle left"),
        "at_center-middle": ("正中", "middle"),
        "at_right-middle": ("右中", "middle right"),
        "at_left-top": ("左上", "top left"),
        "at_center-top": ("中上", "top centre"),
        "at_right-top": ("右上", "top right"),
        "preview": ("预览位置", "Preview the place"),
        # Forms.
        "agree": ("我已阅读全部文件，同意签署", "I have read all documents and agree to sign"),
        "do_SIGN": ("确认签署", "Sign"),
        "do_SEAL": ("确认盖章", "Apply the seal"),
        "do_APPROVE": ("同意", "Approve"),
        "do_WRITE": ("提交", "Submit"),
        "no_fields": (
            "沙箱没有模板，因此没有可填写的字段；直接提交即完成填写。",
            "The sandbox has no templates and therefore no fields: submit to complete the task.",
        ),
        "comment": ("审批意见（选填）", "Comment (optional)"),
        "comment_hint": ("平台的事件不包含审批意见。", "The platform's events do not contain it."),
        "reason": ("原因（选填）", "Reason (optional)"),
        "reason_hint": ("原因会随事件通知发起方。", "The event tells it to the sender."),
        "refuse_SIGN": ("拒绝签署", "Refuse to sign"),
        "refuse_SEAL": ("拒绝盖章", "Refuse to seal"),
        "refuse_APPROVE": ("不同意", "Refuse the approval"),
        "refuse_WRITE": ("拒绝填写", "Refuse to fill in"),
        "refuse_warning": (
            "拒绝后合同即终止，其他任务全部关闭，且不可恢复。",
            "A refusal ends the contract and closes all other tasks; it cannot be undone.",
        ),
        # Results.
        "done_SIGN": ("您已签署", "You have signed"),
        "done_SEAL": ("您已盖章", "You have applied the seal"),
        "done_APPROVE": ("您已同意", "You have approved"),
        "done_WRITE": ("您已完成填写", "You have filled in the fields"),
        "done_text": ("此任务已完成，不会重复执行。", "This task is done, and is not performed twice."),
        "waiting": ("尚未轮到您", "Not your turn yet"),
        "waiting_text": ("前面的步骤完成后，此链接即可使用。", "This link can be used once the steps before are done."),
        "draft": ("合同尚未发起", "The contract has not been started"),
        "draft_text": (
            "发起方发起合同后，此链接即可使用。",
            "This link can be used once the sender starts the contract.",
        ),
        "refused": ("合同已被拒绝", "The contract has been refused"),
        "refused_text": ("有参与方拒绝了合同，不能再处理。", "A party has refused; nothing more can be done."),
        "recalled": ("合同已撤回", "The contract has been withdrawn"),
        "recalled_text": ("发起方撤回了合同，不能再处理。", "The sender has withdrawn it; nothing more can be done."),
        "expired": ("合同已过期", "The contract has expired"),
        "expired_text": ("已超过截止时间，不能再处理。", "Its deadline has passed; nothing more can be done."),
        "deleted": ("合同已删除", "The contract has been deleted"),
        "deleted_text": ("发起方删除了合同。", "The sender has deleted it."),
        "closed": ("任务已关闭", "The task is closed"),
        "closed_text": ("此任务不再需要处理。", "It need not be performed any more."),
        "given_reason": ("原因", "Reason"),
        "back": ("返回业务系统", "Return to the service"),
        # Login.
        "login": ("需要登录", "Login needed"),
        "login_text": (
            "在真实平台上，此链接需要以下账号登录后才能打开。",
            "On the platform, this link opens after this account has logged in.",
        ),
        "login_as": ("以 {name} 的身份继续", "Continue as {name}"),
        "login_hint": ("沙箱无需登录。", "The sandbox needs no login."),
        "account": ("登录账号", "Account"),
        "person": ("姓名", "Name"),
        "party": ("代表", "On behalf of"),
        "choose": ("请选择待办事项", "Choose a task"),
        "nothing": ("当前没有待办事项", "Nothing to do now"),
        "nothing_text": ("此账号在该合同中没有待处理的任务。", "This account has no open task in the contract."),
        # Refusals.
        "invalid": ("链接无效", "Invalid link"),
        "invalid_text": (
            "链接不存在、不完整，或页面已失效；请重新打开原链接。",
            "It does not exist, is incomplete, or the page is too old: open the original link again.",
        ),
        "link_expired": ("链接已过期", "Link expired"),
        "link_expired_text": (
            "此链接已超过有效期，请通过 contract/pageUrl 获取新链接。",
            "Request a new link by contract/pageUrl.",
        ),
        "stale": ("表单已失效", "Form out of date"),
        "stale_text": ("请重新打开链接。", "Open the link again."),
        "unknown": ("操作无效", "Invalid action"),
        "unknown_text": ("此任务没有该操作。", "The task does not have this action."),
        "unconfirmed": ("未确认", "Not confirmed"),
        "unconfirmed_text": ("请先勾选同意签署。", "Tick the box to agree first."),
        "failed": ("未能完成", "Not performed"),
        "failed_text": (
            "平台会拒绝此操作，合同没有变化：{reason}",
            "The platform refuses this; nothing has changed: {reason}",
        ),
        "again": ("返回签署页面", "Return to the page"),
    }

    def node(self, node_type: str) -> str:
        """Return the text of a ``nodeType``, which the platform does not validate."""
        return self.find(f"node_{node_type}", node_type)
