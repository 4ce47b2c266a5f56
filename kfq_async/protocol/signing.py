"""Signatures: the canonical string, SHA256withRSA, keys, and who signs what (protocol sections 1.9 and 5.4).

The arithmetic is `cryptography`'s, which is imported on first use.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    PrivateKey = RSAPrivateKey | str | bytes
    PublicKey = RSAPublicKey | str | bytes

__all__ = [
    "CanonicalRsa2Signer",
    "Rsa2Signer",
    "Signer",
    "SigningInput",
    "canonical_json",
    "load_private_key",
    "load_public_key",
    "sign",
    "string_to_sign",
    "verify",
]


@frozen(kw_only=True)
class SigningInput:
    """Everything of one attempt that a signature can cover."""

    body: bytes | None = field(repr=False)
    """The request's body, or ``None`` for a GET."""
    query: Mapping[str, str] = field(repr=False)
    """The query parameters of a GET, not percent-encoded."""
    nonce: str
    timestamp: str
    """Milliseconds since the epoch, in decimal digits."""
    uri: str = field(repr=False)
    """The path as the server sees it, with ``?query`` where there is one."""


class Signer(Protocol):
    """What a session asks for the value of the ``sign`` header, once per attempt."""

    def sign(self, signing_input: SigningInput) -> str:
        """Return the signature."""
        ...


class Rsa2Signer:
    """Sign the raw body; for a GET, its parameters sorted by name (protocol section 1.9).

    ``private_key`` is PEM, bare base64 of PKCS#8, or DER; it is loaded once, here. Raises `ValueError` for what
    is no RSA private key.
    """

    def __init__(self, private_key: PrivateKey) -> None:
        self._key = load_private_key(private_key)

    def sign(self, signing_input: SigningInput) -> str:
        """Return the signature over the body or the parameters."""
        if signing_input.body is not None:
            return sign(signing_input.body, self._key)
        pairs = (f"{name}={value}" for name, value in sorted(signing_input.query.items()) if value.strip())
        return sign("&".join(pairs).encode(), self._key)


class CanonicalRsa2Signer:
    """Sign the canonical string of ``app_id``, body, nonce, timestamp and uri (protocol section 5.4)."""

    def __init__(self, app_id: str, private_key: PrivateKey) -> None:
        if not app_id:
            raise ValueError("app_id must not be empty")
        self._app_id = app_id
        self._key = load_private_key(private_key)

    def sign(self, signing_input: SigningInput) -> str:
        """Return the signature over the canonical string."""
        message = string_to_sign(
            self._app_id,
            signing_input.body,
            nonce=signing_input.nonce,
            timestamp=signing_input.timestamp,
            uri=signing_input.uri,
        )
        return sign(message.encode(), self._key)


def sign(message: bytes, private_key: PrivateKey) -> str:
    """Return the base64 of SHA256withRSA (RSASSA-PKCS1-v1_5 with SHA-256) over ``message``."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    signature = load_private_key(private_key).sign(message, PKCS1v15(), hashes.SHA256())
    return base64.b64encode(signature).decode("ascii")


def verify(message: bytes, signature: str, public_key: PublicKey) -> bool:
    """Tell whether ``signature``, in strict standard base64, is that of ``message`` under ``public_key``.

    A signature of any wrong form is ``False``; only an unusable key raises (`ValueError`).
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    key = load_public_key(public_key)
    try:
        raw = base64.b64decode(signature.encode("ascii"), validate=True)
        key.verify(raw, message, PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, UnicodeEncodeError, binascii.Error):
        return False
    return base64.b64encode(raw).decode("ascii") == signature


def load_private_key(key: PrivateKey) -> RSAPrivateKey:
    """Load an RSA private key from PEM, bare base64 of DER, or DER; a loaded one passes through.

    Raises `ValueError` that says what was expected, and never shows the key.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    if isinstance(key, RSAPrivateKey):
        return key
    loaded = _load(key, "private", load_pem_private_key, load_der_private_key, {"password": None})
    if not isinstance(loaded, RSAPrivateKey):
        raise ValueError("the private key is not an RSA key")
    return loaded


def load_public_key(key: PublicKey) -> RSAPublicKey:
    """Load an RSA public key from PEM, bare base64 of DER, or DER; any size from 1024 bits.

    Raises `ValueError` that says what was expected.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

    loaded: object = key
    if not isinstance(key, RSAPublicKey):
        loaded = _load(key, "public", load_pem_public_key, load_der_public_key, {})
    if not isinstance(loaded, RSAPublicKey):
        raise ValueError("the public key is not an RSA key")
    if loaded.key_size < 1024:
        raise ValueError(f"the public key has {loaded.key_size} bits; 1024 is the least that can be trusted")
    return loaded


def _load(
    key: str | bytes, kind: str, pem: Callable[..., Any], der: Callable[..., Any], options: dict[str, Any]
) -> object:
    """Find out in which of the three forms ``key`` is, and load it."""
    if not isinstance(key, str | bytes):
        raise ValueError(f"the {kind} key must be a str, bytes or an RSA {kind} key, not {type(key).__name__}")
    try:
        raw = key.encode() if isinstance(key, str) else key
        if b"-----BEGIN" in raw:
            return pem(raw.strip(), **options)
        if raw[:1] != b"\x30":
            raw = base64.b64decode(b"".join(raw.split()), validate=True)
        return der(raw, **options)
    except TypeError:
        problem = f"the {kind} key is protected by a password: decrypt it first"
    except Exception:  # noqa: BLE001  # cryptography raises several kinds, some with parts of the key in their text
        problem = f"the {kind} key is neither PEM, nor bare base64 of DER, nor DER, of an RSA {kind} key"
    raise ValueError(problem)


def string_to_sign(app_id: str, body: bytes | None, *, nonce: str, timestamp: str, uri: str) -> str:
    """Return the string that is signed: five pairs in fixed order, percent-encoded by RFC 3986.

    Without a body ``biz_content`` is empty. Raises `ValueError` if the body is not JSON.
    """
    content = ""
    if body:
        digest = hashlib.sha256(canonical_json(body).encode()).digest()
        content = base64.b64encode(digest).decode("ascii")
    pairs = {"appId": app_id, "biz_content": content, "nonce": nonce, "timestamp": timestamp, "uri": uri}
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs.items())


def canonical_json(body: bytes) -> str:
    r"""Return the canonical form of a JSON text: keys sorted by UTF-16 units, no white space, nulls kept.

    Where Python and the platform write differently, this is the platform's way: control characters as
    upper-case ``\u001F``, floats in exponent range as ``1.0E8``. The last of duplicate keys wins.
    Raises `ValueError` for what is not JSON in UTF-8, or holds a lone surrogate, which UTF-8 cannot carry.
    """
    try:
        value = json.loads(body.decode(), parse_int=_Integer, parse_constant=_refuse)
        return _canonical(value)
    except RecursionError:
        problem = "the body is nested too deeply"
    raise ValueError(problem)


class _Integer(str):
    """An integer of any size, kept in its digits."""

    __slots__ = ()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _canonical(value: object) -> str:
    if isinstance(value, dict):
        ordered = sorted(value.items(), key=_by_utf16)
        return "{" + ",".join(f"{_text(key)}:{_canonical(item)}" for key, item in ordered) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, _Integer):
        return "0" if value == "-0" else str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _float(value)
    return json.dumps(value)


def _by_utf16(pair: tuple[str, object]) -> bytes:
    return pair[0].encode("utf-16-be", "surrogatepass")


_ESCAPES = {code: f"\\u{code:04X}" for code in range(0x20)} | {
    ord('"'): '\\"',
    ord("\\"): "\\\\",
    ord("\b"): "\\b",
    ord("\f"): "\\f",
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
}


def _text(value: str) -> str:
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("a lone surrogate cannot be written in UTF-8")
    return f'"{value.translate(_ESCAPES)}"'


def _float(value: float) -> str:
    """Write a float as the platform does: plain from 10**-3 up to 10**7, with an exponent outside."""
    if value - value != 0:
        raise ValueError("a number is too large for a float")
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign_, digits, exponent = "-" if value < 0 else "", *_digits(abs(value))
    return f"{sign_}{digits[0]}.{digits[1:] or '0'}E{exponent}"


def _digits(value: float) -> tuple[str, int]:
    """Return the shortest digits of a float, and the exponent of the first."""
    mantissa, _, exponent = f"{value!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole) - 1 if whole.strip("0") else -(len(fraction) - len(fraction.lstrip("0")) + 1)
    return digits.rstrip("0"), leading + int(exponent or 0)
