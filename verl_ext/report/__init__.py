"""Pages of runs that need no network: `python -m verl_ext.report RUN`, or RUN RUN … to compare.

A run flows: load.py (run.py, trackers.py: what there is) → panels.py, phases.py (charts, drawn by plots.py),
settings.py, examples.py, pictures.py → page.py for one run, compare.py (with paired.py) for several; png.py: the charts
as pictures.
"""

from __future__ import annotations

from verl_ext.report.compare import write_comparison
from verl_ext.report.page import write_report

__all__ = ["write_comparison", "write_report"]
