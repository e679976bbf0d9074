"""What is asked of columns again and again, without the parts of numpy that take long to import."""

from __future__ import annotations

import numpy as np

from analyzer.model.columns import Column, Mask


def distinct(values: Column) -> Column:
    """Each value once, in order: numpy's unique() imports masked arrays, which takes longer than a small capture."""
    ordered = np.sort(values)
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return np.asarray(ordered[first])


def are_among(values: Column, some: Column) -> Mask:
    """Which of these values are among some, for numbers of any size; see `distinct`."""
    ordered = np.sort(some)
    if not len(ordered):
        return np.zeros(len(values), bool)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.asarray(ordered[place] == values)
