"""The report of a run: one HTML page that needs no network. `python -m verl_ext.report RUN` writes RUN/report.html.

A row flows: run.py (what the folder holds) → panels.py, plots.py (charts) and examples.py, pictures.py → page.py.
"""

from __future__ import annotations

from verl_ext.report.page import write_report

__all__ = ["write_report"]
