"""Columns as numpy arrays, and what is asked of them again and again.

Without the parts of numpy that take long to import: a small capture is analysed in less time than they take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Column = NDArray[np.int64]
    Narrow = NDArray[np.int8]  # of what is long and has few values
    Short = NDArray[np.int32]  # counts
    Mask = NDArray[np.bool_]
else:
    Column = Narrow = Short = Mask = Any


# Odd, and nothing else is asked of it (Knuth, TAOCP 6.4, multiplicative hashing).
FACTOR = -7046029254386353131
PLACE_BITS = 32
FEW = 16  # values, of which comparing with each is faster than looking them up


def distinct(values: Column) -> Column:
    """Each value once, in order: numpy's unique() imports masked arrays, which takes longer than a small capture."""
    import numpy as np

    ordered = np.sort(values)
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return np.asarray(ordered[first])


def mixed(a: Column, b: Column) -> Column:
    """One number of two, row by row: the same for the same two, a hash."""
    import numpy as np

    with np.errstate(over="ignore"):
        both = (a * FACTOR ^ b) * FACTOR
    return np.asarray(both ^ both >> 29)


def in_order(numbers: Column | Short) -> Column:
    """The places of these numbers, none below 0, from the lowest on, equal ones as they were: a stable argsort().

    Sorting values, with the place in the lower half of each, is several times faster.
    """
    import numpy as np

    places = numbers.astype(np.int64) << PLACE_BITS
    places |= np.arange(len(places))
    places.sort()
    places &= (1 << PLACE_BITS) - 1
    return places


def are_among(values: Column | Narrow, some: Column | Sequence[int]) -> Mask:
    """Which of these values are among some, for numbers of any size; numpy's isin() calls unique(), see `distinct`."""
    import numpy as np

    if len(some) <= FEW:
        among = np.zeros(np.shape(values), bool)
        for one in some:
            among |= values == one
        return among
    ordered = np.sort(some)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.asarray(ordered[place] == values)
