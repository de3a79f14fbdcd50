"""Workbooks, in and out: `read` what people upload, `write` what the system hands out."""

from .xlsx_package import WorkbookRefused
from .xlsx_reading import Cell, Row, Sheet, read
from .xlsx_writing import Column, ColumnKind, Content, WorksheetPlan, write

__all__ = [
    "Cell",
    "Column",
    "ColumnKind",
    "Content",
    "Row",
    "Sheet",
    "WorkbookRefused",
    "WorksheetPlan",
    "read",
    "write",
]
