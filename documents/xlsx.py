"""Workbooks the system hands out. What people send in is read by `documents.workbooks`."""

from .xlsx_writing import Column, ColumnKind, Content, WorksheetPlan, write

__all__ = [
    "Column",
    "ColumnKind",
    "Content",
    "WorksheetPlan",
    "write",
]
