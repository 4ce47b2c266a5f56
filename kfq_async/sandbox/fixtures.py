"""Fixtures: the enterprises, people, seals and business lines that the sandbox's platform holds. Pure.

A fixtures file is a JSON object, with the field names of the classes below in camelCase::

    {
      "enterprises": [{
        "name": "示例科技有限公司",
        "developers": [{"appAuthToken": "DEMO0001", "callbackUrl": "http://127.0.0.1:8000/events"}],
        "members": [{"name": "张三", "contactType": "MOBILE", "contact": "13900000001"}],
        "seals": [{"sealId": "seal-1", "name": "合同章"}],
        "lines": [{"signReId": "line-1", "signReName": "采购合同", "mode": "free"}]
      }],
      "persons": [{
        "name": "李四", "contactType": "MOBILE", "contact": "13900000002", "verified": false,
        "seals": [{"sealId": "seal-2", "default": true}],
        "grants": [{"signReId": "line-1", "sealId": "seal-2", "until": "2035-01-01"}]
      }]
    }
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Self

import orjson
from attrs import evolve, field, frozen

from kfq_async.errors import DecodeError
from kfq_async.models.fields import SECRET
from kfq_async.protocol.codec import decode

__all__ = [
    "Account",
    "DefaultFixtures",
    "Developer",
    "Enterprise",
    "Fixtures",
    "Grant",
    "Line",
    "LineNode",
    "LineParty",
    "Seal",
    "load_fixtures",
]

MAX_TOKEN = 64
"""Maximum length of a token that can be looked up (protocol section 2.3)."""


@frozen(kw_only=True)
class Seal:
    """A seal (印章) or signature: a picture.

    Attributes:
        seal_id: ``sealId``, unique.
        name: Name.
        pixel_width: Width of the picture in pixels.
        pixel_height: Height of the picture in pixels.
        default: Whether it is the one that its owner uses without choosing.
    """

    seal_id: str
    name: str = ""
    pixel_width: int = 120
    pixel_height: int = 120
    default: bool = False


@frozen(kw_only=True)
class Grant:
    """A person's permission to sign with a seal without asking: 印章授权, needed for ``sign/personal/proxy``.

    Attributes:
        sign_re_id: ``signReId`` of the business line that it is for.
        seal_id: ``sealId`` of the person's seal.
        until: Last day, ``yyyy-MM-dd``.
    """

    sign_re_id: str
    seal_id: str
    until: str


@frozen(kw_only=True)
class Account:
    """Account of a person.

    Attributes:
        name: Name of the person; masked in ``repr``.
        contact_type: ``MOBILE`` or ``EMAIL``.
        contact: Login name: mobile number or e-mail address; masked in ``repr``.
        verified: Whether the person is identified. Otherwise the platform shows the contact in place of the name.
        operator_accounts: Values of ``operatorAccount`` that are linked to this account, by token; masked in ``repr``.
        seals: Seals of the person.
        grants: Permissions that the person has given.
    """

    name: str = field(**SECRET)
    contact_type: str
    contact: str = field(**SECRET)
    verified: bool = False
    operator_accounts: Mapping[str, str] = field(factory=dict, repr=False, hash=False)
    seals: tuple[Seal, ...] = ()
    grants: tuple[Grant, ...] = ()

    @property
    def account_id(self) -> str:
        """Internal id of the account, the same for the same contact."""
        return hashlib.sha256(self.contact.encode()).hexdigest()[:32]

    @property
    def shown_name(self) -> str:
        """Name that the platform shows: the contact until the person is identified."""
        return self.name if self.verified else self.contact


@frozen(kw_only=True)
class LineNode:
    """A step inside an enterprise that a business line prescribes.

    Attributes:
        node_type: ``nodeType``, such as ``APPROVER_CHECK``.
        signer_order: ``signerOrder``: a decimal integer as text.
        signer: Contact of the member who acts, or ``None`` where the request names the person; masked in ``repr``.
        seal_id: ``sealId`` of a seal that it uses, or ``None``.
    """

    node_type: str
    signer_order: str
    signer: str | None = field(default=None, **SECRET)
    seal_id: str | None = None


@frozen(kw_only=True)
class LineParty:
    """A party that a business line in rule mode prescribes.

    Attributes:
        signer_type: ``SENDER``, ``RECEIVER_ENT`` or ``RECEIVER_PERSONAL``.
        signer_order: ``signerOrder``: a decimal integer as text.
        internal_node_list: Steps inside the enterprise.
    """

    signer_type: str
    signer_order: str
    internal_node_list: tuple[LineNode, ...] = ()


@frozen(kw_only=True)
class Line:
    """A business line (业务线).

    Attributes:
        sign_re_id: ``signReId``, unique.
        sign_re_name: ``signReName``.
        mode: ``free``: a draft names all parties. ``rule``: the line prescribes them.
        enabled: Whether it is enabled.
        sign_order_type: Signing in sequence unless a draft says otherwise: ``ORDER`` or ``NO_ORDER``.
        parties: Parties of a line in rule mode.
    """

    sign_re_id: str
    sign_re_name: str
    mode: str = "free"
    enabled: bool = True
    sign_order_type: str = "ORDER"
    parties: tuple[LineParty, ...] = ()


@frozen(kw_only=True)
class Developer:
    """Access of an enterprise to the open API.

    Attributes:
        app_auth_token: ``appAuthToken``; its letter case does not count; masked in ``repr``.
        enabled: Whether it is enabled.
        callback_url: URL to which contract events are sent, or ``None`` for no events; masked in ``repr``.
    """

    app_auth_token: str = field(**SECRET)
    enabled: bool = True
    callback_url: str | None = field(default=None, **SECRET)


@frozen(kw_only=True)
class Enterprise:
    """An enterprise (企业), the tenant of its tokens.

    Attributes:
        name: Name, unique.
        developers: Its tokens.
        members: Accounts of its employees.
        seals: Its seals.
        lines: Its business lines, newest change first.
    """

    name: str
    developers: tuple[Developer, ...]
    members: tuple[Account, ...] = ()
    seals: tuple[Seal, ...] = ()
    lines: tuple[Line, ...] = ()


@frozen(kw_only=True)
class Fixtures:
    """What the sandbox's platform holds.

    Attributes:
        enterprises: Enterprises with their tokens.
        persons: Accounts of people who belong to no enterprise.
        identification: Whether the platform offers identification links, the operations under ``auth/``. A self-hosted
            one does not: it answers them with the hidden error page (protocol section 1.5).
        tokens: Tokens of the enabled developers.
    """

    enterprises: tuple[Enterprise, ...]
    persons: tuple[Account, ...] = ()
    identification: bool = False

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a fixtures file.

        Raises `OSError` if it cannot be read, and `ValueError` that names the file and the JSON path of every problem.
        """
        try:
            document = orjson.loads(Path(path).read_bytes())
        except orjson.JSONDecodeError as problem:
            raise ValueError(f"fixtures: {path} is not JSON: {problem}") from None
        return cls.parse(document, source=str(path))

    @classmethod
    def parse(cls, document: object, *, source: str = "the mapping") -> Self:
        """Read fixtures from JSON data; raises `ValueError` with the path of every problem."""
        try:
            fixtures = decode(cls, document, path="$")
        except DecodeError as problem:
            problems = list(problem.problems)
        else:
            problems = [f"{text} @ {path}" for path, text in _problems(fixtures)]
            if not problems:
                return fixtures
        raise ValueError(f"fixtures: {source} does not have the form of fixtures: {'; '.join(problems)}")

    @property
    def tokens(self) -> tuple[str, ...]:
        """Tokens of the enabled developers."""
        return tuple(
            developer.app_auth_token
            for enterprise in self.enterprises
            for developer in enterprise.developers
            if developer.enabled
        )

    def developer(self, token: str) -> tuple[Enterprise, Developer] | None:
        """Return the enterprise and the developer of a token, whose letter case does not count."""
        for enterprise in self.enterprises:
            for developer in enterprise.developers:
                if developer.app_auth_token.casefold() == token.casefold():
                    return enterprise, developer
        return None

    def account(self, contact: str) -> Account | None:
        """Return the account of a contact; what several enterprises say of the same member is joined."""
        entries = [account for account in self._accounts() if account.contact == contact]
        if len(entries) < 2:
            return entries[0] if entries else None
        return evolve(
            entries[0],
            operator_accounts={token: name for entry in entries for token, name in entry.operator_accounts.items()},
            seals=tuple(seal for entry in entries for seal in entry.seals),
            grants=tuple(grant for entry in entries for grant in entry.grants),
        )

    def operator(self, token: str, operator_account: str | None) -> Account | None:
        """Return the account that a value of ``operatorAccount`` is linked to for a token."""
        for account in self._accounts():
            if operator_account is not None and account.operator_accounts.get(token) == operator_account:
                return account
        return None

    def is_member(self, enterprise: Enterprise, contact: str) -> bool:
        """Return whether an account belongs to an enterprise."""
        return any(member.contact == contact for member in enterprise.members)

    def is_enterprise(self, name: str) -> bool:
        """Return whether an enterprise of this name is known."""
        return any(enterprise.name == name for enterprise in self.enterprises)

    def enterprise(self, name: str | None) -> Enterprise | None:
        """Return the enterprise of a name."""
        return next((enterprise for enterprise in self.enterprises if enterprise.name == name), None)

    def line(self, enterprise: Enterprise, sign_re_id: str) -> Line | None:
        """Return a business line of an enterprise, also a disabled one."""
        return next((line for line in enterprise.lines if line.sign_re_id == sign_re_id), None)

    def seal(self, enterprise: Enterprise, seal_id: str) -> Seal | None:
        """Return a seal of an enterprise."""
        return next((seal for seal in enterprise.seals if seal.seal_id == seal_id), None)

    def granted_seal(self, account: Account, sign_re_id: str, today: str) -> Seal | None:
        """Return the seal that a person has granted for a business line, if the grant lasts until ``today``."""
        seals = {seal.seal_id: seal for seal in account.seals}
        for grant in account.grants:
            if grant.sign_re_id == sign_re_id and grant.until >= today:
                return seals[grant.seal_id]
        return None

    def _accounts(self) -> Iterator[Account]:
        for enterprise in self.enterprises:
            yield from enterprise.members
        yield from self.persons


@frozen(kw_only=True)
class DefaultFixtures(Fixtures):
    """The fixtures of a sandbox without a file; every look-up succeeds.

    Each token has an enterprise of its own, and identification links are offered. Every ``signReId`` is a business
    line in free mode, every ``sealId`` a square seal, and every contact the account of a person who is a member of
    every enterprise and has granted a seal for every business line.
    """

    @classmethod
    def for_tokens(cls, tokens: Iterable[str]) -> Self:
        """Return fixtures with an enterprise for each token."""
        enterprises = (
            Enterprise(
                name=f"沙箱企业{number}",
                developers=(Developer(app_auth_token=token),),
                lines=(Line(sign_re_id="line-1", sign_re_name="沙箱业务线"),),
            )
            for number, token in enumerate(tokens, start=1)
        )
        return cls(enterprises=tuple(enterprises), identification=True)

    def account(self, contact: str) -> Account | None:
        """Return an account of this contact."""
        kind = "EMAIL" if "@" in contact else "MOBILE"
        return Account(name=contact, contact_type=kind, contact=contact, seals=(Seal(seal_id="seal-1", default=True),))

    def is_member(self, _enterprise: Enterprise, _contact: str) -> bool:
        """Return ``True``."""
        return True

    def is_enterprise(self, _name: str) -> bool:
        """Return ``True``."""
        return True

    def line(self, _enterprise: Enterprise, sign_re_id: str) -> Line | None:
        """Return a business line of this id, in free mode."""
        return Line(sign_re_id=sign_re_id, sign_re_name="沙箱业务线")

    def seal(self, _enterprise: Enterprise, seal_id: str) -> Seal | None:
        """Return a square seal of this id."""
        return Seal(seal_id=seal_id)

    def granted_seal(self, account: Account, _sign_re_id: str, _today: str) -> Seal | None:
        """Return the person's seal."""
        return account.seals[0]


def load_fixtures(value: Fixtures | Mapping[str, Any] | str | Path) -> Fixtures:
    """Return fixtures that are given as a file, as JSON data, or as such."""
    if isinstance(value, Fixtures):
        return value
    if isinstance(value, str | Path):
        return Fixtures.load(value)
    return Fixtures.parse(value)


def _problems(fixtures: Fixtures) -> Iterator[tuple[str, str]]:
    """Yield the path and the description of every contradiction."""
    if not fixtures.tokens:
        yield "$.enterprises", "needs at least one enabled developer"
    yield from _repeats(fixtures)
    known_lines = {line.sign_re_id for enterprise in fixtures.enterprises for line in enterprise.lines}
    tokens = {developer.app_auth_token for enterprise in fixtures.enterprises for developer in enterprise.developers}
    for path, account in _located_accounts(fixtures):
        yield from _account_problems(path, account, known_lines, tokens)
    for index, enterprise in enumerate(fixtures.enterprises):
        path = f"$.enterprises[{index}]"
        for number, developer in enumerate(enterprise.developers):
            if not 0 < len(developer.app_auth_token) <= MAX_TOKEN:
                yield f"{path}.developers[{number}].appAuthToken", f"must have 1 to {MAX_TOKEN} characters"
        for number, line in enumerate(enterprise.lines):
            yield from _line_problems(f"{path}.lines[{number}]", line, enterprise)


def _repeats(fixtures: Fixtures) -> Iterator[tuple[str, str]]:
    """Yield what must be unique and stands twice."""
    first: dict[tuple[str, str], str] = {}
    for path, value in _unique_values(fixtures):
        before = first.setdefault((path.rpartition(".")[2], value), path)
        if before != path:
            yield path, f"is already used at {before}"


def _unique_values(fixtures: Fixtures) -> Iterator[tuple[str, str]]:
    """Yield the path and the value of every id, name and token."""
    for index, enterprise in enumerate(fixtures.enterprises):
        path = f"$.enterprises[{index}]"
        yield f"{path}.name", enterprise.name
        for number, developer in enumerate(enterprise.developers):
            yield f"{path}.developers[{number}].appAuthToken", developer.app_auth_token.casefold()
        for number, seal in enumerate(enterprise.seals):
            yield f"{path}.seals[{number}].sealId", seal.seal_id
        for number, line in enumerate(enterprise.lines):
            yield f"{path}.lines[{number}].signReId", line.sign_re_id
    for path, account in _located_accounts(fixtures):
        for number, seal in enumerate(account.seals):
            yield f"{path}.seals[{number}].sealId", seal.seal_id


def _located_accounts(fixtures: Fixtures) -> Iterator[tuple[str, Account]]:
    for index, enterprise in enumerate(fixtures.enterprises):
        for number, member in enumerate(enterprise.members):
            yield f"$.enterprises[{index}].members[{number}]", member
    for number, person in enumerate(fixtures.persons):
        yield f"$.persons[{number}]", person


def _account_problems(
    path: str, account: Account, known_lines: set[str], tokens: set[str]
) -> Iterator[tuple[str, str]]:
    yield from _choice(f"{path}.contactType", account.contact_type, ("MOBILE", "EMAIL"))
    for token in account.operator_accounts:
        if token not in tokens:
            yield f"{path}.operatorAccounts", "names a token that no developer has"
    own = {seal.seal_id for seal in account.seals}
    for number, grant in enumerate(account.grants):
        where = f"{path}.grants[{number}]"
        if grant.sign_re_id not in known_lines:
            yield f"{where}.signReId", "is the id of no business line"
        if grant.seal_id not in own:
            yield f"{where}.sealId", "is the id of no seal of this person"
        try:
            date.fromisoformat(grant.until)
        except ValueError:
            yield f"{where}.until", "must be a day as yyyy-MM-dd"


def _line_problems(path: str, line: Line, enterprise: Enterprise) -> Iterator[tuple[str, str]]:
    yield from _choice(f"{path}.mode", line.mode, ("free", "rule"))
    yield from _choice(f"{path}.signOrderType", line.sign_order_type, ("ORDER", "NO_ORDER"))
    if line.parties and line.mode == "free":
        yield f"{path}.parties", 'applies to "mode": "rule" only'
    members = {member.contact for member in enterprise.members}
    seals = {seal.seal_id for seal in enterprise.seals}
    for index, party in enumerate(line.parties):
        where = f"{path}.parties[{index}]"
        yield from _choice(f"{where}.signerType", party.signer_type, ("SENDER", "RECEIVER_ENT", "RECEIVER_PERSONAL"))
        if not _is_integer(party.signer_order):
            yield f"{where}.signerOrder", "must be a decimal integer as text"
        for number, node in enumerate(party.internal_node_list):
            step = f"{where}.internalNodeList[{number}]"
            if not _is_integer(node.signer_order):
                yield f"{step}.signerOrder", "must be a decimal integer as text"
            own = party.signer_type == "SENDER"
            if own and node.signer is not None and node.signer not in members:
                yield f"{step}.signer", "is the contact of no member of this enterprise"
            if own and node.seal_id is not None and node.seal_id not in seals:
                yield f"{step}.sealId", "is the id of no seal of this enterprise"


def _choice(path: str, value: str, choices: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if value not in choices:
        yield path, f"must be {' or '.join(choices)}"


def _is_integer(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdecimal()
