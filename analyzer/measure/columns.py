"""How the columns of both endpoints lie in the flow table."""

from __future__ import annotations

from analyzer.layout import ENDPOINT_SIZE, HEAD_SIZE
from analyzer.model import Column


def endpoint_column(flows: Column, field: int) -> Column:
    """One field of both endpoints, client first: a copy of shape (flows, 2)."""
    return flows[:, [HEAD_SIZE + field, HEAD_SIZE + ENDPOINT_SIZE + field]]
