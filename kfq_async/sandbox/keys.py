"""The sandbox's own RSA key, which signs its notifications."""

from __future__ import annotations

import base64
from functools import cache
from typing import TYPE_CHECKING

from kfq_async.protocol.signing import load_private_key
from kfq_async.sandbox.records import Setting

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from kfq_async.sandbox.store import Store

__all__ = ["kept_key", "process_key", "public_text"]

BITS = 2048
_NAME = "private key"


def kept_key(store: Store) -> RSAPrivateKey:
    """Return the key that a state file keeps, made the first time. It takes a moment: not for an event loop."""
    kept = store.settings.one("name = ?", _NAME)
    if kept is not None:
        return load_private_key(kept.value)
    key = _generate()
    store.settings.add(Setting(name=_NAME, value=_private_text(key)))
    return key


@cache
def process_key() -> RSAPrivateKey:
    """Return the key of this process, so that a thousand tests do not make a thousand. Not for an event loop."""
    return _generate()


def public_text(key: RSAPrivateKey) -> str:
    """Return the public key as the platform's pages show one: bare base64 of SubjectPublicKeyInfo."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _private_text(key: RSAPrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return base64.b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()


def _generate() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=BITS)
