"""Fixtures of the sandbox's platform: their file, the errors in it, and look-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from kfq_async.sandbox.fixtures import DefaultFixtures, Fixtures, Seal, load_fixtures
from self_hosted import OPERATOR, OTHER_TOKEN, PERSON, STOPPED_TOKEN, STRANGER, TOKEN, fixtures_document

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def fixtures() -> Fixtures:
    """The fixtures of a self-hosted platform."""
    return load_fixtures(fixtures_document())


def test_file(tmp_path: Path, fixtures: Fixtures) -> None:
    """A file, its path as text, its data and the object itself are the same fixtures."""
    file = tmp_path / "platform.json"
    file.write_bytes(orjson.dumps(fixtures_document()))
    assert load_fixtures(file) == load_fixtures(str(file)) == load_fixtures(fixtures) == fixtures


def test_defaults(fixtures: Fixtures) -> None:
    """A self-hosted platform offers no identification; what is left out has the documented default."""
    assert not fixtures.identification
    assert load_fixtures(fixtures_document() | {"identification": True}).identification
    enterprise = fixtures.enterprises[0]
    assert enterprise.seals == (Seal(seal_id="seal-a", name="合同章", pixel_width=200, pixel_height=120),)
    line = enterprise.lines[0]
    assert (line.mode, line.enabled, line.sign_order_type, line.parties) == ("free", True, "ORDER", ())
    assert not enterprise.members[0].verified
    assert fixtures.tokens == (TOKEN, OTHER_TOKEN)
    assert Fixtures.parse({"enterprises": fixtures_document()["enterprises"][1:]}).persons == ()


def test_developer(fixtures: Fixtures) -> None:
    """A token is found in any letter case, a disabled one as well."""
    for token in (TOKEN, TOKEN.lower()):
        found = fixtures.developer(token)
        assert found is not None
        assert (found[0].name, found[1].callback_url) == ("东方示例有限公司", "http://127.0.0.1:9/events")
    stopped = fixtures.developer(STOPPED_TOKEN)
    assert stopped is not None
    assert not stopped[1].enabled
    assert fixtures.developer("DEMO9999") is None


def test_accounts() -> None:
    """What two enterprises say of the same member is joined; a person who is not identified is shown by the contact."""
    document = fixtures_document()
    document["enterprises"][0]["members"][0]["verified"] = True
    document["enterprises"][0]["members"][0]["seals"] = [{"sealId": "mine"}]
    document["enterprises"][1]["members"][0]["seals"] = [{"sealId": "mine-too"}]
    document["enterprises"][1]["members"][0]["operatorAccounts"] = {OTHER_TOKEN: "crm-chen"}
    fixtures = load_fixtures(document)
    account, person = fixtures.account(OPERATOR), fixtures.account(PERSON)
    assert account is not None
    assert person is not None
    assert [seal.seal_id for seal in account.seals] == ["mine", "mine-too"]
    assert account.operator_accounts == {TOKEN: "erp-chen", OTHER_TOKEN: "crm-chen"}
    assert (account.shown_name, person.shown_name) == ("陈一", PERSON)
    assert account.account_id != person.account_id
    assert fixtures.account(STRANGER) is None
    assert "陈一" not in repr(fixtures)
    assert TOKEN not in repr(fixtures)


def test_operator(fixtures: Fixtures) -> None:
    """``operatorAccount`` is an account only for the token that it is linked to."""
    assert fixtures.operator(TOKEN, "erp-chen") == fixtures.enterprises[0].members[0]
    assert fixtures.operator(OTHER_TOKEN, "erp-chen") is None
    assert fixtures.operator(TOKEN, "nobody") is None
    assert fixtures.operator(TOKEN, None) is None


def test_lookups_are_of_the_enterprise(fixtures: Fixtures) -> None:
    """Members, lines and seals of another enterprise are not found."""
    east, west = fixtures.enterprises
    assert fixtures.is_member(east, OPERATOR)
    assert not fixtures.is_member(east, PERSON)
    line, seal = fixtures.line(east, "old"), fixtures.seal(east, "seal-a")
    assert line is not None
    assert not line.enabled
    assert seal is not None
    assert fixtures.line(west, "old") is None
    assert fixtures.seal(west, "seal-a") is None


@pytest.mark.parametrize(
    ("line", "today", "seal_id"),
    [
        ("sales", "2030-06-30", "seal-p"),
        ("sales", "2030-07-01", None),
        ("hiring", "2026-01-01", None),
    ],
)
def test_granted_seal(fixtures: Fixtures, line: str, today: str, seal_id: str | None) -> None:
    """A seal is granted for a business line, up to its last day."""
    seal = fixtures.granted_seal(fixtures.persons[0], line, today)
    assert (seal.seal_id if seal else None) == seal_id


def test_default_fixtures() -> None:
    """Without a file, every token has an enterprise of its own, and every line, account and seal is known."""
    fixtures = DefaultFixtures.for_tokens(["A", "B"])
    assert fixtures.tokens == ("A", "B")
    assert fixtures.identification
    names = {enterprise.name for enterprise in fixtures.enterprises}
    assert len(names) == 2
    enterprise = fixtures.enterprises[0]
    line, seal = fixtures.line(enterprise, "any"), fixtures.seal(enterprise, "any")
    assert line is not None
    assert (line.sign_re_id, line.mode, line.enabled) == ("any", "free", True)
    assert seal is not None
    assert seal.seal_id == "any"
    assert fixtures.is_member(enterprise, "a@example.com")
    assert fixtures.is_enterprise("任意企业")
    mobile, email = fixtures.account(STRANGER), fixtures.account("a@example.com")
    assert mobile is not None
    assert email is not None
    assert (mobile.contact_type, email.contact_type) == ("MOBILE", "EMAIL")
    assert fixtures.granted_seal(mobile, "any", "2026-01-01") == mobile.seals[0]


def _set(*path: str | int, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        target: Any = document
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return change


DEVELOPER = "$.enterprises[%d].developers[0].appAuthToken"
STEP = "$.enterprises[0].lines[2].parties[0].internalNodeList[0]"
MEMBER = ("enterprises", 0, "members", 0)
LINE = ("enterprises", 0, "lines")
NODE = (*LINE, 2, "parties", 0, "internalNodeList", 0)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_set("enterprises", value={}), "expected a list, not an object @ $.enterprises"),
        (_set("enterprises", value=[]), "needs at least one enabled developer @ $.enterprises"),
        (_set("enterprises", 1, "name", value=7), "expected a string, not a number @ $.enterprises[1].name"),
        (_set("enterprises", 1, "nmae", value="x"), "unknown key nmae @ $.enterprises[1]"),
        (_set("identification", value="yes"), "expected a boolean, not a string @ $.identification"),
        (
            _set("enterprises", 0, "developers", 1, "enabled", value="no"),
            "expected a boolean, not a string @ $.enterprises[0].developers[1].enabled",
        ),
        (
            _set("enterprises", 0, "developers", 1, "appAuthToken", value=""),
            "must have 1 to 64 characters @ $.enterprises[0].developers[1].appAuthToken",
        ),
        (
            _set("enterprises", 1, "developers", 0, "appAuthToken", value="demo0001"),
            f"is already used at {DEVELOPER % 0} @ {DEVELOPER % 1}",
        ),
        (
            _set("enterprises", 1, "name", value="东方示例有限公司"),
            "is already used at $.enterprises[0].name @ $.enterprises[1].name",
        ),
        (
            _set(*LINE, 1, "signReId", value="sales"),
            "is already used at $.enterprises[0].lines[0].signReId @ $.enterprises[0].lines[1].signReId",
        ),
        (
            _set("persons", 0, "seals", 0, "sealId", value="seal-a"),
            "is already used at $.enterprises[0].seals[0].sealId @ $.persons[0].seals[0].sealId",
        ),
        (
            _set(*MEMBER, "contactType", value="FAX"),
            "must be MOBILE or EMAIL @ $.enterprises[0].members[0].contactType",
        ),
        (
            _set(*MEMBER, "operatorAccounts", value={"DEMO9999": "x"}),
            "names a token that no developer has @ $.enterprises[0].members[0].operatorAccounts",
        ),
        (
            _set("persons", 0, "grants", 0, "signReId", value="none"),
            "is the id of no business line @ $.persons[0].grants[0].signReId",
        ),
        (
            _set("persons", 0, "grants", 0, "sealId", value="seal-a"),
            "is the id of no seal of this person @ $.persons[0].grants[0].sealId",
        ),
        (
            _set("persons", 0, "grants", 0, "until", value="2030/06/30"),
            "must be a day as yyyy-MM-dd @ $.persons[0].grants[0].until",
        ),
        (_set(*LINE, 0, "mode", value="any"), "must be free or rule @ $.enterprises[0].lines[0].mode"),
        (
            _set(*LINE, 0, "signOrderType", value="no"),
            "must be ORDER or NO_ORDER @ $.enterprises[0].lines[0].signOrderType",
        ),
        (_set(*LINE, 2, "mode", value="free"), 'applies to "mode": "rule" only @ $.enterprises[0].lines[2].parties'),
        (
            _set(*LINE, 2, "parties", 1, "signerType", value="PERSON"),
            "must be SENDER or RECEIVER_ENT or RECEIVER_PERSONAL @ $.enterprises[0].lines[2].parties[1].signerType",
        ),
        (
            _set(*LINE, 2, "parties", 1, "signerOrder", value="first"),
            "must be a decimal integer as text @ $.enterprises[0].lines[2].parties[1].signerOrder",
        ),
        (
            _set(*NODE, "signerOrder", value=""),
            f"must be a decimal integer as text @ {STEP}.signerOrder",
        ),
        (
            _set(*NODE, "signer", value=PERSON),
            f"is the contact of no member of this enterprise @ {STEP}.signer",
        ),
        (
            _set(*NODE, "sealId", value="seal-p"),
            "is the id of no seal of this enterprise @ $.enterprises[0].lines[2].parties[0].internalNodeList[0].sealId",
        ),
    ],
)
def test_problems(change: Callable[[dict[str, Any]], None], problem: str) -> None:
    """A mistake is named with its JSON path, and no other value of the file is repeated."""
    document = fixtures_document()
    change(document)
    with pytest.raises(ValueError, match="does not have the form of fixtures") as caught:
        load_fixtures(document)
    assert problem in str(caught.value).split("form of fixtures: ")[1].split("; ")


def test_parties_of_others_are_not_members() -> None:
    """The steps of a receiving enterprise name people and seals that the fixtures need not know."""
    document = fixtures_document()
    document["enterprises"][0]["lines"][2]["parties"][0] |= {"signerType": "RECEIVER_ENT"}
    node = document["enterprises"][0]["lines"][2]["parties"][0]["internalNodeList"][0]
    node |= {"signer": STRANGER, "sealId": "theirs"}
    assert load_fixtures(document).enterprises[0].lines[2].parties[0].internal_node_list[0].signer == STRANGER


def test_all_problems_at_once(tmp_path: Path) -> None:
    """Several mistakes are named together, and the file as well."""
    document = fixtures_document()
    document["enterprises"][0]["lines"][0]["mode"] = "any"
    document["persons"][0]["contactType"] = "FAX"
    file = tmp_path / "platform.json"
    file.write_bytes(orjson.dumps(document))
    with pytest.raises(ValueError, match=r"platform\.json") as caught:
        Fixtures.load(file)
    assert "lines[0].mode" in str(caught.value)
    assert "persons[0].contactType" in str(caught.value)


def test_not_json(tmp_path: Path) -> None:
    """A file that is not JSON is named."""
    file = tmp_path / "platform.json"
    file.write_text("enterprises: []")
    with pytest.raises(ValueError, match=r"platform\.json is not JSON"):
        load_fixtures(file)
    with pytest.raises(FileNotFoundError):
        load_fixtures(tmp_path / "absent.json")
