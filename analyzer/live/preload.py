"""What a live analysis imports and reads at first need, done before the rights go.

An installation of root's own is closed to the user that the analysis goes on as. The list is kept true by a test that
analyses every recording with all that is installed closed.
"""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "analyzer.diagnose.errors_on_path",
    "analyzer.diagnose.heard",
    "analyzer.host.diag",
    "analyzer.host.owners",
    "analyzer.host.procfs",
    "analyzer.kernels.sources",
    "analyzer.report.csv",
    "analyzer.model.sockets",
    "analyzer.report.event_lines",
    "analyzer.report.held",
    "analyzer.report.json",
    "analyzer.report.text",
    "analyzer.track.archive",
    "analyzer.track.renumber",
    "analyzer.track.roles",
    "linecache",  # with the next: what tells of errors that nobody expects
    "traceback",
    "mmap",  # numpy's, for what left memory
    "tempfile",
    "numpy.ma",  # numpy's, for unique()
)


def preload() -> None:
    """Import what is imported late, and read the tables of what is known."""
    from analyzer.diagnose.registry import load_rules
    from analyzer.knowledge.matching import middleboxes, profiles

    for name in MODULES:
        import_module(name)
    load_rules()
    profiles()
    middleboxes()
