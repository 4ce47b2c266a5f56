"""Lost drafts: what the name of a document and the open tasks of a contract tell."""

from __future__ import annotations

from typing import Any

import pytest

from kfq_async import ContractTask, ContractTasks, ContractUser, TaskParty
from kfq_async.contracts.lost_drafts import LostDraft, describe_draft
from kfq_async.protocol.downloads import FileHead, FileKind

ANNA, BERND, CARLA = "13800000001", "13800000002", "carla@example.org"


def tasks_for(*contacts: str | None) -> ContractTasks:
    """Return tasks that wait for so many persons; one without a contact is a task of the sender's."""
    tasks = [
        ContractTask(
            task_id=str(number), task_type="SIGN", party=None if contact is None else TaskParty(contact=contact)
        )
        for number, contact in enumerate(contacts)
    ]
    return ContractTasks(status="SIGNING", todo_task_list=tuple(tasks))


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("合同〔PO-42〕.pdf", FileKind.PDF, True),
        ("合同〔PO-42〕", FileKind.PDF, True),
        ("合同〔PO-41〕〔PO-42〕.docx.pdf", FileKind.PDF, True),
        ("合同〔po-42〕.pdf", FileKind.PDF, False),
        ("合同〔PO-4〕.pdf", FileKind.PDF, False),
        ("合同〔PO-42〕〔PO-41〕.pdf", FileKind.PDF, False),
        ("合同PO-42.pdf", FileKind.PDF, None),
        ("", FileKind.PDF, None),
        ("合同〔PO-42〕.zip", FileKind.ZIP, None),
    ],
)
def test_name(name: str, kind: FileKind, *, found: bool | None) -> None:
    """The reference at the end of the name tells; the name of a ZIP is none of a document's."""
    assert LostDraft("PO-42", frozenset()).matches_head(FileHead(name, kind)) is found


@pytest.mark.parametrize(
    ("contacts", "found"),
    [
        ([ANNA], True),
        ([ANNA, BERND], True),
        ([None, BERND], True),
        ([CARLA], False),
        ([None, CARLA], False),
        ([ANNA, CARLA], None),
        ([None], None),
        ([""], None),
        ([], None),
    ],
)
def test_parties(contacts: list[str | None], *, found: bool | None) -> None:
    """Those whom the tasks wait for are the draft's, or are not; both, or none, tells nothing."""
    draft = describe_draft("PO-42", [ANNA, ContractUser(contact=BERND)])
    assert draft.matches_tasks(tasks_for(*contacts)) is found


@pytest.mark.parametrize("receivers", [(), [ANNA], (contact for contact in [ANNA]), {ANNA}])
def test_receivers(receivers: Any) -> None:
    """Receivers are anything that can be iterated over, and their contacts are not shown."""
    draft = describe_draft("PO-42", receivers)
    assert draft.contacts <= {ANNA}
    assert ANNA not in f"{draft!r} {[*draft.contacts]!r}"


@pytest.mark.parametrize(
    ("reference", "receivers", "kind", "text"),
    [
        (None, (), TypeError, "reference must be a str, not NoneType"),
        ("PO 42", (), ValueError, "reference must be 1 to 32 ASCII letters"),
        ("PO-42", ANNA, TypeError, "receivers must be a sequence, not str: write a list, even for one"),
        ("PO-42", ContractUser(contact=ANNA), TypeError, "receivers must be a sequence, not ContractUser"),
        ("PO-42", None, TypeError, "receivers must be a sequence, not NoneType"),
        ("PO-42", [ANNA, 5], TypeError, r"receivers\[1\] must be a contact or a ContractUser, not int"),
        ("PO-42", [None], TypeError, r"receivers\[0\] must be a contact or a ContractUser, not NoneType"),
        ("PO-42", [""], ValueError, r"receivers\[0\] must have a contact"),
        ("PO-42", [ContractUser(name="安娜")], ValueError, r"receivers\[0\] must have a contact"),
    ],
)
def test_wrong_arguments(reference: Any, receivers: Any, kind: type[Exception], text: str) -> None:
    """A wrong argument is named, with what is right."""
    with pytest.raises(kind, match=text):
        describe_draft(reference, receivers)
