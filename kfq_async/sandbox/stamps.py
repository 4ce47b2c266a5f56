"""Marks of a step: which picture it gets, where it stands, and the signature in each document that it marks.

Assumed, because it is not known: that a step without a seal of its own uses its owner's default one; and that a person
who is asked to sign without a position leaves the documents as they are.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from kfq_async.models.parties import ContractUser
from kfq_async.models.zones import CHINA
from kfq_async.sandbox.checks import Refused
from kfq_async.sandbox.fixtures import Seal
from kfq_async.sandbox.lifecycle import ENTERPRISE_SEAL
from kfq_async.sandbox.positions import place_marks
from kfq_async.sandbox.seals import draw_date, draw_enterprise_seal, draw_person_seal
from kfq_async.sandbox.signing import SignatureDetails, SigningError, Stamp
from kfq_async.sandbox.store import SignatureUpdate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kfq_async.models.parties import PositionParam
    from kfq_async.sandbox.contract_files import ContractFiles
    from kfq_async.sandbox.directory import Directory
    from kfq_async.sandbox.documents import ContractDocuments
    from kfq_async.sandbox.lifecycle import Party, Step
    from kfq_async.sandbox.positions import PlacedMark
    from kfq_async.sandbox.seals import Picture
    from kfq_async.sandbox.signing import PdfSigner
    from kfq_async.sandbox.store import Contract

__all__ = ["MarkOwner", "Stamper"]

ANY_SEAL = Seal(seal_id="")
"""Seal of an owner who has none in the fixtures."""
_DATE_FORMATS = {"YEAR_MONTH_DAY": "%Y年%m月%d日", "LINE": "%Y-%m-%d", "BACK_SLASH": "%Y/%m/%d"}
"""``signDateFormat`` as Python writes it."""


@frozen
class MarkOwner:
    """Whose mark it is.

    Attributes:
        name: Name in the picture and in the certificate.
        seal: Seal, which has the name of a seal and the size of the picture.
        is_enterprise: Whether it is an enterprise, or a person.
    """

    name: str
    seal: Seal
    is_enterprise: bool = False

    def draw(self) -> Picture:
        """Return the picture of the mark; takes CPU time."""
        seal = self.seal
        if self.is_enterprise:
            return draw_enterprise_seal(self.name, seal.name, seal.pixel_width, seal.pixel_height)
        return draw_person_seal(self.name, seal.pixel_width, seal.pixel_height)


class Stamper:
    """Puts the marks of signatures into the documents of contracts. Thread-safe.

    ``clock`` returns the time in seconds since the epoch; ``quirks`` are the names of those that are imitated.
    """

    def __init__(
        self,
        directory: Directory,
        files: ContractFiles,
        signer: PdfSigner,
        clock: Callable[[], float],
        *,
        quirks: frozenset[str],
    ) -> None:
        self._quirks = quirks
        self._directory = directory
        self._files = files
        self._signer = signer
        self._clock = clock

    def sign(
        self, contract: Contract, steps: Iterable[tuple[Party, Step]], granted: Seal | None
    ) -> list[SignatureUpdate]:
        """Return what the signatures of steps append to the documents, in the order in which they were made.

        ``granted`` is the seal that a person has granted for a signature by proxy. Takes CPU time.

        Raises `Refused` or `AuditedRefusal` if a mark cannot be placed, and `Refused` if a document cannot be signed.
        """
        marked = [(party, step) for party, step in steps if step.positions]
        if not marked:
            return []
        run = _SigningRun(self, self._signer, contract, self._files)
        moment = datetime.fromtimestamp(self._clock(), CHINA)
        for party, step in marked:
            run.sign(step, self.owner_of(party, step, granted), moment)
        return run.updates

    def place(self, positions: Iterable[PositionParam], uploads: ContractDocuments, seal: Seal) -> list[PlacedMark]:
        """Return where the marks of a seal land.

        Raises `Refused` or `AuditedRefusal` for a position at which it cannot be applied.
        """
        return place_marks(positions, uploads, seal, self._quirks)

    def owner_of(self, party: Party, step: Step, granted: Seal | None = None) -> MarkOwner:
        """Return whose mark a step leaves: the enterprise's where it seals, otherwise the person's.

        ``granted`` is the seal that a person has granted for a signature by proxy.
        """
        if step.node_type == ENTERPRISE_SEAL:
            return MarkOwner(party.name or "", self._enterprise_seal(party.name, step.seal_id), is_enterprise=True)
        person = step.person or ContractUser()
        account = self._directory.account(person.contact or "")
        if account is None or account.name in {"", account.contact}:  # without fixtures, the contact is the name
            name = person.name or person.contact or ""
        else:
            name = account.name
        return MarkOwner(name, granted or _default_seal(() if account is None else account.seals))

    def _enterprise_seal(self, name: str | None, seal_id: str | None) -> Seal:
        enterprise = self._directory.enterprise(name)
        if enterprise is None:
            return ANY_SEAL
        named = None if seal_id is None else self._directory.seal(enterprise, seal_id)
        return named or _default_seal(enterprise.seals)


class _SigningRun:
    """Signatures of one change of a contract, one after another."""

    def __init__(self, stamper: Stamper, signer: PdfSigner, contract: Contract, files: ContractFiles) -> None:
        self.updates: list[SignatureUpdate] = []
        self._stamper = stamper
        self._signer = signer
        self._contract = contract
        self._uploads = files.uploads(contract)
        self._signed = {file.file_id: file for file in files.current(contract)}

    def sign(self, step: Step, owner: MarkOwner, moment: datetime) -> None:
        """Put the marks of a step into the documents; one signature for each document that gets any."""
        marks = self._stamper.place(step.positions, self._uploads, owner.seal)
        try:
            picture = owner.draw()
            for doc_id, of_document in groupby(sorted(marks, key=_document), _document):
                stamps = [_stamp(mark, _date(mark, moment) or picture) for mark in of_document]
                self._append(doc_id, step, stamps, owner.name, moment)
        except ModuleNotFoundError:
            raise Refused(31000, "签署需要生成印章和数字签名，请先执行 pip install 'kfq-async[sandbox]'") from None

    def _append(self, doc_id: str, step: Step, stamps: Sequence[Stamp], name: str, moment: datetime) -> None:
        file = self._signed[doc_id]
        try:
            details = SignatureDetails(name, f"SANDBOX-{step.task_id}", moment)
            appended = self._signer.sign(file.content, stamps, details)
        except SigningError as problem:
            raise Refused(31000, f"文档 {file.name} 无法签署：{problem}") from None
        self._signed[doc_id] = evolve(file, content=file.content + appended)
        self.updates.append(
            SignatureUpdate(
                update_id=secrets.token_hex(16),
                contract_id=self._contract.contract_id,
                doc_id=doc_id,
                task_id=step.task_id,
                content=appended,
                created_at=moment.timestamp(),
            )
        )


def _default_seal(seals: Sequence[Seal]) -> Seal:
    return next((seal for seal in seals if seal.default), seals[0] if seals else ANY_SEAL)


def _document(mark: PlacedMark) -> str:
    return mark.doc_id


def _date(placed: PlacedMark, moment: datetime) -> Picture | None:
    """Return the picture of a date, or ``None`` if the mark is another one."""
    if placed.date_format is None:
        return None
    return draw_date(moment.strftime(_DATE_FORMATS[placed.date_format]), placed.box.width, placed.box.height)


def _stamp(placed: PlacedMark, picture: Picture) -> Stamp:
    box = placed.box
    return Stamp(placed.mark.page, placed.mark.rect, picture, box.page.rotate, box.slice_index, box.slices)
