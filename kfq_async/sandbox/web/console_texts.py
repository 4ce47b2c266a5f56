"""Texts of the console and its page of a contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kfq_async.sandbox.web.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ConsoleTexts"]


class ConsoleTexts(Texts):
    """Texts of the console in one language."""

    entries: ClassVar[Mapping[str, tuple[str, str]]] = {
        **Texts.entries,
        # Console.
        "console": ("沙箱控制台", "Sandbox console"),
        "console_title": ("kfq_async 沙箱控制台", "kfq_async sandbox console"),
        "zone": ("时间均为北京时间（UTC+8）。", "Times are those of Beijing (UTC+8)."),
        "refresh": ("刷新", "Refresh"),
        "app_id": ("通知签名 appId", "appId of notifications"),
        "schedule": ("重试间隔（秒）", "Retries after (seconds)"),
        "no_retries": ("不重试", "none"),
        "separator": ("、", ", "),
        "space": ("", " "),
        "public_key": ("通知验签公钥", "Public key that verifies notifications"),
        "assumed_form": (
            "通知的格式、签名、响应约定和重试间隔均为沙箱的假设：开放签未公开 authCallbackUrl 的通知规范。",
            "The platform does not document the notifications to authCallbackUrl: their form is an assumption.",
        ),
        "measured_schedule": (
            "响应约定和重试次数取自平台对合同事件的实测行为：连续发送三次，对方断开连接时每次再补发一次，之后按间隔重试。",
            "Attempts are as measured of contract events: three, repeated if the connection is dropped, then retries.",
        ),
        "search": ("搜索", "Search"),
        "search_for": ("编号、企业、姓名、账号或 clientRequestId", "Id, company, person, account or clientRequestId"),
        "state": ("状态", "State"),
        "any_state": ("全部", "any"),
        "clear": ("清除条件", "Clear"),
        "notifications": ("通知", "Notifications"),
        "orders": ("认证订单", "Identification orders"),
        "contracts": ("合同", "Contracts"),
        "listed": ("最新 {listed} / 共 {count}", "newest {listed} of {count}"),
        "none": ("暂无记录。", "None."),
        "no_callback": ("未设置 authCallbackUrl，不发送通知", "no authCallbackUrl, so no notifications"),
        "open_order": ("打开认证页面", "Open its page"),
        "reorder": ("倒序重发最新两条", "Resend the newest two in reverse"),
        "duplicate": ("重复发送", "Send twice"),
        "corrupt": ("篡改后发送", "Change and send"),
        "delay": ("延迟", "Delay"),
        "seconds": ("秒", "seconds"),
        "send_delayed": ("延迟发送", "Send later"),
        "stale_console": ("表单已失效，请重新打开控制台。", "This form is no longer valid: open the console again."),
        "invalid_title": ("操作无效", "Invalid action"),
        "invalid_action": (
            "通知不存在、操作未知，或秒数无效。",
            "The notification does not exist, the action is unknown, or the seconds are not valid.",
        ),
        # Deliveries.
        "acknowledged": ("已确认", "acknowledged"),
        "stopped": ("已停止", "given up"),
        "lost": ("已丢弃", "lost"),
        "held": ("已暂停", "held"),
        "next": ("下次发送 {time}", "next attempt {time}"),
        "body": ("请求体", "Body"),
        "not_sent": ("尚未发送", "not sent yet"),
        "no_response": ("无响应", "no response"),
        "corrupt_accepted": ("接收方接受了被篡改的通知！", "The receiver accepted a notification that was changed!"),
        "other_status": (
            "按平台对合同事件的规则视为已确认；请只返回 HTTP 200。",
            "Acknowledged by the platform's rule for contract events; respond with HTTP 200 only.",
        ),
        "callback-duplicate": ("重复", "duplicated"),
        "callback-delay": ("延迟", "delayed"),
        "callback-reorder": ("乱序", "reordered"),
        "callback-corrupt": ("篡改", "changed"),
        "event-duplicate": ("重复", "duplicated"),
        "event-delay": ("延迟", "delayed"),
        "event-reorder": ("乱序", "reordered"),
        "resend": ("重发", "Resend"),
        "hold": ("暂停", "Hold"),
        "release": ("恢复发送", "Release"),
        "discard": ("丢弃", "Lose"),
        # Page of a contract.
        "missing_title": ("合同不存在", "No such contract"),
        "missing": (
            "合同不存在，或沙箱已用新的状态重新启动。",
            "The contract does not exist, or the sandbox was started again with another state.",
        ),
        "stale_title": ("拒绝操作", "Refused"),
        "stale": ("表单已失效，请重新打开本页。", "This form is no longer valid: open the page again."),
        "invalid": (
            "操作无效、日期格式不正确，或事件已不在该状态。",
            "The action is unknown, the date is not valid, or the event is in another state by now.",
        ),
        "untitled": ("未命名合同", "Untitled contract"),
        "id": ("合同编号", "Contract id"),
        "sender": ("发起方", "Sender"),
        "created": ("创建时间", "Created"),
        "deadline": ("截止日期", "Deadline"),
        "no_deadline": ("未设置", "none"),
        "order": ("签署顺序", "Sequence"),
        "ordered": ("按顺序签署", "one party after another"),
        "unordered": ("不分顺序，同时签署", "all parties at once"),
        "ends": ("结束方式", "Completion"),
        "ends_itself": ("全部签署后自动完成", "by itself, after the last step"),
        "kept_open": ("需调用结束接口才会完成", "by the operation finish"),
        "flow": ("签署流程", "Who signs when"),
        "SENDER": ("发起方", "Sender"),
        "ENTERPRISE": ("接收企业", "Receiving enterprise"),
        "PERSONAL": ("个人", "Person"),
        "unnamed": ("未填写名称", "no name"),
        "AGENT_SIGN": ("经办人签字", "Signature of the agent"),
        "LEGAL_PERSON_SIGN": ("法定代表人签字", "Signature of the legal representative"),
        "PERSONAL_SIGN": ("个人签字", "Personal signature"),
        "ENTERPRISE_SEAL": ("企业盖章", "Seal of the enterprise"),
        "APPROVER_CHECK": ("审批", "Approval"),
        "signature": ("签字", "Signature"),
        "fill_in": ("填写", "Filling in"),
        "automatic": ("自动盖章", "applied automatically"),
        "waiting": ("等待", "waiting"),
        "open": ("待办", "open"),
        "done": ("已完成", "done"),
        "closed": ("已关闭", "closed"),
        "positions": ("{count} 处签署位置", "positions: {count}"),
        "act": ("打开签署页面", "Open the signing page"),
        "no_parties": ("合同没有签署方。", "The contract has no parties."),
        "actions": ("发起方操作", "Actions of the sender"),
        "start": ("发起", "Start"),
        "withdraw": ("撤回", "Withdraw"),
        "reason": ("原因（选填）", "Reason (optional)"),
        "set": ("设置截止日期", "Set the deadline"),
        "day": ("截止日（北京时间当天结束；留空则清除）", "Last day (its end in Beijing; leave empty for none)"),
        "delete": ("删除", "Delete"),
        "documents": ("签署文档", "Documents"),
        "page": ("{name} 第 {number} / {count} 页", "{name}, page {number} of {count}"),
        "not_shown": ("无法显示：{problem}", "Cannot be shown: {problem}"),
        "extra": ("请先执行 pip install 'kfq-async[sandbox]'", "first run pip install 'kfq-async[sandbox]'"),
        "events": ("合同事件", "Contract events"),
        "no_events": (
            "暂无事件。令牌没有配置 callbackUrl 时，平台不发送事件。",
            "No events yet. Without a callbackUrl of the token the platform sends none.",
        ),
        "assumption": (
            "平台未公开这些页面，本页的内容与操作均为沙箱的假设。时间为北京时间（UTC+8）。",
            "The platform does not document such pages: this one is an assumption. Times are those of Beijing (UTC+8).",
        ),
    }
