"""Errors of the package: files that cannot be read, and positions that the platform refuses."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["PdfError", "PdfProblem", "PositionRefused", "Refusal"]


class PdfProblem(StrEnum):
    """Reason why a PDF cannot be read.

    Attributes:
        DAMAGED: The file is not a PDF, or its structure is broken.
        ENCRYPTED: The file is encrypted.
        TOO_LARGE: Reading the file would exceed a limit of `Limits`.
    """

    DAMAGED = "damaged"
    """The file is not a PDF, or its structure is broken."""
    ENCRYPTED = "encrypted"
    """The file is encrypted."""
    TOO_LARGE = "too_large"
    """Reading the file would exceed a limit of `Limits`."""


class PdfError(ValueError):
    """A PDF cannot be read. The text never repeats content of the file.

    Attributes:
        problem: Kind of the problem.
    """

    problem: PdfProblem
    """Kind of the problem."""

    def __init__(self, text: str, problem: PdfProblem = PdfProblem.DAMAGED) -> None:
        super().__init__(text, problem)
        self.problem = problem

    def __str__(self) -> str:
        return str(self.args[0])


class Refusal(StrEnum):
    """Form in which the platform refuses a position (protocol sections 1.5, 2.3 and 4.0).

    Attributes:
        BUSINESS: Envelope A with code 31000.
        INTERNAL: Envelope B with code 500.
        UNHANDLED: The hidden error page (401), or envelope A with code ``null`` if the call names an
            ``operatorAccount``.
        code: Error code of the response; 401 for the hidden error page.
    """

    BUSINESS = "business"
    """Envelope A with code 31000."""
    INTERNAL = "internal"
    """Envelope B with code 500."""
    UNHANDLED = "unhandled"
    """The hidden error page (401), or envelope A with code ``null`` if the call names an ``operatorAccount``."""

    @property
    def code(self) -> int:
        """Error code of the response; 401 for the hidden error page."""
        return {Refusal.BUSINESS: 31_000, Refusal.INTERNAL: 500}.get(self, 401)


class PositionRefused(ValueError):
    """The platform refuses a position, a page list or a keyword.

    Attributes:
        refusal: Form of the platform's refusal.
        field: Name of the field at fault on the wire, such as ``pageConfig``.
        code: Error code of the response; 401 for the hidden error page.
    """

    refusal: Refusal
    """Form of the platform's refusal."""
    field: str
    """Name of the field at fault on the wire, such as ``pageConfig``."""

    def __init__(self, field: str, text: str, refusal: Refusal = Refusal.BUSINESS) -> None:
        super().__init__(field, text, refusal)
        self.field = field
        self.refusal = refusal

    def __str__(self) -> str:
        return f"{self.args[0]} {self.args[1]}"

    @property
    def code(self) -> int:
        """Error code of the response; 401 for the hidden error page."""
        return self.refusal.code
