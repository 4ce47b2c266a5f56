"""The commands of ``kfq contract``."""

from __future__ import annotations

from cyclopts import App

from kfq_async.cli.contract.download import download
from kfq_async.cli.contract.draft import draft
from kfq_async.cli.contract.find import find
from kfq_async.cli.contract.link import link
from kfq_async.cli.contract.preview import preview
from kfq_async.cli.contract.recall import recall
from kfq_async.cli.contract.status import status
from kfq_async.cli.contract.wait import wait

__all__ = ["app"]

app: App = App(
    name="contract",
    help="""Draw a contract before it is sent, create it, and look at it afterwards.

    Exit status: 0 success, 1 the call failed, 2 usage error, 4 find finds nothing, 5 the contract has ended
    otherwise, 6 the contract is not complete yet, 7 the contract is stuck, 8 a change may have taken effect, so look at
    the contract before you repeat it, 130 interrupted.
    """,
)
app.command(find)
app.command(preview)
app.command(draft)
app.command(status)
app.command(link)
app.command(wait)
app.command(recall)
app.command(download)
