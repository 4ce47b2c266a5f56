"""Quirks of the platform that the sandbox imitates, each with a name by which it is switched off.

A quirk is what the platform does against its documentation, or against what its documentation leads one to expect
(protocol sections 1 to 6). Where marks land on a page is none: `kfq_async.documents` describes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["QUIRKS", "Quirk", "check_quirks"]

COLLISIONS = "collisions"
UNSIGNABLE_DATES = "unsignable-dates"
LATE_PARTIES = "late-parties-without-task"
SIGNED_AGAIN = "signed-again"
REVIVED_CONTRACTS = "revived-contracts"
LEFTOVER_DRAFTS = "leftover-drafts"
UNCHECKED_APPROVAL = "unchecked-approval"
FINISH_AGAIN = "finish-again"
FOREIGN_CONTRACTS = "foreign-contracts"
DROPPED_PARTIES = "dropped-parties"
OVERFLOWING_FIELDS = "overflowing-fields"
ROLLING_DATES = "rolling-dates"
EARLY_DEADLINES = "early-deadlines"
SWAPPED_PAGES = "swapped-pages"
UNRESOLVED_DOCUMENTS = "unresolved-documents"
MISSING_DEFAULTS = "missing-defaults"
NAN_SIZES = "nan-sizes"
UNCHECKED_UPLOADS = "unchecked-uploads"
REFUSED_PDF_2 = "refused-pdf-2"
DUPLICATE_NAMES = "duplicate-names"
GENERIC_FAILURES = "generic-failures"
REPEATED_REQUEST = "repeated-request"
HIDDEN_ERRORS = "hidden-error-page"
LATE_AUDIT = "late-audit"
SILENT_COMPLETION = "silent-completion"
EARLY_COMPLETION = "early-completion"
STALE_EXPIRY = "stale-expiry"
UNDOCUMENTED_STATUSES = "undocumented-statuses"


@frozen
class Quirk:
    """A fault of the platform.

    Attributes:
        name: Lower-case name with hyphens.
        summary: Two short sentences in English, with the measured figure where there is one.
        summary_zh: The same in Chinese.
    """

    name: str
    summary: str
    summary_zh: str


QUIRKS = {
    quirk.name: quirk
    for quirk in (
        Quirk(
            COLLISIONS,
            "Calls that drive contracts and overlap corrupt them, whatever contract or token. Of 90 starts sent at "
            "once, 26 were answered with success and 9 were sound; one at a time, 90 of 90 were.",
            "推动合同的调用一旦重叠就会相互破坏，与合同、令牌无关。同时发起 90 份，26 份返回成功，其中仅 9 份完好；逐"
            "个调用则 90 份全部完好。",
        ),
        Quirk(
            UNSIGNABLE_DATES,
            "A contract with a SIGN_DATE starts, and its signature ends in envelope B, 500. With an automatic seal "
            "in the same contract, the draft is refused with 31000.",
            "含签署日期控件（SIGN_DATE）的合同可以发起，但签署时返回结构 B 的 500。同一合同若有自动签章，草稿即被 "
            "31000 拒绝。",
        ),
        Quirk(
            LATE_PARTIES,
            "With ORDER, a party that is added after the last signature is stored without a task. A finish then "
            "completes the contract without it.",
            "按顺序签署时，最后一人签署后追加的签署方会被保存，但没有任务。此时手动结束，合同会在其未签署的情况下完成"
            "。",
        ),
        Quirk(
            SIGNED_AGAIN,
            "With NO_ORDER, each addition gives all parties open tasks again. Those who have signed have to sign "
            "once more.",
            "不分顺序签署时，每次追加都会重新为所有签署方生成任务。已签署的签署方须再签一次。",
        ),
        Quirk(
            REVIVED_CONTRACTS,
            "An addition puts a draft, a recalled or a refused contract that is kept open back to SIGNING. A finish "
            "then completes an unsigned draft.",
            "对不自动结束的草稿、已撤回或已拒签的合同追加签署方，合同会回到签署中。此时手动结束，未经签署的草稿也会完"
            "成。",
        ),
        Quirk(
            LEFTOVER_DRAFTS,
            "A start that is refused leaves its draft, whose id is not told. Sending the request again makes another "
            "contract.",
            "发起被拒绝时会留下草稿，且不返回其编号。重新发送请求会再生成一份合同。",
        ),
        Quirk(
            UNCHECKED_APPROVAL,
            "An approval that is neither 1 nor 0, or absent, is answered with success. It changes nothing.",
            "审批结果既非 1 也非 0，或者缺失，仍返回成功。合同没有任何变化。",
        ),
        Quirk(
            FINISH_AGAIN,
            "A finish does not look at the state of a contract that is kept open. On a COMPLETE one it is answered "
            "with success, and the event COMPLETE is sent again.",
            "手动结束不检查合同状态。对已完成的合同仍返回成功，并再次发送 COMPLETE 事件。",
        ),
        Quirk(
            FOREIGN_CONTRACTS,
            "Tasks, links, downloads and signatures by proxy do not look at the enterprise of the token. Who knows "
            "the id of another enterprise's contract can read it.",
            "查询任务、获取链接、下载文档和授权签署不检查令牌所属企业。知道其他企业的合同 ID 即可读取该合同。",
        ),
        Quirk(
            DROPPED_PARTIES,
            "A party of an unknown signerType is dropped in free mode. The contract starts without it.",
            "自由模式下，signerType 未知的签署方会被忽略。合同在缺少该签署方的情况下发起。",
        ),
        Quirk(
            OVERFLOWING_FIELDS,
            "A text that does not fit its column, such as a subject of more than 200 characters or with an emoji, "
            "ends in envelope B, 500. The response does not tell the limit.",
            "超出数据库列长度的文本（如超过 200 字或含表情符号的标题）会返回结构 B 的 500。响应不说明该字段的上限。",
        ),
        Quirk(
            ROLLING_DATES,
            "An expireDate that does not exist rolls over to a later day. Text after the date is ignored.",
            "不存在的 expireDate 会顺延到之后的日期。日期后的多余文字会被忽略。",
        ),
        Quirk(
            EARLY_DEADLINES,
            "A contract expires at the beginning of the day that expireDate names. The day itself is not included.",
            "合同在 expireDate 当天零点到期。当天不包含在内。",
        ),
        Quirk(
            SWAPPED_PAGES,
            "EVEN_NUMBER marks pages 1, 3, 5 and ODD_NUMBER pages 2, 4, 6. A CHOP_STAMP is not affected.",
            "EVEN_NUMBER 对应第 1、3、5 页，ODD_NUMBER 对应第 2、4、6 页。骑缝章不受影响。",
        ),
        Quirk(
            UNRESOLVED_DOCUMENTS,
            "A position without relationDocList gets a document that the platform then cannot find. A draft or a "
            "signature by proxy with one is refused with 31000.",
            "未填 relationDocList 的签署位置会被填入平台自己找不到的文档。含此类位置的草稿或授权签署返回 31000。",
        ),
        Quirk(
            MISSING_DEFAULTS,
            "The documented defaults of keywordType and signDateFormat do not exist. A position without them is "
            "refused.",
            "文档所写的 keywordType 与 signDateFormat 的默认值并不存在。缺少它们的签署位置会被拒绝。",
        ),
        Quirk(
            NAN_SIZES,
            "A size of NaN is accepted by the draft. The contract cannot be signed.",
            "草稿接受值为 NaN 的控件尺寸。这样的合同无法签署。",
        ),
        Quirk(
            UNCHECKED_UPLOADS,
            "An upload skips characters outside the base64 alphabet and does not look into a damaged PDF. Only the "
            "draft that uses the document fails.",
            "上传时会跳过 base64 字母表之外的字符，也不检查 PDF 是否损坏。直到使用该文档的草稿才会失败。",
        ),
        Quirk(
            REFUSED_PDF_2,
            "A document whose header is %PDF-2.0 is refused with 31000. Only %PDF-1. at the first byte counts as a "
            "PDF.",
            "文件头为 %PDF-2.0 的文档返回 31000。只有首字节起为 %PDF-1. 的文件才被视为 PDF。",
        ),
        Quirk(
            DUPLICATE_NAMES,
            "Two documents of the same name cannot be packed into a ZIP file. The download is refused with 31000.",
            "两份同名文档无法打包为 ZIP 文件。下载返回 31000。",
        ),
        Quirk(
            GENERIC_FAILURES,
            "Values that the platform fails to handle, such as an order that is no number or a page beyond the "
            "document, end in envelope B, 500. No code tells a missing or malformed field from a fault of the "
            "platform.",
            "平台无法处理的取值（如非数字的顺序、超出文档的页码）会返回结构 B 的 500。无法由错误码区分字段缺失、格式"
            "错误与平台故障。",
        ),
        Quirk(
            REPEATED_REQUEST,
            "A value of a wrong structure is answered with a message that repeats the whole request body. Token, "
            "names and ID numbers are in it, up to 65,000 characters.",
            "取值结构错误时，响应消息会重复整个请求体。其中包含令牌、姓名与证件号码，最长 65,000 个字符。",
        ),
        Quirk(
            HIDDEN_ERRORS,
            "Some faults are answered with HTTP 401 and a text about an expired token. It says nothing about the "
            "token.",
            "部分故障以 HTTP 401 和令牌失效的文字返回。这与令牌无关。",
        ),
        Quirk(
            LATE_AUDIT,
            "A call without uniqueCode, or with one of more than 255 characters, takes effect and is answered with "
            "an error. Sending it again does the same twice.",
            "缺少 uniqueCode 或其超过 255 个字符时，调用已生效却返回错误。重新发送会重复执行。",
        ),
        Quirk(
            SILENT_COMPLETION,
            "No event COMPLETE follows when the last signature was made by proxy, in 11 of 11 cases. Only "
            "SUBMIT_SIGN tells that the contract is complete.",
            "最后一个签署为授权签署时不发送 COMPLETE 事件，11 次均如此。只有 SUBMIT_SIGN 表明合同已完成。",
        ),
        Quirk(
            EARLY_COMPLETION,
            "The event COMPLETE is sent while a contract that is kept open is still SIGNING. It is sent again after "
            "the finish.",
            "不自动结束的合同仍在签署中时就会发送 COMPLETE 事件。手动结束后会再次发送。",
        ),
        Quirk(
            STALE_EXPIRY,
            "The event EXPIRED carries the status before, such as SIGNING. Only the event itself tells that the "
            "contract has expired.",
            "EXPIRED 事件携带的是过期前的状态（如 SIGNING）。只有事件本身表明合同已过期。",
        ),
        Quirk(
            UNDOCUMENTED_STATUSES,
            "Two statuses are spelled REFUSAL_WRIT and COMPLETE. The documentation calls them REFUSAL_WRITE and "
            "COMPLETED.",
            "有两个状态写作 REFUSAL_WRIT 与 COMPLETE。文档中为 REFUSAL_WRITE 与 COMPLETED。",
        ),
    )
}
"""All quirks by name, those of contracts first."""


def check_quirks(names: Iterable[str] | None) -> frozenset[str]:
    """Return names of quirks, ``None`` for all; raise `ValueError` for an unknown one, and `TypeError` for one text."""
    if names is None:
        return frozenset(QUIRKS)
    if isinstance(names, str):
        raise TypeError("quirks must be a list of names, not one str: write [name]")
    chosen = frozenset(names)
    unknown = sorted(str(name) for name in chosen - QUIRKS.keys())
    if unknown:
        raise ValueError(f"quirks must be among {', '.join(QUIRKS)}, not {', '.join(unknown)}")
    return chosen
