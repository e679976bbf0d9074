"""Builds the kernels' shared library into the wheel, so that no user needs a compiler (hatchling's build hook)."""

from __future__ import annotations

import sys
import sysconfig
import tempfile
import types
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ENGINE = "analyzer/kernels/engine"


class KernelsHook(BuildHookInterface):  # type: ignore[type-arg]
    """A wheel for this kind of machine; one for all, which compiles at first use, where there is no C compiler."""

    def dependencies(self) -> list[str]:
        """A C compiler that pip installs, where the system has none."""
        return [] if self.target_name != "wheel" or self._building().compiler() else ["ziglang"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless the sources are used where they lie: then each state of them has machine code of its own."""
        if self.target_name != "wheel" or version == "editable":
            return
        building = self._building()
        self._folder = tempfile.TemporaryDirectory()
        library = Path(self._folder.name) / sys.modules["analyzer.kernels.engine.cache"].LIBRARY
        try:
            building.build(library)
        except ImportError as error:
            self.app.display_warning(f"a wheel without machine code: {error}")
            return
        build_data["force_include"][str(library)] = f"{ENGINE}/{library.name}"
        build_data["pure_python"] = False
        # Not of one Python: ctypes calls it.
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()

    def _building(self) -> Any:
        """Our module that compiles, without the rest of the package: what that imports is not installed here."""
        package = types.ModuleType("analyzer")
        package.__path__ = [str(Path(self.root) / "analyzer")]
        sys.modules.setdefault("analyzer", package)
        import analyzer.kernels.engine.building
        import analyzer.kernels.engine.cache

        return analyzer.kernels.engine.building
