"""Notifications for the tests: bodies, and headers signed with generated keys."""

from __future__ import annotations

import functools
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import rsa

from kfq_async.protocol.signing import sign, string_to_sign

APP_ID = "APPID001"
PATH = "/hooks/kfq/auth"
NOW = 1_750_000_000.0
"""Seconds since the epoch: the time of the tests' clocks."""

IDENTIFIED = {
    "actionType": "AUTH",
    "orderNo": "ORDER-1",
    "orderStatus": 1,
    "unionId": "union-1",
    "contactUnionId": "union-2",
    "userType": 2,
    "bizType": 1,
    "personVerifyMethod": "mobile",
    "companyVerifyMethod": "legalRep",
    "name": "张三",
    "idCard": "110101199001011234",
    "idCardType": 1,
    "mobile": "13800138000",
    "bankCard": "6222020200112233445",
    "companyName": "某某科技有限公司",
    "creditCode": "91110000MA01234567",
    "companyType": 1,
    "createTime": "20250606110000",
    "verifyTime": "20250606120000",
}
SIGNED = {
    "contractId": "C1",
    "contractStatus": "SIGNING",
    "callbackType": "SUBMIT_SIGN",
    "taskId": "T1",
    "signerType": "ENTERPRISE",
    "signerName": "某某科技有限公司",
    "nodeType": "SEAL_NODE",
    "signer": {"name": "李四", "contactType": "MOBILE", "contact": "13800138000"},
    "reason": "李四的电话13800138000",
}


def private_key(size: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    """Return the private key of this size and ``number``; a process generates each once."""
    return _generate_key(size, number)


@functools.cache
def _generate_key(size: int, _: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=size)


def make_body(fields: dict[str, Any] | None = None, **changes: Any) -> bytes:
    """Return the body of a notification; of an identification if no fields are given."""
    return orjson.dumps({**(IDENTIFIED if fields is None else fields), **changes})


def signed_headers(
    body: bytes,
    *,
    path: str = PATH,
    by: rsa.RSAPrivateKey | None = None,
    app_id: str = APP_ID,
    nonce: str = "nonce-1",
    timestamp: str = f"{NOW * 1000:.0f}",
) -> dict[str, str]:
    """Return the headers of an identity notification."""
    text = string_to_sign(app_id, body, nonce=nonce, timestamp=timestamp, uri=path)
    return {"appId": app_id, "nonce": nonce, "timestamp": timestamp, "sign": sign(text.encode(), by or private_key())}


def signed_event_headers(body: bytes, *, by: rsa.RSAPrivateKey | None = None) -> dict[str, str]:
    """Return the headers of a contract event."""
    return {"Content-Type": "application/json", "sign": sign(body, by or private_key())}
