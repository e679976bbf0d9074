"""Settings that all tests share."""

from __future__ import annotations

import os

import pytest
from compiled_kernels import compiled_once
from hypothesis import settings

from analyzer.kernels import Kernels

pytest.register_assert_rewrite("observe")

# The same examples every time, so that a red run means a change; `HYPOTHESIS_PROFILE=long` goes looking for more.
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=120)
settings.register_profile("long", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def compiled() -> Kernels:
    """The kernels as machine code."""
    pytest.importorskip("numba")
    return compiled_once()
