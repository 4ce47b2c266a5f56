"""The request of ``kfq link``, from options or from a file; asking is not here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import attrs
from cyclopts import Parameter

from kfq_async.cli.options import UsageError
from kfq_async.errors import DecodeError
from kfq_async.models.identity import (
    CorpIdentConfig,
    CorpIdentInfo,
    CorpIdentLinkRequest,
    OprIdentConfig,
    OprIdentInfo,
)
from kfq_async.protocol.codec import decode

__all__ = ["RequestOptions", "read_request"]

Texts = Annotated[list[str] | None, Parameter(negative=())]


@attrs.frozen(kw_only=True)
class RequestOptions:
    """What the request holds, an option each.

    Parameters
    ----------
    company_name
        企业名称.
    credit_code
        统一社会信用代码.
    legal_rep_name
        法定代表人.
    company_type
        企业类型: 1 company, 2 sole trader, 3 other.
    account_name
        经办人账号: the operator's mobile number or e-mail address.
    client_user_id
        经办人ID: the operator's id in your own system.
    operator_name
        经办人姓名.
    id_card
        经办人证件号码.
    id_card_type
        经办人证件类型.
    mobile
        经办人手机号.
    bank_card
        经办人银行卡号.
    corp_verify_method
        企业验证方式, repeatable: legalRep, invite, letter.
    person_verify_method
        How the operator is verified, repeatable: face, mobile.
    callback_page
        前端跳转页: where the browser goes afterwards.
    auth_callback_url
        异步回调地址: where the platform notifies you.
    """

    company_name: str | None = None
    credit_code: str | None = None
    legal_rep_name: str | None = None
    company_type: int | None = None
    account_name: str | None = None
    client_user_id: str | None = None
    operator_name: str | None = None
    id_card: str | None = None
    id_card_type: int | None = None
    mobile: str | None = None
    bank_card: str | None = None
    corp_verify_method: Texts = None
    person_verify_method: Texts = None
    callback_page: str | None = None
    auth_callback_url: str | None = None

    @property
    def given(self) -> list[str]:
        """The options that were given, as they are typed."""
        values = attrs.asdict(self).items()
        return [f"--{name.replace('_', '-')}" for name, value in values if value is not None]

    def request(self) -> CorpIdentLinkRequest:
        """Build the request; parts of which nothing was given stay out."""
        return CorpIdentLinkRequest(
            account_name=self.account_name,
            client_user_id=self.client_user_id,
            corp_ident_info=_some(
                CorpIdentInfo,
                company_name=self.company_name,
                credit_code=self.credit_code,
                legal_rep_name=self.legal_rep_name,
                company_type=self.company_type,
            ),
            corp_ident_config=_some(CorpIdentConfig, corp_verify_methods=self.corp_verify_method),
            opr_ident_info=_some(
                OprIdentInfo,
                name=self.operator_name,
                id_card=self.id_card,
                id_card_type=self.id_card_type,
                mobile=self.mobile,
                bank_card=self.bank_card,
            ),
            opr_ident_config=_some(OprIdentConfig, person_verify_methods=self.person_verify_method),
            callback_page=self.callback_page,
            auth_callback_url=self.auth_callback_url,
        )


def _some(model: type, **values: Any) -> Any:
    """Return the model, or ``None`` if nothing of it was given."""
    return model(**values) if any(value is not None for value in values.values()) else None


def read_request(options: RequestOptions, file: Path | None) -> CorpIdentLinkRequest:
    """Take the request from the options or from the file; raises `UsageError` for neither, both, or a poor file."""
    if file is None:
        if not options.given:
            raise UsageError("say which company: at least --company-name, or --file with the request as JSON")
        return options.request()
    if options.given:
        raise UsageError(f"--file holds the whole request, so leave out {', '.join(options.given)}")
    return _read(file)


def _read(file: Path) -> CorpIdentLinkRequest:
    try:
        text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return decode(CorpIdentLinkRequest, json.loads(text), path="$")
    except OSError as problem:
        raise UsageError(f"--file {file}: {problem.strerror}") from None
    except RecursionError:
        raise UsageError(f"--file {file} is nested too deeply for a request") from None
    except ValueError as problem:
        where = f", line {problem.lineno}" if isinstance(problem, json.JSONDecodeError) else ""
        raise UsageError(f"--file {file} is not JSON in UTF-8{where}") from None
    except DecodeError as problem:
        raise UsageError(f"--file {file}: {'; '.join(problem.problems)}") from None
