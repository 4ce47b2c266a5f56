"""Languages of the command line, of output files and of reports; the texts of exceptions stay English."""

from __future__ import annotations

from kfq_async.languages.catalogue import (
    LANGUAGES,
    Catalogue,
    Language,
    catalogue_for,
    current_language,
    gettext,
    language_of_environment,
    ngettext,
    set_language,
    translate,
    use_language,
)

__all__ = [
    "LANGUAGES",
    "Catalogue",
    "Language",
    "catalogue_for",
    "current_language",
    "gettext",
    "language_of_environment",
    "ngettext",
    "set_language",
    "translate",
    "use_language",
]
