"""PDFs of contracts: pages, hits of keywords, and where marks land, as the platform computes them (extra ``pdf``)."""

from kfq_async.documents.keywords import KeywordHit, find_keyword, text_runs
from kfq_async.documents.marks import ControlBox, Mark, MarkImage, PositionFields, fraction_at, mark_of, place
from kfq_async.documents.pages import select_pages
from kfq_async.documents.pdf import Limits, PdfDocument, PdfPage, Point, Rect, open_pdf, page_count
from kfq_async.documents.prediction import predict
from kfq_async.documents.refusals import PdfError, PdfProblem, PositionRefused, Refusal
from kfq_async.documents.runs import TextRun

__all__ = [
    "ControlBox",
    "KeywordHit",
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
    "Rect",
    "Refusal",
    "TextRun",
    "find_keyword",
    "fraction_at",
    "mark_of",
    "open_pdf",
    "page_count",
    "place",
    "predict",
    "select_pages",
    "text_runs",
]
