"""Where orders are kept: what a user who names a state file may rely on."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from kfq_async.protocol.signing import load_public_key, sign, verify
from kfq_async.sandbox import Order
from kfq_async.sandbox.store import Store, load_or_create_key, process_key, public_text

ORDER = Order(
    order_no="SBX1",
    token="TOKEN-A",
    client_request_id="row-1",
    digest="d",
    company_name="某某科技有限公司",
    code="page-secret",
    request='{"accountName":"13800138000"}',
    created_at=1775010802.5,
)


def test_found_by_number_and_by_key() -> None:
    """An order comes back as it was, by its number and by token and clientRequestId."""
    with closing(Store(None)) as store:
        store.orders.add(ORDER)
        assert store.orders.one("order_no = ?", "SBX1") == ORDER
        assert store.orders.one("token = ? AND client_request_id = ?", "TOKEN-A", "row-1") == ORDER


def test_not_found() -> None:
    """Another number, another id and another tenant's id find nothing."""
    with closing(Store(None)) as store:
        store.orders.add(ORDER)
        assert store.orders.one("order_no = ?", "SBX2") is None
        assert store.orders.one("token = ? AND client_request_id = ?", "TOKEN-A", "row-2") is None
        assert store.orders.one("token = ? AND client_request_id = ?", "TOKEN-B", "row-1") is None


def test_oldest_first() -> None:
    """Orders are listed in the order in which they were made, whatever their numbers."""
    with closing(Store(None)) as store:
        for number in ("SBX9", "SBX1", "SBX5"):
            store.orders.add(evolve(ORDER, order_no=number, client_request_id=None))
        assert [order.order_no for order in store.orders.all()] == ["SBX9", "SBX1", "SBX5"]


def test_key_is_unique() -> None:
    """The file itself refuses a second order under the same token and clientRequestId."""
    with closing(Store(None)) as store:
        store.orders.add(ORDER)
        with pytest.raises(sqlite3.IntegrityError):
            store.orders.add(evolve(ORDER, order_no="SBX2"))
        assert [order.order_no for order in store.orders.all()] == ["SBX1"]


def test_order_hides_its_secrets() -> None:
    """An order that is printed shows neither token nor the page's secret nor what the request said."""
    shown = repr(ORDER)
    assert "SBX1" in shown
    for secret in ("TOKEN-A", "page-secret", "13800138000"):
        assert secret not in shown


def test_swap() -> None:
    """A record is changed if it still is what it was when it was read, and left alone otherwise."""
    with closing(Store(None)) as store:
        store.orders.add(ORDER)
        done, undone = evolve(ORDER, status=1, verified_at=5.0), evolve(ORDER, status=3)
        assert store.orders.compare_and_swap(ORDER, done)
        assert not store.orders.compare_and_swap(ORDER, undone)
        assert store.orders.all() == [done]


def test_newest_and_count() -> None:
    """The newest few can be had, the newest first, beside how many there are."""
    with closing(Store(None)) as store:
        for number in ("SBX9", "SBX1", "SBX5"):
            store.orders.add(evolve(ORDER, order_no=number, client_request_id=None))
        assert [order.order_no for order in store.orders.newest(2)] == ["SBX5", "SBX1"]
        assert store.orders.count() == 3


def test_memory_is_forgotten() -> None:
    """Without a file nothing outlives the store."""
    with closing(Store(None)) as store:
        store.orders.add(ORDER)
    with closing(Store(None)) as store:
        assert store.orders.all() == []


@pytest.mark.parametrize("kind", [str, Path])
def test_file_is_remembered(tmp_path: Path, kind: type[str | Path]) -> None:
    """A file, named by text or by path, keeps the orders until it is opened again."""
    path = kind(tmp_path / "状态 file.db")
    with closing(Store(path)) as store:
        store.orders.add(ORDER)
    with closing(Store(path)) as store:
        assert store.orders.all() == [ORDER]


def test_kept_before_add_returns(tmp_path: Path) -> None:
    """What was added is on disk at once: whoever opens the file next sees it, without anything being closed."""
    path = tmp_path / "state.db"
    with closing(Store(path)) as store, closing(Store(path)) as other:
        store.orders.add(ORDER)
        assert other.orders.all() == [ORDER]


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    """The file and what SQLite puts beside it can be read by nobody else, under any umask."""
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
def test_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no SQLite database is refused by name and left as it was."""
    path = tmp_path / "companies.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^state: .*companies\.csv is not a state file of the sandbox \("):
        Store(path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("schema", ["CREATE TABLE ledger (row TEXT)", "CREATE TABLE orders (order_no TEXT, mine TEXT)"])
def test_another_programs_database_is_refused(tmp_path: Path, schema: str) -> None:
    """A database that another program made is refused and left as it was, even one that has orders too."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute(schema)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"ledger\.db is not a state file of the sandbox \(it is another program's"):
        Store(path)
    assert path.read_bytes() == before


def test_another_versions_state_is_refused(tmp_path: Path) -> None:
    """A state file of another version is refused with what to do, and left as it was."""
    path = tmp_path / "state.db"
    with closing(Store(path)) as store:
        store.orders.add(ORDER)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 1")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"it was made by another version of the package: name a new file"):
        Store(path)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_state_file(tmp_path: Path) -> None:
    """A file that was touched beforehand, as `mktemp` does, is taken."""
    path = tmp_path / "state.db"
    path.touch()
    with closing(Store(path)) as store:
        store.orders.add(ORDER)
        assert store.orders.all() == [ORDER]


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    """A path that cannot be opened is the operating system's own error, with the path in it."""
    path = tmp_path / "missing" / "state.db"
    with pytest.raises(FileNotFoundError) as caught:
        Store(path)
    assert caught.value.filename == str(path)


def test_public_text() -> None:
    """The public key is shown in bare base64, as the platform's pages show one, and verifies what was signed."""
    text = public_text(process_key())
    assert text.startswith("MII")
    assert "\n" not in text
    assert load_public_key(text).key_size == 2048
    assert verify(b"message", sign(b"message", process_key()), text)


def test_one_for_the_process() -> None:
    """Asked twice, the process has one key."""
    assert process_key() is process_key()


def test_one_for_a_file(tmp_path: Path) -> None:
    """A state file keeps its key over restarts, so that a service need not be told anew; another file has another."""
    with closing(Store(tmp_path / "a.db")) as store:
        first = public_text(load_or_create_key(store))
    with closing(Store(tmp_path / "a.db")) as store:
        assert public_text(load_or_create_key(store)) == first
        assert "PRIVATE" not in repr(store.settings.all())
        assert "MII" not in repr(store.settings.all())
    with closing(Store(tmp_path / "b.db")) as store:
        assert public_text(load_or_create_key(store)) != first
