"""Lost drafts: recognise the contract of a draft whose response was lost (protocol section 4.17).

The download of a contract carries the name of its document, with the reference that it was uploaded with, and its open
tasks name the persons whom they wait for, as in the draft.

Assumed, because it is not known: that the name of a document that the platform converted ends with an extension of
letters, whichever it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from kfq_async.models.fields import repr_masked
from kfq_async.models.masking import MaskedStr, plain_text, type_name
from kfq_async.models.parties import ContractUser
from kfq_async.models.references import check_reference, find_reference
from kfq_async.protocol.downloads import FileKind

if TYPE_CHECKING:
    from kfq_async.models.contracts import ContractTasks
    from kfq_async.protocol.downloads import FileHead

__all__ = ["LostDraft", "describe_draft"]


@frozen
class LostDraft:
    """A draft, as far as its contract can be recognised.

    Attributes:
        reference: Reference of its document.
        contacts: Contacts of those who act for its receiving parties; empty if the reference alone counts.
    """

    reference: str
    contacts: frozenset[str] = field(repr=repr_masked)

    def matches_head(self, head: FileHead) -> bool | None:
        """Return whether a download is that of the draft's document; ``None`` if its name does not tell."""
        reference = None if head.kind is FileKind.ZIP else find_reference(head.name)
        return None if reference is None else reference == self.reference

    def matches_tasks(self, tasks: ContractTasks) -> bool | None:
        """Return whether tasks wait for the draft's persons and no others; ``None`` for both, or for nobody named."""
        waiting = {task.party.contact for task in tasks.todo_task_list if task.party is not None and task.party.contact}
        if not waiting or (waiting & self.contacts and waiting - self.contacts):
            return None
        return waiting <= self.contacts


def describe_draft(reference: Any, receivers: Any) -> LostDraft:
    """Return a draft by the arguments of ``find_lost``; raise `TypeError` or `ValueError`, naming the wrong one."""
    check_reference("reference", reference)
    if isinstance(receivers, str | bytes | ContractUser) or not hasattr(receivers, "__iter__"):
        raise TypeError(f"receivers must be a sequence, not {type_name(receivers)}: write a list, even for one")
    return LostDraft(
        plain_text(reference), frozenset(_contact(index, receiver) for index, receiver in enumerate(receivers))
    )


def _contact(index: int, receiver: Any) -> MaskedStr:
    contact = (receiver.contact or "") if isinstance(receiver, ContractUser) else receiver
    if not isinstance(contact, str):
        raise TypeError(f"receivers[{index}] must be a contact or a ContractUser, not {type_name(contact)}")
    if not contact:
        raise ValueError(f"receivers[{index}] must have a contact, by which the tasks of a contract name a person")
    return MaskedStr(plain_text(contact))
