"""Signatures: measured vectors, forms of keys, and the platform's canonical JSON."""

from __future__ import annotations

import base64
import hashlib
import json
import textwrap
import traceback
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kfq_async import CanonicalRsa2Signer, Rsa2Signer, SigningInput
from kfq_async.protocol.signing import (
    canonical_json,
    load_private_key,
    load_public_key,
    sign,
    signed_digest,
    string_to_sign,
    verify,
)

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)
CURVE = ec.generate_private_key(ec.SECP256R1())
TOO_SHORT = rsa.RSAPublicNumbers(65537, 2**511 + 1).public_key()


def private_der(key: rsa.RSAPrivateKey = KEY, kind: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    """Encode a private key as DER."""
    return key.private_bytes(Encoding.DER, kind, NoEncryption())


def private_pem(key: rsa.RSAPrivateKey = KEY, kind: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    """Encode a private key as PEM."""
    return key.private_bytes(Encoding.PEM, kind, NoEncryption())


def public_der(key: rsa.RSAPrivateKey = KEY, kind: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    """Encode a public key as DER."""
    return key.public_key().public_bytes(Encoding.DER, kind)


def public_pem(key: rsa.RSAPrivateKey = KEY, kind: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    """Encode a public key as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, kind)


def bare(der: bytes, *, width: int = 0) -> str:
    """Encode as base64 without armour, in lines of ``width`` characters if given."""
    text = base64.b64encode(der).decode()
    return "\n".join(textwrap.wrap(text, width)) if width else text


def signing_input(**parts: Any) -> SigningInput:
    """Create a `SigningInput` with defaults."""
    values: dict[str, Any] = {"body": None, "query": {}, "nonce": "n0nce", "timestamp": "1750000000000", "uri": "/a"}
    return SigningInput(**values | parts)


def test_measured_canonical_strings(vectors: Any) -> None:
    """Canonical JSON and the string to sign equal those of the platform's own code."""
    assert len(vectors["cases"]) == 3
    for case in vectors["cases"]:
        body = case["body"].encode() if case["body"] is not None else None
        if body is not None:
            assert canonical_json(body) == case["canonicalJson"]
        text = string_to_sign(case["appId"], body, nonce=case["nonce"], timestamp=case["timestamp"], uri=case["uri"])
        assert text == case["stringToSign"]


def test_measured_signatures(vectors: Any) -> None:
    """Signatures over string and raw body equal those of the platform's own code, and verify."""
    private, public = vectors["privateKeyPkcs8"], vectors["publicKeySpki"]
    for case in vectors["cases"]:
        message = case["stringToSign"].encode()
        assert sign(message, private) == case["sign"]
        assert verify(message, case["sign"], public)
        if case["body"] is not None:
            assert sign(case["body"].encode(), private) == case["signOverRawBody"]
            assert verify(case["body"].encode(), case["signOverRawBody"], public)
            assert not verify(message, case["signOverRawBody"], public)


def test_measured_signers(vectors: Any) -> None:
    """Both signers make the signatures of the platform's own code."""
    raw = Rsa2Signer(vectors["privateKeyPkcs8"])
    for case in vectors["cases"]:
        body = case["body"].encode() if case["body"] is not None else None
        attempt = signing_input(body=body, nonce=case["nonce"], timestamp=case["timestamp"], uri=case["uri"])
        canonical = CanonicalRsa2Signer(case["appId"], vectors["privateKeyPkcs8"])
        assert canonical.sign(attempt) == case["sign"]
        assert body is None or raw.sign(attempt) == case["signOverRawBody"]


def test_worked_example() -> None:
    """The worked example of the protocol is reproduced."""
    body = {
        "userType": 2,
        "orderStatus": 1,
        "bizType": 1,
        "unionId": "union-1",
        "orderNo": "ORDER-1",
        "companyName": "某某科技有限公司",
        "creditCode": "91110000MA01234567",
        "verifyTime": "20250606120000",
    }
    raw = json.dumps(body).encode()
    assert canonical_json(raw) == (
        '{"bizType":1,"companyName":"某某科技有限公司","creditCode":"91110000MA01234567","orderNo":"ORDER-1",'
        '"orderStatus":1,"unionId":"union-1","userType":2,"verifyTime":"20250606120000"}'
    )
    assert string_to_sign("APPID001", raw, nonce="n0nce~*-_. x", timestamp="1750000000000", uri="/hooks/kfq/auth") == (
        "appId=APPID001&biz_content=K61wMZAjn%2Fl8NGlPQ8YksBgcrb4RIG2%2FPU8Hh5PrCmE%3D&nonce=n0nce~%2A-_.%20x"
        "&timestamp=1750000000000&uri=%2Fhooks%2Fkfq%2Fauth"
    )


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("AZaz09-._~", "AZaz09-._~"),
        (" ", "%20"),
        ("+", "%2B"),
        ("*", "%2A"),
        ("/?#[]@!$&'()", "%2F%3F%23%5B%5D%40%21%24%26%27%28%29"),
        ("某", "%E6%9F%90"),
        ("😀", "%F0%9F%98%80"),
        ("%2f", "%252f"),
    ],
)
def test_percent_encoding(value: str, encoded: str) -> None:
    """Values are percent-encoded according to RFC 3986, in upper case, in each of the five pairs."""
    text = string_to_sign(value, None, nonce=value, timestamp=value, uri=value)
    assert text == f"appId={encoded}&biz_content=&nonce={encoded}&timestamp={encoded}&uri={encoded}"


@pytest.mark.parametrize("body", [None, b""])
def test_string_to_sign_without_a_body(body: bytes | None) -> None:
    """Without a body ``biz_content`` is empty."""
    assert "&biz_content=&" in string_to_sign("A", body, nonce="n", timestamp="1", uri="/")


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        ("{}", "{}"),
        (" [ ] ", "[]"),
        ('{ "b" : [ 2 , 1 ] ,\n"a" : { "d" : null , "c" : true } }', '{"a":{"c":true,"d":null},"b":[2,1]}'),
        ('{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'),
        ('{"B":1,"a":2,"_":3,"":4,"10":5,"9":6}', '{"":4,"10":5,"9":6,"B":1,"_":3,"a":2}'),
        ('{"\uff5e":1,"\U0001f600":2,"z":3}', '{"z":3,"\U0001f600":2,"\uff5e":1}'),
        ('"\\u4e2d\\/\\ud83d\\ude00/"', '"中/😀/"'),
        ('"\\"\\\\\\b\\f\\n\\r\\t"', '"\\"\\\\\\b\\f\\n\\r\\t"'),
        ('"\\u001f\\u0000\\u000B"', '"\\u001F\\u0000\\u000B"'),
        ('"\\\\u001f\\u001f\\n"', '"\\\\u001f\\u001F\\n"'),
        ('"' + "[{" * 100 + '"', '"' + "[{" * 100 + '"'),
        ("[" * 64 + "]" * 64, "[" * 64 + "]" * 64),
        ("[" + "[]," * 100 + "{}]", "[" + "[]," * 100 + "{}]"),
        ('"\\u007f\\u0080\\u2028\\u2029\\ufeff"', '"\x7f\x80\u2028\u2029\ufeff"'),
        ("true", "true"),
        ("false", "false"),
        ("null", "null"),
        ("0", "0"),
        ("-0", "0"),
        ("-12", "-12"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1" * 5000, "1" * 5000),
        ("1.0", "1.0"),
        ("1.10", "1.1"),
        ("-0.0", "-0.0"),
        ("0.001", "0.001"),
        ("0.00099", "9.9E-4"),
        ("9999999.5", "9999999.5"),
        ("10000000.0", "1.0E7"),
        ("12345678.9", "1.23456789E7"),
        ("1e8", "1.0E8"),
        ("1E+8", "1.0E8"),
        ("-1e8", "-1.0E8"),
        ("1e-7", "1.0E-7"),
        ("-1.25e-10", "-1.25E-10"),
        ("1e22", "1.0E22"),
        ("1.5e300", "1.5E300"),
        ("5e-324", "5.0E-324"),
        ("0.00012", "1.2E-4"),
        ("1e0", "1.0"),
    ],
)
def test_canonical_json(body: str, canonical: str) -> None:
    """JSON is written as the platform writes it: key order, escapes and numbers."""
    assert canonical_json(body.encode()) == canonical


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{a:1}",
        b"{} {}",
        b"'a'",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"1e400",
        b'"\x01"',
        b'"\\ud800"',
        b'{"\\udfff":1}',
        b'"\\ud83d"',
        b"\xff",
        b'"\xb3\xc9"',
        b"\xef\xbb\xbf{}",
        '"a"'.encode("utf-16"),
        b"[" * 100_000,
        b"[" * 65 + b"]" * 65,
        b'["\\""' + b",[" * 64 + b"]" * 65,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    ],
)
def test_invalid_json(body: bytes) -> None:
    """A body that is not JSON in UTF-8, or is nested too deeply, is a `ValueError`."""
    with pytest.raises(ValueError, match=r"."):
        canonical_json(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)
ordinary_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xD7FF), max_size=6)
ordinary_numbers = st.integers() | st.integers(-(10**6), 10**6).map(lambda cents: cents / 100)
ordinary_values = st.recursive(
    st.none() | st.booleans() | ordinary_numbers | ordinary_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ordinary_text, inner, max_size=4),
)


@given(json_values)
def test_canonical_json_keeps_the_value(value: Any) -> None:
    """The canonical form has the value of the body, and is its own canonical form."""
    canonical = canonical_json(json.dumps(value).encode())
    assert json.loads(canonical) == value
    assert canonical_json(canonical.encode()) == canonical


@given(st.dictionaries(st.text(max_size=4), json_values, max_size=5), st.randoms(use_true_random=False))
def test_canonical_json_ignores_spelling(value: dict[str, Any], random: Any) -> None:
    """Order of keys, white space and escapes make no difference."""
    pairs = list(value.items())
    random.shuffle(pairs)
    plain, other = json.dumps(value, ensure_ascii=False), json.dumps(dict(pairs), indent=3)
    assert canonical_json(plain.encode()) == canonical_json(other.encode())


@given(ordinary_values)
@example(0.01)
def test_canonical_json_of_ordinary_data(value: Any) -> None:
    """For ordinary data the canonical form is that of the standard library."""
    expected = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert canonical_json(json.dumps(value).encode()) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_float(value: float) -> None:
    """A float keeps its value, with one digit before the point if it has an exponent."""
    text = canonical_json(json.dumps(value).encode())
    assert float(text) == value
    mantissa, exponent, _ = text.lstrip("-").partition("E")
    whole, _, fraction = mantissa.partition(".")
    assert fraction
    assert bool(exponent) == (value != 0 and not 1e-3 <= abs(value) < 1e7)
    if exponent:
        assert len(whole) == 1
        assert whole != "0"


@pytest.mark.parametrize("size", [KEY, SHORT], ids=["2048 bits", "1024 bits"])
@pytest.mark.parametrize(
    "encode",
    [
        lambda key: key,
        private_der,
        private_pem,
        lambda key: private_pem(key).decode(),
        lambda key: b"\n  " + private_pem(key) + b"\n",
        lambda key: private_pem(key).replace(b"\n", b"\r\n"),
        lambda key: bare(private_der(key)),
        lambda key: bare(private_der(key)).encode(),
        lambda key: bare(private_der(key), width=64),
        lambda key: f"  {bare(private_der(key), width=76)}\r\n",
        lambda key: private_pem(key, PrivateFormat.TraditionalOpenSSL),
        lambda key: bare(private_der(key, PrivateFormat.TraditionalOpenSSL)),
    ],
)
def test_forms_of_a_private_key(encode: Any, size: rsa.RSAPrivateKey) -> None:
    """A private key is accepted as PEM, as bare base64 with or without line breaks, as DER, and loaded."""
    assert load_private_key(encode(size)).private_numbers() == size.private_numbers()


@pytest.mark.parametrize("size", [KEY, SHORT], ids=["2048 bits", "1024 bits"])
@pytest.mark.parametrize(
    "encode",
    [
        lambda key: key.public_key(),
        public_der,
        public_pem,
        lambda key: public_pem(key).decode(),
        lambda key: bare(public_der(key)),
        lambda key: bare(public_der(key)).encode(),
        lambda key: bare(public_der(key), width=64),
        lambda key: public_pem(key, PublicFormat.PKCS1),
    ],
)
def test_forms_of_a_public_key(encode: Any, size: rsa.RSAPrivateKey) -> None:
    """A public key is accepted in the same forms, 1024 bits included."""
    assert load_public_key(encode(size)).public_numbers() == size.public_key().public_numbers()


@pytest.mark.parametrize(
    "key",
    [TOO_SHORT, TOO_SHORT.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)],
    ids=["loaded", "DER"],
)
def test_public_key_too_short(key: Any) -> None:
    """A public key below 1024 bits is refused, loaded or not."""
    with pytest.raises(ValueError, match=r"^the public key has 512 bits; at least 1024 are required$"):
        load_public_key(key)


INVALID_PRIVATE = [
    (private_pem().decode().replace("M", "!", 50), "neither PEM, nor bare base64 of DER, nor DER"),
    (bare(private_der())[:-40], "neither PEM"),
    (bare(private_der()) + "\udc80", "neither PEM"),
    (private_der()[:-40], "neither PEM"),
    ("", "neither PEM"),
    (b"", "neither PEM"),
    ("not a key", "neither PEM"),
    (public_pem(), "neither PEM"),
    (bare(public_der()), "neither PEM"),
    (CURVE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "the private key is not an RSA key"),
    (CURVE.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), "the private key is not an RSA key"),
    (KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw")), "protected by a password"),
    (KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw")), "protected by a password"),
    (None, "must be a str, bytes or an RSA private key, not NoneType"),
    (5, "must be a str, bytes or an RSA private key, not int"),
    (CURVE, "must be a str, bytes or an RSA private key, not ECPrivateKey"),
    (KEY.public_key(), "must be a str, bytes or an RSA private key, not RSAPublicKey"),
]
INVALID_PUBLIC = [
    ("", "neither PEM, nor bare base64 of DER, nor DER"),
    (bare(public_der())[:-40], "neither PEM"),
    (private_pem(), "neither PEM"),
    (bare(private_der()), "neither PEM"),
    (CURVE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "public key is not an RSA key"),
    (None, "must be a str, bytes or an RSA public key, not NoneType"),
    (CURVE.public_key(), "must be a str, bytes or an RSA public key, not ECPublicKey"),
    (KEY, "must be a str, bytes or an RSA public key, not RSAPrivateKey"),
]


@pytest.mark.parametrize(
    ("load", "key", "message"),
    [
        *((load_private_key, *case) for case in INVALID_PRIVATE),
        *((Rsa2Signer, *case) for case in INVALID_PRIVATE),
        *((load_public_key, *case) for case in INVALID_PUBLIC),
    ],
    ids=lambda value: type(value).__name__,
)
def test_invalid_keys(load: Any, key: Any, message: str) -> None:
    """An invalid key is a `ValueError` that names the accepted forms and never shows the key."""
    with pytest.raises(ValueError, match=message) as caught:
        load(key)
    shown = f"{caught.value!r} {caught.value.__dict__}"
    text = key.decode("latin-1") if isinstance(key, bytes) else str(key)
    assert not [line for line in text.splitlines() if len(line) > 20 and line[:20] in shown]
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(
    "key",
    [
        bare(private_der())[:-40],
        bare(private_der())[:-40].encode(),
        private_der()[:-40],
        bytearray(private_der()[:-40]),
        [bare(private_der())[:-40]],
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("load", [Rsa2Signer, partial(CanonicalRsa2Signer, "A1"), load_private_key, load_public_key])
def test_refused_key_is_not_shown(load: Any, key: Any) -> None:
    """The variables of the frames that refuse a key, which error trackers record, do not show it."""
    with pytest.raises(ValueError, match=r"neither PEM|must be a str, bytes") as caught:
        load(key)
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    variables = [repr(frame.f_locals) for frame in frames if "kfq_async" in frame.f_code.co_filename]
    der = private_der()[:-40]
    assert variables
    assert not [part for part in (repr(key)[20:60], repr(der)[20:60]) if part in "".join(variables)]


@pytest.mark.parametrize(
    "call",
    [
        lambda: sign(b"SECRET", "no key"),
        lambda: sign("SECRET", KEY),  # type: ignore[arg-type]
        lambda: verify(b"SECRET", "signature", "no key"),
        lambda: canonical_json(b'["SECRET"'),
        lambda: string_to_sign("A1", b'["SECRET"', nonce="n", timestamp="1", uri="/?token=SECRET"),
        lambda: Rsa2Signer(["SECRET"]),  # type: ignore[arg-type]
        lambda: CanonicalRsa2Signer("", "SECRET"),
        lambda: CanonicalRsa2Signer(7, "SECRET"),  # type: ignore[arg-type]
    ],
)
def test_refused_messages_are_not_shown(call: Any) -> None:
    """Neither the text of an error nor the variables of its frames show what was to be signed, or a key."""
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    variables = [repr(frame.f_locals) for frame in frames if "kfq_async" in frame.f_code.co_filename]
    assert variables
    assert "SECRET" not in "".join([str(caught.value), *variables])


def test_verify() -> None:
    """A signature is valid for its message and key only."""
    signature = sign(b"message", KEY)
    assert verify(b"message", signature, KEY.public_key())
    assert not verify(b"massage", signature, KEY.public_key())
    assert not verify(b"message", signature, SHORT.public_key())
    assert verify(b"message", sign(b"message", SHORT), bare(public_der(SHORT)))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_sign_any_message(message: bytes) -> None:
    """Any bytes can be signed, and the signature is deterministic."""
    signature = sign(message, SHORT)
    assert signature == sign(message, SHORT)
    assert verify(message, signature, SHORT.public_key())


@pytest.mark.parametrize(
    "corrupt",
    [
        lambda text: "",
        lambda text: text[:-4],
        lambda text: text.rstrip("="),
        lambda text: text + "=",
        lambda text: text + "====",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text[:76] + "\r\n" + text[76:],
        lambda text: "-" + text[1:],
        lambda text: "签" + text[1:],
        lambda text: text + text,
        lambda text: text[:-3] + chr(ord(text[-3]) + 1) + "==",
    ],
)
def test_malformed_base64(corrupt: Any) -> None:
    """A signature in anything but strict standard base64 is not valid, its spare bits included."""
    signature = sign(b"message", KEY)
    assert signature.endswith("==")
    assert verify(b"message", signature, KEY.public_key())
    assert not verify(b"message", corrupt(signature), KEY.public_key())


@settings(deadline=None)
@given(st.text())
def test_verify_any_text(text: str) -> None:
    """Any text that is not the signature is not valid, and does not raise."""
    assert verify(b"message", text, SHORT.public_key()) is False


def test_verify_with_an_unusable_key() -> None:
    """An unusable key raises, rather than reporting a forged message."""
    with pytest.raises(ValueError, match="public key"):
        verify(b"message", sign(b"message", KEY), "not a key")


def test_signed_digest() -> None:
    """The digest of the signed message is recovered with the key that made the signature, and with no other."""
    signature = sign(b"message", KEY)
    assert signed_digest(signature, KEY.public_key()) == hashlib.sha256(b"message").digest()
    assert signed_digest(signature, OTHER.public_key()) is None
    assert signed_digest(signature, SHORT.public_key()) is None
    assert signed_digest(signature[:-4], KEY.public_key()) is None
    assert signed_digest("?", KEY.public_key()) is None
    with pytest.raises(ValueError, match="public key"):
        signed_digest(signature, "not a key")


def test_rsa2_signs_the_raw_body() -> None:
    """A body is signed byte for byte as it is sent."""
    attempt = signing_input(body=b'{"b": 1, "a":2}', query={"x": "y"})
    assert verify(b'{"b": 1, "a":2}', Rsa2Signer(KEY).sign(attempt), KEY.public_key())


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, ""),
        ({"b": "2", "a": "1"}, "a=1&b=2"),
        ({"name": "某 某", "url": "https://h.example/?a=b&c"}, "name=某 某&url=https://h.example/?a=b&c"),
        ({"a": "", "b": " \t", "c": "0"}, "c=0"),
        ({"B": "1", "a": "2"}, "B=1&a=2"),
    ],
)
def test_rsa2_signs_the_query_of_a_get(query: dict[str, str], message: str) -> None:
    """Without a body the parameters are signed: not blank, sorted by name, not percent-encoded."""
    assert verify(message.encode(), Rsa2Signer(KEY).sign(signing_input(query=query)), KEY.public_key())


@pytest.mark.parametrize("body", [None, b'{"b": 1.0, "a": 1e8}'])
def test_canonical_signer(body: bytes | None) -> None:
    """The canonical signer covers application, body, nonce, timestamp and uri."""
    attempt = signing_input(body=body, uri="/a?b=c")
    message = string_to_sign("APPID001", body, nonce="n0nce", timestamp="1750000000000", uri="/a?b=c")
    assert verify(message.encode(), CanonicalRsa2Signer("APPID001", KEY).sign(attempt), KEY.public_key())


def test_canonical_signer_without_app_id() -> None:
    """An empty application id is refused when the signer is created."""
    with pytest.raises(ValueError, match=r"^app_id must not be empty$"):
        CanonicalRsa2Signer("", KEY)


def test_repr_of_a_signing_input() -> None:
    """``repr`` of a signing input shows no body, query or path."""
    attempt = signing_input(body=b"SECRET", query={"mobile": "SECRET"}, uri="/SECRET")
    assert repr(attempt) == "SigningInput(nonce='n0nce', timestamp='1750000000000')"


@pytest.mark.parametrize("signer", [Rsa2Signer(KEY), CanonicalRsa2Signer("APPID001", KEY)])
def test_repr_of_a_signer(signer: object) -> None:
    """``repr`` of a signer does not show its key."""
    assert "PRIVATE" not in repr(signer)
    assert bare(private_der())[:20] not in repr(signer)
