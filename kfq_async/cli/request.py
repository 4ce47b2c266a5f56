"""Request of ``kfq link``, from options or from a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from kfq_async.cli.options import UsageError
from kfq_async.errors import DecodeError
from kfq_async.languages import gettext, translate
from kfq_async.models.fields import SECRET, new_id
from kfq_async.models.identity import CorpIdentLinkRequest
from kfq_async.onboarding.input.mapping import build_request
from kfq_async.protocol.codec import decode

__all__ = ["RequestOptions", "read_request"]

Texts = Annotated[tuple[str, ...] | None, Parameter(negative=())]


@attrs.frozen(kw_only=True)
class RequestOptions:
    """Fields of the request, one option each.

    Parameters
    ----------
    company_name
        Name of the company (企业名称).
    credit_code
        Its unified social credit code (统一社会信用代码).
    legal_rep_name
        Its legal representative (法定代表人).
    company_type
        Type of the company (企业类型): 1 company, 2 sole trader, 3 other.
    account_name
        Account of the operator (经办人账号): mobile number or e-mail address.
    client_user_id
        Id of the operator in your own system (经办人ID).
    operator_name
        Name of the operator (经办人姓名).
    id_card
        Number of the operator's identity document (经办人证件号码).
    id_card_type
        Type of that document (经办人证件类型); 1 is a resident card.
    mobile
        Mobile number of the operator (经办人手机号).
    bank_card
        Bank card of the operator (经办人银行卡号).
    corp_verify_methods
        Way to verify the company (企业验证方式), repeatable: legalRep, invite, letter.
    person_verify_methods
        Way to verify the operator (个人验证方式), repeatable: face, mobile.
    callback_page
        Page (前端跳转页) to which the browser is sent afterwards.
    auth_callback_url
        URL (异步回调地址) to which the platform sends notifications.
    """

    company_name: str | None = None
    credit_code: str | None = None
    legal_rep_name: str | None = attrs.field(default=None, **SECRET)
    company_type: int | None = None
    account_name: str | None = attrs.field(default=None, **SECRET)
    client_user_id: str | None = None
    operator_name: str | None = attrs.field(default=None, **SECRET)
    id_card: str | None = attrs.field(default=None, **SECRET)
    id_card_type: int | None = None
    mobile: str | None = attrs.field(default=None, **SECRET)
    bank_card: str | None = attrs.field(default=None, **SECRET)
    corp_verify_methods: Annotated[Texts, Parameter(name="--corp-verify-method")] = None
    person_verify_methods: Annotated[Texts, Parameter(name="--person-verify-method")] = None
    callback_page: str | None = attrs.field(default=None, **SECRET)
    auth_callback_url: str | None = attrs.field(default=None, **SECRET)

    @property
    def given(self) -> list[str]:
        """Options that were given, as typed."""
        values = attrs.asdict(self, recurse=False).items()
        names = [name.replace("_", "-").replace("-methods", "-method") for name, value in values if value is not None]
        return [f"--{name}" for name in names]


def read_request(options: RequestOptions, file: Path | None) -> CorpIdentLinkRequest:
    """Return the request of the options or of the file; raises `UsageError` for neither, both, or an invalid file."""
    if file is None:
        if not options.given:
            raise UsageError(
                gettext("name the company: give at least --company-name, or --file with the request as JSON")
            )
        return build_request(attrs.asdict(options, recurse=False), client_request_id=new_id())
    if options.given:
        raise UsageError(
            gettext("--file holds the whole request; leave out {options}", options=", ".join(options.given))
        )
    return _read_file(file)


def _read_file(file: Path) -> CorpIdentLinkRequest:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return decode(CorpIdentLinkRequest, json.loads(content), path="$")
    except OSError as error:
        raise UsageError(f"--file {file}: {translate(error.strerror)}") from None
    except RecursionError:
        raise UsageError(gettext("--file {file} is nested too deeply for a request", file=file)) from None
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError):
            text = gettext("--file {file} is not JSON in UTF-8, line {line}", file=file, line=error.lineno)
        else:
            text = gettext("--file {file} is not JSON in UTF-8", file=file)
        raise UsageError(text) from None
    except DecodeError as error:
        raise UsageError(f"--file {file}: {translate('; '.join(error.problems))}") from None
