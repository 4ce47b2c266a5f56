"""Names of states, and reasons, in the reader's language; JSON has the values themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfq_async.languages import LANGUAGES, Language, catalogue_for, current_language
from kfq_async.models.notifications import IdentityStatus
from kfq_async.onboarding.records import OutcomeStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfq_async.onboarding.records import Outcome

__all__ = ["IDENTITY_STATUS_TEXTS", "STATE_TEXTS", "identity_status_text", "reason_text", "state_text"]

STATE_TEXTS: Mapping[str, tuple[str, str]] = {
    OutcomeStatus.LINKED: ("linked", "已获链接"),
    OutcomeStatus.REFUSED: ("refused", "被平台拒绝"),
    OutcomeStatus.UNKNOWN: ("unknown", "结果未知"),
    OutcomeStatus.PENDING: ("pending", "待申请"),
    OutcomeStatus.INVALID: ("invalid", "数据无效"),
    OutcomeStatus.DUPLICATE: ("duplicate", "重复行"),
}
"""Name of each `OutcomeStatus`, and so of each `State`, in the order of `LANGUAGES`."""
IDENTITY_STATUS_TEXTS: Mapping[int | None, tuple[str, str]] = {
    IdentityStatus.IDENTIFIED: ("identified", "已认证"),
    IdentityStatus.IN_PROGRESS: ("in progress", "认证中"),
    IdentityStatus.WITHDRAWN: ("withdrawn", "已撤销"),
    IdentityStatus.EXPIRED: ("expired", "已失效"),
    None: ("no notification", "尚无通知"),
}
"""Name of each `IdentityStatus`, in the order of `LANGUAGES`; ``None``: no notification has arrived."""


def state_text(state: str, language: Language | None = None) -> str:
    """Return the name of a state or outcome, by default in the language of the context."""
    return STATE_TEXTS[state][_index(language)]


def identity_status_text(status: int | None, language: Language | None = None) -> str:
    """Return the name of a status, or the number itself if this version does not know it."""
    return IDENTITY_STATUS_TEXTS[status][_index(language)] if status in IDENTITY_STATUS_TEXTS else str(status)


def reason_text(outcome: Outcome, language: Language | None = None) -> str:
    """Return the `Outcome.reason` in a language, by default that of the context; a heading stays as it is."""
    chosen = language or current_language()
    if chosen == "en":
        return outcome.reason
    translate = catalogue_for(chosen).translate
    texts = [(column, translate(message)) for column, message in outcome.reasons]
    return "；".join(f"{column}：{text}" if column else text for column, text in texts)


def _index(language: Language | None) -> int:
    return LANGUAGES.index(language or current_language())
