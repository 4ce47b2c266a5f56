"""Secrets in the variables of a failed function: what tracebacks and error trackers record holds none of them."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
import traceback
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, is_typeddict

import attrs
import orjson
import pytest
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter
from rich.console import Console
from rich.traceback import Traceback

import kfq_async
from failures import FAILURES, LINK, SECRETS
from kfq_async.models.fields import MODEL, as_masked_text
from kfq_async.models.masking import MaskedStr

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SENSITIVE_FIELDS = {
    *("account", "account_name", "app_auth_token", "auth_callback_url", "auth_url", "bank_card", "callback_page"),
    *("contact", "id_card", "legal_rep_name", "license", "mobile", "operator_account", "operator_name"),
    *("comment", "identity", "legal_person", "page_url", "param_value", "party_account", "party_name", "redis_url"),
    *("response_body", "signer_name", "task_url", "token"),
}
"""Names of fields that hold people's data, links or tokens in every class; a ``name`` does so in the models."""
PLACES_OF_NAMES = "kfq_async.models."
CONTAINERS = (dict, frozenset, list, set, tuple, Mapping)
MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(kfq_async.__path__, "kfq_async.")
    if not module.name.endswith("__main__")
]
CLASSES = [
    value
    for module in MODULES
    for value in vars(module).values()
    if inspect.isclass(value) and value.__module__ == module.__name__
]
FIELDS = [
    pytest.param(attribute, id=f"{cls.__name__}.{attribute.name}")
    for cls in CLASSES
    if attrs.has(cls)
    for attribute in attrs.fields(cls)
    if MODEL not in attribute.metadata
    if attribute.name in SENSITIVE_FIELDS or (attribute.name == "name" and cls.__module__.startswith(PLACES_OF_NAMES))
]


def secrets_in(text: str) -> list[str]:
    """Return the secrets that a text holds, also if it escapes what is not ASCII."""
    return [secret for secret in SECRETS if secret in text or ascii(secret)[1:-1] in text]


async def error_of(fail: Callable[[], Awaitable[None]]) -> Exception:
    """Return the exception of a failing function."""
    try:
        await fail()
    except Exception as error:  # noqa: BLE001  # any
        return error
    raise AssertionError


@pytest.mark.parametrize("fail", FAILURES)
async def test_traceback_with_variables(fail: Callable[[], Awaitable[None]]) -> None:
    """A traceback that shows the variables shows no secret, and neither does rich's."""
    error = await error_of(fail)
    lines = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    output = StringIO()
    console = Console(file=output, width=300)
    console.print(Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True))
    assert secrets_in(lines + output.getvalue()) == []
    assert fail.__name__ in lines


def test_sentry_with_its_default_integrations() -> None:
    """Events of Sentry hold no secret; they do hold the variables."""
    script = Path(__file__).with_name("sentry_process.py")
    done = subprocess.run([sys.executable, script], capture_output=True, encoding="utf-8", check=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    functions = {
        frame["function"]
        for event in events
        for error in event.get("exception", {"values": []})["values"]
        for frame in error["stacktrace"]["frames"]
    }
    assert {fail.__name__ for fail in FAILURES} | {"handle_identification", "handle_event"} <= functions
    assert secrets_in(done.stdout) == []
    assert "'***'" in done.stdout


@pytest.mark.parametrize("attribute", FIELDS)
def test_sensitive_fields_mask_their_values(attribute: attrs.Attribute[Any]) -> None:
    """A field that holds a secret masks it in the model's ``repr``, and in the value itself."""
    assert attribute.repr is not True
    convert: Any = attribute.converter
    masked = as_masked_text(LINK, None, attribute) if isinstance(convert, attrs.Converter) else convert(LINK)
    assert type(masked) is MaskedStr


def test_sensitive_fields_are_found() -> None:
    """The search for fields finds those of models, sandbox, command line and examples."""
    found = {parameter.id for parameter in FIELDS}
    assert {"CorpIdentLink.auth_url", "OprIdentInfo.name", "Order.token", "RequestOptions.mobile"} <= found
    assert {"Company.auth_url", "OrderForm.account", "TaskParty.contact"} <= found


def test_classes_are_no_containers() -> None:
    """Tools take sequences and mappings apart, whatever their ``repr``: no class is one, but types of keywords.

    The values of `kfq_async.documents` are those of a file: they are many, and hold no request.
    """
    classes = [cls for cls in CLASSES if not cls.__module__.startswith("kfq_async.documents.")]
    assert [cls for cls in classes if issubclass(cls, CONTAINERS) and not is_typeddict(cls)] == []


def test_values_are_text_to_everything_else() -> None:
    """JSON encoders, web frameworks among them, and a formatted text see the value of a masked field."""
    link = kfq_async.CorpIdentLink(order_no="1", auth_url=LINK, extra={"pageUrl": LINK})
    values = attrs.asdict(link)
    expected = {"order_no": "1", "auth_url": LINK, "extra": {"pageUrl": LINK}}
    assert json.loads(json.dumps(values)) == orjson.loads(orjson.dumps(values)) == expected
    assert JSONResponse(jsonable_encoder(values)).body == orjson.dumps(expected)
    assert TypeAdapter(dict[str, Any]).dump_json(values) == orjson.dumps(expected)
    assert f"{link.auth_url}" == str(link.auth_url) == LINK
