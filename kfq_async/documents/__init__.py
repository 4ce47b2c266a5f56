"""PDFs of contracts: pages, hits of keywords, and where marks land, as the platform computes them (extra ``pdf``)."""

from kfq_async.documents.attachments import attach
from kfq_async.documents.inspection import (
    KeywordOccurrence,
    KeywordProblem,
    KeywordReport,
    ProblemKind,
    inspect_keyword,
)
from kfq_async.documents.keywords import KeywordHit, find_keyword, text_runs
from kfq_async.documents.layout import TextLayout, UnreadText, read_layout
from kfq_async.documents.marks import (
    ControlBox,
    Mark,
    MarkImage,
    PositionFields,
    box_beside,
    fraction_at,
    mark_of,
    place,
)
from kfq_async.documents.pages import select_pages
from kfq_async.documents.pdf import Limits, PdfDocument, PdfPage, Point, Rect, open_pdf, page_count
from kfq_async.documents.prediction import DraftMark, predict, predict_draft
from kfq_async.documents.refusals import PdfError, PdfProblem, PositionRefused, Refusal
from kfq_async.documents.runs import TextRun

__all__ = [
    "ControlBox",
    "DraftMark",
    "KeywordHit",
    "KeywordOccurrence",
    "KeywordProblem",
    "KeywordReport",
    "Limits",
    "Mark",
    "MarkImage",
    "PdfDocument",
    "PdfError",
    "PdfPage",
    "PdfProblem",
    "Point",
    "PositionFields",
    "PositionRefused",
    "ProblemKind",
    "Rect",
    "Refusal",
    "TextLayout",
    "TextRun",
    "UnreadText",
    "attach",
    "box_beside",
    "find_keyword",
    "fraction_at",
    "inspect_keyword",
    "mark_of",
    "open_pdf",
    "page_count",
    "place",
    "predict",
    "predict_draft",
    "read_layout",
    "select_pages",
    "text_runs",
]
