"""What a sender of notifications would send: bodies, signed by keys made here."""

from __future__ import annotations

import functools
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import rsa

from kfq_async.protocol.signing import sign, string_to_sign

APP_ID = "APPID001"
PATH = "/hooks/kfq/auth"
NOW = 1_750_000_000.0
"""Seconds; what the clocks of these tests show."""

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


def key(size: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    """Return a private key of this size; another ``number`` is another key."""
    return _key(size, number)


@functools.cache
def _key(size: int, _: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=size)


def body_of(fields: dict[str, Any] | None = None, **changes: Any) -> bytes:
    """Write a notification's body."""
    return orjson.dumps({**(IDENTIFIED if fields is None else fields), **changes})


def signed(
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
    return {"appId": app_id, "nonce": nonce, "timestamp": timestamp, "sign": sign(text.encode(), by or key())}


def event_signed(body: bytes, *, by: rsa.RSAPrivateKey | None = None) -> dict[str, str]:
    """Return the headers of a contract event."""
    return {"Content-Type": "application/json", "sign": sign(body, by or key())}
