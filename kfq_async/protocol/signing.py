"""Signatures: canonical string, SHA256withRSA, keys and signers (protocol sections 1.9 and 5.4).

`cryptography` does the arithmetic and is imported on first use.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from attrs import field, frozen

from kfq_async.models.masking import hide_arguments, type_name

if TYPE_CHECKING:
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
    "load_json",
    "load_private_key",
    "load_public_key",
    "sign",
    "signed_digest",
    "string_to_sign",
    "string_to_sign_content",
    "verify",
    "without_strings",
    "write_canonical",
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

    @hide_arguments
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

    Raises `TypeError` or `ValueError` if ``app_id`` is not a ``str`` or empty, and `ValueError` if the key is not an
    RSA private key.

    Args:
        app_id: Application id at the platform.
        private_key: Loaded key, PEM, bare base64 of PKCS#8, or DER; loaded once, here.
    """

    @hide_arguments
    def __init__(self, app_id: str, private_key: PrivateKey) -> None:
        if not isinstance(app_id, str):
            raise TypeError(f"app_id must be a str, not {type_name(app_id)}")
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


@hide_arguments
def sign(message: bytes, private_key: PrivateKey) -> str:
    """Return the base64 of SHA256withRSA (RSASSA-PKCS1-v1_5 with SHA-256) over ``message``."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    signature = load_private_key(private_key).sign(message, PKCS1v15(), hashes.SHA256())
    return base64.b64encode(signature).decode("ascii")


@hide_arguments
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


@hide_arguments
def signed_digest(signature: str, public_key: PublicKey) -> bytes | None:
    """Return the SHA-256 of the message that a signature was made for, or ``None`` if another key made it.

    It tells a wrong key from a message that was changed. Raises `ValueError` for an unusable key only.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    key = load_public_key(public_key)
    raw = decode_signature(signature)
    if raw is None:
        return None
    try:
        return key.recover_data_from_signature(raw, PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return None


def decode_signature(signature: str) -> bytes | None:
    """Return the bytes of a signature, or ``None`` unless it is in strict standard base64, spare bits included."""
    try:
        raw = base64.b64decode(signature.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return raw if base64.b64encode(raw).decode("ascii") == signature else None


@hide_arguments
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


@hide_arguments
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


@hide_arguments
def string_to_sign(app_id: str, body: bytes | None, *, nonce: str, timestamp: str, uri: str) -> str:
    """Return the string to sign: five pairs in fixed order, percent-encoded according to RFC 3986.

    ``biz_content`` is empty without a body. Raises `ValueError` if the body is not JSON.
    """
    digest = hashlib.sha256(canonical_json(body).encode()).digest() if body else b""
    return string_to_sign_content(app_id, digest, nonce=nonce, timestamp=timestamp, uri=uri)


def string_to_sign_content(app_id: str, digest: bytes, *, nonce: str, timestamp: str, uri: str) -> str:
    """Return the string to sign, given the SHA-256 of the body's canonical JSON; empty without a body."""
    content = base64.b64encode(digest).decode("ascii")
    pairs = {"appId": app_id, "biz_content": content, "nonce": nonce, "timestamp": timestamp, "uri": uri}
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs.items())


@hide_arguments
def canonical_json(body: bytes) -> str:
    r"""Return the canonical form of a JSON text: keys sorted by UTF-16 units, no white space, nulls kept.

    Where the platform's JSON differs from Python's, the platform's is written: control characters as upper-case
    ``\u001F``, floats in exponent range as ``1.0E8``. The last of duplicate keys wins. Integers may have any size.
    Raises `ValueError` for a body that `load_json` or `write_canonical` refuses.
    """
    return write_canonical(_decode(body, _UNBOUNDED_INTEGERS))


def load_json(body: bytes) -> object:
    """Return the value of a JSON text in UTF-8; the last of duplicate keys wins.

    Raises `ValueError` for a body that is not JSON, holds an integer of more digits than Python converts, or is nested
    more than 64 levels deep: the parser's recursion ends the process if the recursion limit was raised.
    """
    return _decode(body, _DECODER)


def write_canonical(value: object) -> str:
    """Return the canonical form of a value of `load_json`; see `canonical_json`.

    Raises `ValueError` for a lone surrogate, which UTF-8 cannot encode, and for a number too large for a float.
    """
    text = _WRITERS[type(value)](value)
    try:
        text.encode()
    except UnicodeEncodeError:  # it holds the text: the error is raised outside, where this is not its context
        pass
    else:
        return text
    raise ValueError("a lone surrogate cannot be encoded in UTF-8")


_MAX_DEPTH = 64
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string of a JSON text; an unterminated one extends to the end, so that no character is scanned twice."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def without_strings(body: bytes) -> bytes:
    """Return a JSON text without its strings, so that what is left is structure, numbers and constants."""
    return _STRING.sub(b"", body)


def _decode(body: bytes, decoder: json.JSONDecoder) -> object:
    if body.count(b"[") + body.count(b"{") > _MAX_DEPTH and _depth(body) > _MAX_DEPTH:
        raise ValueError(f"the body is nested more than {_MAX_DEPTH} levels deep")
    return decoder.decode(body.decode())


def _depth(body: bytes) -> int:
    brackets = without_strings(body).translate(None, delete=_NO_BRACKETS)
    return max(accumulate(1 if bracket in b"[{" else -1 for bracket in brackets), default=0)


class _Integer(str):
    """Integer of any size, kept as its digits."""

    __slots__ = ()


def _reject_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_reject_constant)
_UNBOUNDED_INTEGERS = json.JSONDecoder(parse_int=_Integer, parse_constant=_reject_constant)


def _object(value: dict[str, object]) -> str:
    members = sorted(value.items(), key=_utf16_key) if len(value) > 1 else value.items()
    return "{" + ",".join([f"{_text(key)}:{_WRITERS[type(item)](item)}" for key, item in members]) + "}"


def _array(value: list[object]) -> str:
    return "[" + ",".join([_WRITERS[type(item)](item) for item in value]) + "]"


def _utf16_key(pair: tuple[str, object]) -> bytes:
    return pair[0].encode("utf-16-be", "surrogatepass")


_ENCODER = json.JSONEncoder(ensure_ascii=False)
_LOWER_CASE_ESCAPES = re.compile("[\x0b\x0e\x0f\x1a-\x1f]")
"""Characters whose escapes have a letter among their digits, which Python writes in lower case."""
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
    if not value.isprintable() and _LOWER_CASE_ESCAPES.search(value):
        return f'"{value.translate(_ESCAPES)}"'
    return _ENCODER.encode(value)


def _float(value: float) -> str:
    """Return a float as the platform writes it: plain from 10**-3 up to 10**7, with an exponent outside."""
    if value - value != 0:
        raise ValueError("a number is too large for a float")
    text = repr(value)
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return text
    mantissa, _, exponent = text.partition("e")
    if exponent:
        return f"{mantissa}{'' if '.' in mantissa else '.0'}E{int(exponent)}"
    whole, _, fraction = text.removeprefix("-").partition(".")
    digits, power = (fraction[3:], -4) if whole == "0" else ((whole + fraction).rstrip("0"), len(whole) - 1)
    return f"{'-' if value < 0 else ''}{digits[0]}.{digits[1:] or '0'}E{power}"


_WRITERS: dict[type, Callable[[Any], str]] = {
    dict: _object,
    list: _array,
    str: _text,
    int: str,
    _Integer: lambda value: "0" if value == "-0" else str(value),
    float: _float,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
}
