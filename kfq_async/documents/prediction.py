"""Prediction of marks: where the platform puts those of a position, or of a whole draft (protocol section 4.0)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import fields_dict, frozen

from kfq_async.documents.marks import MarkImage, PositionFields, mark_of, place
from kfq_async.documents.pdf import PdfDocument, Rect, open_pdf
from kfq_async.documents.refusals import PositionRefused
from kfq_async.models.anchors import CONTROL_TYPES
from kfq_async.models.parties import PositionParam
from kfq_async.models.shapes import camel

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from kfq_async.documents.marks import Mark
    from kfq_async.models.contracts import ContractDraftRequest

__all__ = ["DraftMark", "predict", "predict_draft"]

_WIRE_NAMES = {camel(name): name for name in fields_dict(PositionFields)}
"""Fields of a position by their names on the wire."""
_CONTROL_TYPES = tuple(CONTROL_TYPES.values())
_POSITION_TYPES = ("POSITION", "KEYWORD")


def predict(
    file: bytes | str | os.PathLike[str] | PdfDocument,
    position: PositionParam | Mapping[str, object],
    *,
    picture: tuple[int, int] | None = None,
) -> tuple[Mark, ...]:
    """Return where the marks of a position land once they are signed.

    Holds for release 3.2 of the self-hosted platform. Documents that the position refers to, and the party that it
    belongs to, are not looked at. Reads the file and takes CPU time: call it in a thread from a coroutine.

    Args:
        file: Content of a PDF, its path, or an opened `PdfDocument`.
        position: The position, or its fields as sent, such as ``{"controlType": "SEAL", ...}``.
        picture: Width and height in pixels of the picture of the seal or signature; ``None`` is a square one of
            120 × 120. A date mark is not fitted to a picture.

    Returns:
        Marks in the order in which the platform makes them; `Mark.rect` is in raw user space.

    Raises:
        PositionRefused: The platform refuses the draft, or the mark can never be signed (a size that is ``NaN``).
        PdfError: The file is damaged, encrypted, or beyond a limit.
        OSError: The file cannot be read.
        TypeError: ``position``, or one of its fields, has the wrong type.
        ValueError: ``picture`` is not of at least one pixel each way.
        ModuleNotFoundError: pdfminer.six is not installed (extra ``pdf``).
    """
    width, height = picture or (120, 120)
    if width < 1 or height < 1:
        raise ValueError(f"picture must be at least 1 × 1 pixels, not {width} × {height}")
    image, fields = MarkImage(width, height), _read_fields(position)
    return tuple(mark_of(box, image) for box in place([_open(file)], fields))


@frozen
class DraftMark:
    """Mark of a draft.

    Attributes:
        path: Position in the request, such as ``signerList[1].positionParamList[0]``.
        control_type: ``SIGNATURE``, ``SEAL``, ``SIGN_DATE`` or ``CHOP_STAMP``.
        doc_id: Id of the document.
        page: Page number, from 1 on.
        rect: Rectangle in raw user space.
    """

    path: str
    """Position in the request, such as ``signerList[1].positionParamList[0]``."""
    control_type: str
    """``SIGNATURE``, ``SEAL``, ``SIGN_DATE`` or ``CHOP_STAMP``."""
    doc_id: str
    """Id of the document."""
    page: int
    """Page number, from 1 on."""
    rect: Rect
    """Rectangle in raw user space."""


def predict_draft(
    request: ContractDraftRequest,
    files: Mapping[str, bytes | str | os.PathLike[str] | PdfDocument],
    *,
    picture: tuple[int, int] | None = None,
) -> tuple[DraftMark, ...]:
    """Return where the marks of a draft land once all parties have signed; see `predict`.

    Args:
        request: The draft.
        files: PDF of each document, by its ``doc_id``: its content, its path, or an opened `PdfDocument`.
        picture: As for `predict`, of all seals and signatures.

    Returns:
        Marks in the order of the request.

    Raises:
        PositionRefused: The platform refuses a position; ``field`` has its path.
        PdfError: A file is damaged, encrypted, or beyond a limit.
        OSError: A file cannot be read.
        ValueError: ``picture`` is not of at least one pixel each way.
        ModuleNotFoundError: pdfminer.six is not installed (extra ``pdf``).
    """
    opened = {doc_id: _open(file) for doc_id, file in files.items()}
    return tuple(
        mark for path, position in _positions(request) for mark in _predict_position(path, position, opened, picture)
    )


def _positions(request: ContractDraftRequest) -> Iterator[tuple[str, PositionParam]]:
    """Yield the positions of a draft with their paths."""
    for number, signer in enumerate(request.signer_list or ()):
        path = f"signerList[{number}]"
        holders = [(path, signer.position_param_list)]
        holders += [
            (f"{path}.internalNodeList[{step}]", node.position_param_list)
            for step, node in enumerate(signer.internal_node_list or ())
        ]
        for holder, positions in holders:
            for index, position in enumerate(positions or ()):
                yield f"{holder}.positionParamList[{index}]", position


def _predict_position(
    path: str, position: PositionParam, files: Mapping[str, PdfDocument], picture: tuple[int, int] | None
) -> Iterator[DraftMark]:
    for relation in position.relation_doc_list or ():
        doc_id = relation.doc_id or ""
        if doc_id not in files:
            raise PositionRefused(f"{path}.relationDocList", "names a document that is not one of the files")
        try:
            marks = predict(files[doc_id], position, picture=picture)
        except PositionRefused as problem:
            raise PositionRefused(f"{path}.{problem.field}", str(problem.args[1]), problem.refusal) from None
        for mark in marks:
            yield DraftMark(path, position.control_type or "", doc_id, mark.page, mark.rect)


def _open(file: bytes | str | os.PathLike[str] | PdfDocument) -> PdfDocument:
    if isinstance(file, PdfDocument):
        return file
    return open_pdf(file if isinstance(file, bytes) else Path(file).read_bytes())


def _read_fields(position: PositionParam | Mapping[str, object]) -> PositionFields:
    """Return the fields of a position; raise `PositionRefused` for an unknown kind of mark or place."""
    values: dict[str, str | None]
    if isinstance(position, Mapping):
        values = {name: _read_text(key, position.get(key)) for key, name in _WIRE_NAMES.items()}
    elif isinstance(position, PositionParam):
        values = {name: getattr(position, name) for name in fields_dict(PositionFields)}
    else:
        raise TypeError(f"position must be a PositionParam or a mapping, not {type(position).__name__}")
    if values["control_type"] not in _CONTROL_TYPES:
        raise PositionRefused("controlType", f"must be one of {', '.join(_CONTROL_TYPES)}")
    if values["sign_position_type"] not in _POSITION_TYPES:
        raise PositionRefused("signPositionType", f"must be one of {', '.join(_POSITION_TYPES)}")
    return PositionFields(**values)  # type: ignore[arg-type]  # the first two are texts


def _read_text(key: str, value: object) -> str | None:
    """Return a field as the platform reads it: it takes a number for its text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return json.dumps(value)
    raise TypeError(f"{key} must be a str, not {type(value).__name__}")
