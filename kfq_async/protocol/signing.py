"""Signatures: canonical string, SHA256withRSA, keys and signers (protocol sections 1.9 and 5.4).

`cryptography` does the arithmetic and is imported on first use.
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
    "decode_signature",
    "load_private_key",
    "load_public_key",
    "sign",
    "string_to_sign",
    "verify",
]


@frozen(kw_only=True)
class SigningInput:
    """Parts of one attempt that a signature can cover.

    Attributes:
        body: Body of the request; ``None`` for a GET.
        query: Query parameters of a GET, not percent-encoded; empty for a POST.
        nonce: Random text, fresh for each attempt.
        timestamp: Milliseconds since the epoch, in decimal digits.
        uri: Path as the server sees it, followed by ``?query`` if there is one.
    """

    body: bytes | None = field(repr=False)
    """Body of the request; ``None`` for a GET."""
    query: Mapping[str, str] = field(repr=False)
    """Query parameters of a GET, not percent-encoded; empty for a POST."""
    nonce: str
    """Random text, fresh for each attempt."""
    timestamp: str
    """Milliseconds since the epoch, in decimal digits."""
    uri: str = field(repr=False)
    """Path as the server sees it, followed by ``?query`` if there is one."""


class Signer(Protocol):
    """Protocol of signers: the session calls ``sign`` once per attempt for the value of the ``sign`` header."""

    def sign(self, signing_input: SigningInput) -> str:
        """Return the signature."""
        ...


class Rsa2Signer:
    """Signer of the raw body or, for a GET, of the parameters sorted by name (protocol section 1.9).

    Raises `ValueError` if the key is not an RSA private key.

    Args:
        private_key: Loaded key, PEM, bare base64 of PKCS#8, or DER; loaded once, here.
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
    """Signer of the canonical string of ``app_id``, body, nonce, timestamp and uri (protocol section 5.4).

    Raises `ValueError` if ``app_id`` is empty or the key is not an RSA private key.

    Args:
        app_id: Application id at the platform.
        private_key: Loaded key, PEM, bare base64 of PKCS#8, or DER; loaded once, here.
    """

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
    """Return whether ``signature``, in strict standard base64, is valid for ``message`` under ``public_key``.

    A malformed signature is ``False``. Raises `ValueError` for an unusable key only.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    key = load_public_key(public_key)
    raw = decode_signature(signature)
    if raw is None:
        return False
    try:
        key.verify(raw, message, PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def decode_signature(signature: str) -> bytes | None:
    """Return the bytes of a signature, or ``None`` unless it is in strict standard base64, spare bits included."""
    try:
        raw = base64.b64decode(signature.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return raw if base64.b64encode(raw).decode("ascii") == signature else None


def load_private_key(key: PrivateKey) -> RSAPrivateKey:
    """Load an RSA private key from PEM, bare base64 of DER, or DER; return a loaded one as it is.

    Raises `ValueError` that names the accepted forms and never shows the key.
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
    """Load an RSA public key of at least 1024 bits from PEM, bare base64 of DER, or DER.

    Raises `ValueError` that names the accepted forms.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

    loaded: object = key
    if not isinstance(key, RSAPublicKey):
        loaded = _load(key, "public", load_pem_public_key, load_der_public_key, {})
    if not isinstance(loaded, RSAPublicKey):
        raise ValueError("the public key is not an RSA key")
    if loaded.key_size < 1024:
        raise ValueError(f"the public key has {loaded.key_size} bits; at least 1024 are required")
    return loaded


def _load(
    key: str | bytes, kind: str, pem: Callable[..., Any], der: Callable[..., Any], options: dict[str, Any]
) -> object:
    """Load ``key`` from whichever of the three forms it has."""
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
    except Exception:  # noqa: BLE001  # cryptography raises several types, some with parts of the key in the text
        problem = f"the {kind} key is neither PEM, nor bare base64 of DER, nor DER, of an RSA {kind} key"
    raise ValueError(problem)


def string_to_sign(app_id: str, body: bytes | None, *, nonce: str, timestamp: str, uri: str) -> str:
    """Return the string to sign: five pairs in fixed order, percent-encoded according to RFC 3986.

    ``biz_content`` is empty without a body. Raises `ValueError` if the body is not JSON.
    """
    content = ""
    if body:
        digest = hashlib.sha256(canonical_json(body).encode()).digest()
        content = base64.b64encode(digest).decode("ascii")
    pairs = {"appId": app_id, "biz_content": content, "nonce": nonce, "timestamp": timestamp, "uri": uri}
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs.items())


def canonical_json(body: bytes) -> str:
    r"""Return the canonical form of a JSON text: keys sorted by UTF-16 units, no white space, nulls kept.

    Where the platform's JSON differs from Python's, the platform's is written: control characters as upper-case
    ``\u001F``, floats in exponent range as ``1.0E8``. The last of duplicate keys wins. Raises `ValueError` for a body
    that is not JSON in UTF-8, or holds a lone surrogate, which UTF-8 cannot encode.
    """
    try:
        value = json.loads(body.decode(), parse_int=_Integer, parse_constant=_reject_constant)
        return _canonical(value)
    except RecursionError:
        problem = "the body is nested too deeply"
    raise ValueError(problem)


class _Integer(str):
    """Integer of any size, kept as its digits."""

    __slots__ = ()


def _reject_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _canonical(value: object) -> str:
    if isinstance(value, dict):
        ordered = sorted(value.items(), key=_utf16_key)
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


def _utf16_key(pair: tuple[str, object]) -> bytes:
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
        raise ValueError("a lone surrogate cannot be encoded in UTF-8")
    return f'"{value.translate(_ESCAPES)}"'


def _float(value: float) -> str:
    """Return a float as the platform writes it: plain from 10**-3 up to 10**7, with an exponent outside."""
    if value - value != 0:
        raise ValueError("a number is too large for a float")
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign_, digits, exponent = "-" if value < 0 else "", *_digits(abs(value))
    return f"{sign_}{digits[0]}.{digits[1:] or '0'}E{exponent}"


def _digits(value: float) -> tuple[str, int]:
    """Return the shortest digits of a float, and the exponent of the first digit."""
    mantissa, _, exponent = f"{value!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole) - 1 if whole.strip("0") else -(len(fraction) - len(fraction.lstrip("0")) + 1)
    return digits.rstrip("0"), leading + int(exponent or 0)
