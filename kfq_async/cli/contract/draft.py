"""``kfq contract draft``: upload a document, and create a contract of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from attrs import evolve
from cyclopts import Parameter
from rich.console import Console

from kfq_async.cli.contract.connection import run_call
from kfq_async.cli.contract.description import DraftOptions, build_request
from kfq_async.cli.contract.results import ContractExit, print_tasks, print_values
from kfq_async.cli.contract.transfers import TransferBar
from kfq_async.cli.options import DEFAULT_CALL, CallConnection, Flag, UsageError
from kfq_async.cli.terminal import print_json, print_line
from kfq_async.documents import PdfError, PdfProblem, UnreadText, read_layout
from kfq_async.languages import gettext, translate
from kfq_async.models.anchors import DocumentLayout
from kfq_async.models.files import UploadedDocument
from kfq_async.protocol.codec import to_wire
from kfq_async.session import AsyncSession

__all__ = ["draft"]

DEFAULT_DRAFT = DraftOptions()
LOCAL_ID = "local"
"""Id of the document before it is uploaded."""


def draft(
    file: Path,
    /,
    *,
    options: Annotated[DraftOptions, Parameter(name="*")] = DEFAULT_DRAFT,
    send: Flag = False,
    dry_run: Flag = False,
    connection: CallConnection = DEFAULT_CALL,
) -> int:
    """Upload a document, and create a contract of it; with --send, start it.

    All is checked before anything is sent; kfq contract preview draws it. Other users of the machine can see command
    lines: pass personal data in --request. Exit status 7: the contract was started, and is stuck; 8: a contract may
    exist whose id was not received.

    Parameters
    ----------
    file
        The document: PDF, Word or Excel. Keywords are found in a PDF (extra pdf).
    send
        Start the contract, so that the parties are asked to sign.
    dry_run
        Print the request as JSON, and send nothing.
    """
    local = read_local(file)
    request = build_request(options, local, send=send)
    if dry_run:
        print_json(to_wire(request))
        return ContractExit.SUCCESS

    async def call(session: AsyncSession) -> int:
        with TransferBar(Console(stderr=True), file.name) as bar:
            document = await session.files.upload_document(file, progress=bar.update, read_text=False)
        placed = evolve(document, name=local.name, layout=local.layout)
        created = await session.contracts.draft(build_request(options, placed, send=send))
        if created.tasks is None:
            print_values({"contractId": created.contract_id, "status": "DRAFT"}, as_json=connection.json_)
            if not connection.json_:
                text = gettext("kept as a draft, which is started on the platform's pages only")
                print_line(Console(stderr=True), text)
        else:
            print_tasks(created.contract_id, created.tasks, as_json=connection.json_)
        return ContractExit.SUCCESS

    return run_call(connection, call)


def read_local(file: Path) -> UploadedDocument:
    """Return a document as it will be uploaded, with its layout if it is a PDF; raise `UsageError` if it is absent."""
    if not file.is_file():
        raise UsageError(gettext("{file} is not a file", file=file))
    layout: DocumentLayout = UnreadText("only the text of a PDF is read")
    try:
        if file.suffix.lower() == ".pdf":
            layout = read_layout(file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file}: {translate(error.strerror)}") from None
    except PdfError as error:
        if error.problem is PdfProblem.DAMAGED:  # the platform would store it, and refuse the draft without a reason
            raise UsageError(f"{file}: {translate(error)}") from None
        text = gettext("warning: no keyword can be found in {file}: {reason}", file=file, reason=translate(error))
        print_line(Console(stderr=True), text, style="yellow")
        layout = UnreadText(str(error))
    except ModuleNotFoundError:
        layout = UnreadText("install kfq-async[pdf]")
    return UploadedDocument(doc_id=LOCAL_ID, name=file.stem, layout=layout)
