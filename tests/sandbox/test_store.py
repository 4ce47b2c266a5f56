"""Records in memory and in a state file, and the signing key."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from kfq_async.protocol.signing import load_public_key, sign, verify
from kfq_async.sandbox import Order
from kfq_async.sandbox.store import (
    Contract,
    SignatureUpdate,
    Store,
    load_or_create_key,
    process_key,
    public_text,
)

ORDER = Order(
    order_no="SBX1",
    token="TOKEN-A",
    client_request_id="row-1",
    body_hash="d",
    company_name="某某科技有限公司",
    code="page-secret",
    request='{"accountName":"13800138000"}',
    created_at=1775010802.5,
)


def test_find() -> None:
    """An order is found unchanged by its number, and by token and clientRequestId."""
    with closing(Store(None)) as store:
        store.orders.add(ORDER)
        assert store.orders.one("order_no = ?", "SBX1") == ORDER
        assert store.orders.one("token = ? AND client_request_id = ?", "TOKEN-A", "row-1") == ORDER


def test_not_found() -> None:
    """Another number, another id and the id under another token find nothing."""
    with closing(Store(None)) as store:
        store.orders.add(ORDER)
        assert store.orders.one("order_no = ?", "SBX2") is None
        assert store.orders.one("token = ? AND client_request_id = ?", "TOKEN-A", "row-2") is None
        assert store.orders.one("token = ? AND client_request_id = ?", "TOKEN-B", "row-1") is None


def test_oldest_first() -> None:
    """Orders are listed in the sequence in which they were added."""
    with closing(Store(None)) as store:
        for number in ("SBX9", "SBX1", "SBX5"):
            store.orders.add(evolve(ORDER, order_no=number, client_request_id=None))
        assert [order.order_no for order in store.orders.all()] == ["SBX9", "SBX1", "SBX5"]


def test_client_request_id_is_unique() -> None:
    """The database refuses a second order with the same token and clientRequestId."""
    with closing(Store(None)) as store:
        store.orders.add(ORDER)
        with pytest.raises(sqlite3.IntegrityError):
            store.orders.add(evolve(ORDER, order_no="SBX2"))
        assert [order.order_no for order in store.orders.all()] == ["SBX1"]


def test_order_hides_its_secrets() -> None:
    """The repr of an order contains neither token nor page secret nor request."""
    text = repr(ORDER)
    assert "SBX1" in text
    for secret in ("TOKEN-A", "page-secret", "13800138000"):
        assert secret not in text


def test_compare_and_swap() -> None:
    """A record is replaced only if it has not changed since it was read."""
    with closing(Store(None)) as store:
        store.orders.add(ORDER)
        done, undone = evolve(ORDER, status=1, verified_at=5.0), evolve(ORDER, status=3)
        assert store.orders.compare_and_swap(ORDER, done)
        assert not store.orders.compare_and_swap(ORDER, undone)
        assert store.orders.all() == [done]


CONTRACT = Contract(
    contract_id="c-1", token="TOKEN-A", enterprise="甲公司", status="SIGNING", request="{}", state="{}", created_at=1.0
)


def update(update_id: str, contract_id: str = "c-1") -> SignatureUpdate:
    """Return what a signature has appended."""
    return SignatureUpdate(
        update_id=update_id, contract_id=contract_id, doc_id="d", task_id="t", content=b"bytes", created_at=2.0
    )


def test_change_of_a_contract() -> None:
    """A contract changes together with what was signed, or neither does."""
    with closing(Store(None)) as store:
        store.contracts.add(CONTRACT)
        signed, complete = evolve(CONTRACT, state="[1]"), evolve(CONTRACT, status="COMPLETE")
        assert store.change_contract(CONTRACT, signed, [update("u-1"), update("u-2")])
        assert not store.change_contract(CONTRACT, complete, [update("u-3")])
        with pytest.raises(sqlite3.IntegrityError):
            store.change_contract(signed, complete, [update("u-4"), update("u-1")])
        assert (store.contracts.all(), store.updates.all()) == ([signed], [update("u-1"), update("u-2")])
        assert store.change_contract(signed, complete)
        assert not store.change_contract(signed, CONTRACT)
        assert store.contracts.all() == [complete]


def test_a_change_of_a_contract_is_seen_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another connection, such as that of the next process, sees a change with all that was signed, or nothing."""
    path = tmp_path / "state.db"
    with closing(Store(path)) as store, closing(Store(path)) as other:
        store.contracts.add(CONTRACT)
        add, seen = store.updates.add, []

        def watched(record: SignatureUpdate) -> None:
            add(record)
            seen.append((other.contracts.all(), other.updates.all()))

        monkeypatch.setattr(store.updates, "add", watched)
        complete = evolve(CONTRACT, status="COMPLETE")
        assert store.change_contract(CONTRACT, complete, [update("u-1"), update("u-2")])
        assert seen == [([CONTRACT], [])] * 2
        assert (other.contracts.all(), other.updates.all()) == ([complete], [update("u-1"), update("u-2")])


def test_newest_and_count() -> None:
    """The newest records are listed newest first, and all are counted."""
    with closing(Store(None)) as store:
        for number in ("SBX9", "SBX1", "SBX5"):
            store.orders.add(evolve(ORDER, order_no=number, client_request_id=None))
        assert [order.order_no for order in store.orders.newest(2)] == ["SBX5", "SBX1"]
        assert store.orders.count() == 3


def test_memory_does_not_persist() -> None:
    """Without a file, records are gone with the store."""
    with closing(Store(None)) as store:
        store.orders.add(ORDER)
    with closing(Store(None)) as store:
        assert store.orders.all() == []


@pytest.mark.parametrize("path_class", [str, Path])
def test_file_persists(tmp_path: Path, path_class: type[str | Path]) -> None:
    """A file, given as text or as a path, keeps the orders."""
    path = path_class(tmp_path / "状态 file.db")
    with closing(Store(path)) as store:
        store.orders.add(ORDER)
    with closing(Store(path)) as store:
        assert store.orders.all() == [ORDER]


def test_add_commits(tmp_path: Path) -> None:
    """A record is committed when `add` returns: another connection sees it at once."""
    path = tmp_path / "state.db"
    with closing(Store(path)) as store, closing(Store(path)) as other:
        store.orders.add(ORDER)
        assert other.orders.all() == [ORDER]


def test_file_modes(tmp_path: Path) -> None:
    """The state file and SQLite's files beside it have mode 0600 under any umask."""
    umask = os.umask(0)
    try:
        with closing(Store(tmp_path / "state.db")) as store:
            store.orders.add(ORDER)
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(umask)
    assert modes["state.db"] == 0o600
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("content", [b"clientRequestId,orderNo\n", b"SQLite format 3\0" + b"x" * 2000, b"\xff" * 5000])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no SQLite database is refused by name and left untouched."""
    path = tmp_path / "companies.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^state: .*companies\.csv is not a state file of the sandbox \("):
        Store(path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("schema", ["CREATE TABLE ledger (row TEXT)", "CREATE TABLE orders (order_no TEXT, mine TEXT)"])
def test_other_databases_are_refused(tmp_path: Path, schema: str) -> None:
    """A database of another program is refused and left untouched, even one with a table of orders."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute(schema)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"ledger\.db is not a state file of the sandbox \(it is another program's"):
        Store(path)
    assert path.read_bytes() == before


def test_other_versions_are_refused(tmp_path: Path) -> None:
    """A state file of another version is refused with advice, and left untouched."""
    path = tmp_path / "state.db"
    with closing(Store(path)) as store:
        store.orders.add(ORDER)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 1")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"it was created by another version of the package: name a new file"):
        Store(path)
    assert path.read_bytes() == before


def test_empty_file(tmp_path: Path) -> None:
    """An empty file, such as `mktemp` makes, becomes a state file."""
    path = tmp_path / "state.db"
    path.touch()
    with closing(Store(path)) as store:
        store.orders.add(ORDER)
        assert store.orders.all() == [ORDER]


def test_missing_folder(tmp_path: Path) -> None:
    """A path that cannot be opened is an `OSError` with the path."""
    path = tmp_path / "missing" / "state.db"
    with pytest.raises(FileNotFoundError) as caught:
        Store(path)
    assert caught.value.filename == str(path)


def test_public_text() -> None:
    """The public key is bare base64, as the platform's pages show it, and verifies a signature."""
    text = public_text(process_key())
    assert text.startswith("MII")
    assert "\n" not in text
    assert load_public_key(text).key_size == 2048
    assert verify(b"message", sign(b"message", process_key()), text)


def test_process_key_is_shared() -> None:
    """All sandboxes of a process share a key."""
    assert process_key() is process_key()


def test_state_file_keeps_its_key(tmp_path: Path) -> None:
    """A state file keeps its key over restarts, without showing it in a repr; another file has another key."""
    with closing(Store(tmp_path / "a.db")) as store:
        first = public_text(load_or_create_key(store))
    with closing(Store(tmp_path / "a.db")) as store:
        assert public_text(load_or_create_key(store)) == first
        assert "PRIVATE" not in repr(store.settings.all())
        assert "MII" not in repr(store.settings.all())
    with closing(Store(tmp_path / "b.db")) as store:
        assert public_text(load_or_create_key(store)) != first
