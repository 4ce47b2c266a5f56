"""Text of others in errors, logs and terminals: one line; only known words of messages; ids and states by form."""

from __future__ import annotations

import re
from itertools import dropwhile

__all__ = ["MASK", "printable", "redact", "visible_id", "visible_status"]

_HIDDEN = "…"
"""Stands for what is left out."""
_MAX_LENGTH = 300
"""Number of characters of a message that are read at all; it may have millions."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LABELS = _words(
    """
    企业名称 企业类型 企业验证方式 统一社会信用代码 信用代码 营业执照 法定代表人 法定代表人姓名 法人姓名 经办人
    经办人账号 经办人姓名 经办人手机号 个人验证方式 姓名 证件号码 证件号 证件类型 身份证 身份证号 身份证号码 手机号
    手机号码 银行卡 银行卡号 邮箱 账号 账户 用户 用户名 参数 字段 联系方式 联系类型 签署人 签署方 发起方 发起人 接收方
    操作人 前端跳转页 异步回调地址 回调地址 客户端请求唯一标识 流水号 时间戳 订单 订单号 合同名称 业务线 关联文档
    关键字 状态为 错误码 缺少 不支持
    """
)
"""What a message speaks of; also shown before something hidden."""
_VERDICTS = _words(
    """
    不存在 已存在 已经存在 未注册 已注册 已关闭 已注销 未认证 已认证 未实名 已实名 未实名认证 已实名认证 不一致 不匹配
    不符 不符合 不正确 有误 错误 无效 失效 已失效 已过期 已使用 已被使用 已占用 已被占用 已绑定 已停用 已经停用 已禁用
    被限制访问 不能为空 不可为空 为空 必填 缺失 参数缺失 过短 过长 超长 超出范围 格式错误 格式不正确 类型错误 不支持
    不可用 不允许 无权限 没有权限 权限不足 余额不足 重复 失败 不可撤回 不能手动结束 状态为 还存在待完成的签署任务
    """
)
"""What a message says about it; also shown after something hidden."""
_OTHER_WORDS = _words(
    """
    沙箱 业务 业务处理 处理 操作 应用 请 请勿 频繁操作 稍后 重试 重新 授权 登录 需要登录 接口 地址 实例 实名 认证
    实名认证 企业 个人 企业信息 个人信息 签署 审批 合同 合同审批 文档 印章 任务 签署任务 当前 当前无 状态 签署状态
    异常 仅支持 签署中 审批中 填写中 草稿 已完成 已撤回 已撤销 已拒签 已到期 的 与 或 为 是 不是 无 不 已 未 被 须
    需要 解析 先执行 位置 签署位置
    须为 文件 文件类型 文件转换 不支持的 请求 请求体 请求方法 请求字段 对象 校验 校验失败 格式 类型 长度 含空格 早于
    当前日期 核对 检查 平台时间 毫秒时间戳 相差 超过 秒 同一 已用于 内容 不同 模拟错误 内部错误 未知错误 系统异常 调用
    超时
    """
)
"""Words that are shown only in a clause without anything hidden, since a company's name could contain them."""
_LATIN_WORDS = _words(
    """
    account accountName actionType agreeSkipWillingness annexList appAuthToken appId approval authCallbackUrl authUrl
    autoFinish autoSign bankCard bizId bizType callbackPage callbackType clientRequestId clientUserId code comment
    companyName companyType companyVerifyMethod contact contactType contactUnionId contractId contractName contractNo
    contractStatus controlChangeFlag controlHeight controlType controlWidth corpIdentConfig corpIdentInfo
    corpVerifyMethods createTime creditCode deadline docId docType documentId documentName documents enterpriseName
    expireDate fileId fileName fileSuffix finalSignType finish idCard idCardType identity internalNodeList isMakeSeal
    keyword keywordType legalPerson legalRepName license linkType message mobile name nodeType noLogin nonce offsetX
    offsetY operator operatorAccount operatorUnionId oprIdentConfig oprIdentInfo orderNo orderStatus pageConfig pageUrl
    pageUrlExpireTime paramKey paramValue party partyAccount partyName partyType personalSignAuth personVerifyMethod
    personVerifyMethods positionParamList reason receiver relationDocList result sealId sealType send sign signature
    signatureSubjectType signConfirm signDateFormat signDocumentList signer signerList signerName signerOrder signerType
    signOrderNo signOrderType signPositionType signReId signReName signTemplateParamList signType sn status subject
    taskId tasks taskType templateId templateName templateParamList tenantType timestamp todoTaskList unionId uniqueCode
    unmodifiableParams userType verifyTime verifyType API HTTP ID IP JSON PDF SQL Token URL id ip json null pdf token
    url yyyy-MM-dd pip install kfq-async a an
    $ @ - boolean expected integer item key list missing not number object or required string unknown
    """
)
"""Wire names of fields (protocol sections 3 to 6), and the words that say what is wrong with a field."""

_SEPARATORS = r"""[\s,;:!?()\[\]"'，。、；：！？（）【】《》“”‘’…]+"""
_CLAUSES = re.compile(f"({_SEPARATORS})")
_REPEATED = re.compile(f"{_HIDDEN}(?:{_SEPARATORS}{_HIDDEN})+")
_KEY = "[A-Za-z_]{1,40}"
_VALUES = "|".join(
    _words(
        """
        -1 0 1 2 3 4 5 6 7 legalRep invite letter face mobile MOBILE EMAIL SENDER RECEIVER_ENT RECEIVER_PERSONAL
        ENTERPRISE_SEAL AGENT_SIGN LEGAL_PERSON_SIGN PERSONAL_SIGN APPROVER_CHECK AUTO_SIGN FACE CAPTCHA PASSWORD DOUBLE
        required allowed not_required NOLIMIT TEMPLATE HAND SIGNATURE SEAL SIGN_DATE CHOP_STAMP POSITION KEYWORD
        YEAR_MONTH_DAY LINE BACK_SLASH ALL EVEN_NUMBER ODD_NUMBER ORDER NO_ORDER NECESSARY_NO_ADD NECESSARY_AND_ADD
        NOT_NECESSARY PERSON EMPLOYEE h5 pc companyName creditCode legalRepName companyType license name idCard
        idCardType bankCard
        """
    )
)
"""Values that are documented (protocol sections 3 and 4), and names of fields that a request can lock."""
_IMPROPER = (
    rf"(?:must be one of (?:{_VALUES})(?:, (?:{_VALUES}))*|must be a mobile number or an e-mail address"
    "|must be a complete http or https URL|must be a URL without fragment|must be an existing day yyyy-MM-dd"
    "|must be a number|must be padded base64|must be an account of contactType (?:MOBILE|EMAIL)|required key missing"
    "|is for ENTERPRISE_SEAL of the SENDER only|is not for ENTERPRISE_SEAL|needs noLogin"
    "|the request is empty: it needs corpIdentInfo or accountName)"
    "(?:: the platform would (?:answer with success, and )?silently drop (?:it|this party|other characters))?"
)
"""What the sandbox says of an improper value, before its path."""
_FIELD = re.compile(
    r"(?<![^\s:：;；“])"
    rf"((?:unknown key {_KEY}(?:, {_KEY})* |{_IMPROPER} )?@ \$(?:\.{_KEY}|\[[0-9]{{1,4}}\])*"
    r"|item [0-9]{1,4}(?=: expected )|the platform would silently drop it)"
    r"(?![^\s:;；,，。”])"
)
"""Where a problem is: a JSON path, with the unknown keys before it, or the number of an item.

The sandbox writes so of keys, never of values. A key with a digit, or with a character that is not ASCII, is hidden.
"""
_HAN_WORDS = _LABELS | _VERDICTS | _OTHER_WORDS
_WORD = re.compile(f"[!-~]+|{'|'.join(sorted(_HAN_WORDS, key=len, reverse=True))}|.")


MASK = "***"
"""Stands for a value that does not have the form of an id or a state."""
_ID = re.compile("[A-Za-z0-9_-]{1,64}")
_PERSONAL_NUMBER = re.compile(
    r"(?<![0-9])(?:(?:00)?86)?1[3-9][0-9]{9}(?![0-9])"
    r"|(?<![0-9])[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx](?![0-9])"
)
"""Mainland mobile number, or an identity number, whose seventh to fourteenth digit are a date."""
_STATUS = re.compile("-?[0-9]{1,6}|[A-Za-z_]{1,32}")


def printable(text: str, limit: int | None = None) -> str:
    """Return text on one line, cut after ``limit`` characters.

    Each character that is not printable becomes a space: line breaks, escape sequences, and invisible characters that
    change the direction or the look of the text around them.
    """
    part = text[:limit]
    if not part.isprintable():
        part = "".join(character if character.isprintable() else " " for character in part)
    return part if len(part) == len(text) else f"{part}{_HIDDEN}"


def visible_id(value: str | None) -> str | None:
    """Return an id that came from outside as logs, events and spans show it; ``None`` stays ``None``.

    An id has 1 to 64 letters, digits, ``-`` and ``_``, and is neither a mainland mobile number nor an identity number.
    Anything else is ``***``.
    """
    if value is None:
        return None
    return value if _ID.fullmatch(value) and not _PERSONAL_NUMBER.search(value) else MASK


def visible_status(value: str | None) -> str | None:
    """Return a state that came from outside as logs, events and spans show it; ``None`` stays ``None``.

    A state is a number of at most 6 digits, or a word of at most 32 letters and ``_``. Anything else is ``***``.
    """
    if value is None:
        return None
    return value if _STATUS.fullmatch(value) else MASK


def redact(message: str) -> str:
    """Return what may be shown of a message of the platform; an empty text if that is nothing.

    Messages repeat names, numbers, links and tokens, also of people who are not in the request, and in forms without
    end. So this recognises what is harmless instead: JSON paths of fields, and clauses of known words. Of any other
    clause, a label at its start and a verdict at its end remain, such as ``手机号…已被使用``.
    """
    parts = _FIELD.split(printable(message, _MAX_LENGTH))
    parts[::2] = map(_redact_clauses, parts[::2])
    shown = _REPEATED.sub(_HIDDEN, "".join(parts))
    return shown if re.sub(_SEPARATORS, "", shown) else ""


def _redact_clauses(text: str) -> str:
    clauses = _CLAUSES.split(text)
    clauses[::2] = map(_redact_clause, clauses[::2])
    return "".join(clauses)


def _redact_clause(clause: str) -> str:
    words = _WORD.findall(clause)
    unknown = [index for index, word in enumerate(words) if not _is_known(word)]
    if not unknown:
        return clause
    before, after = words[: unknown[0]], words[unknown[-1] + 1 :]
    while before and before[-1] not in _LABELS:
        before.pop()
    verdict = dropwhile(lambda word: word not in _VERDICTS, after)
    return "".join((*before, _HIDDEN, *verdict))


def _is_known(word: str) -> bool:
    """Return whether a word is allowed; a Latin one may be a path of wire names, such as ``operator.contact``."""
    return word in _HAN_WORDS or _LATIN_WORDS.issuperset(word.split("."))
