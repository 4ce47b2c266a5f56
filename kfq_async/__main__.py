"""``python -m kfq_async`` is the command ``kfq``."""

from kfq_async.cli import main

main()
