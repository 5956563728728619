"""Compiled kernels over buffers and integers; they decide nothing."""

import sys
from importlib.machinery import ModuleSpec


class _MissingKernel:
    """Asked last for a module that nobody found: says how to build it."""

    @staticmethod
    def find_spec(
        name: str, _path: object, _target: object = None
    ) -> ModuleSpec | None:
        """Raise `ImportError` for a missing kernel; leave every other name alone."""
        if name.startswith(f"{__name__}."):
            raise ImportError(
                f"the compiled module {name} is missing: with a C compiler at hand, run "
                "`make build`, or `pip install .`, in gatekeep's source directory",
                name=name,
            )
        return None


sys.meta_path.append(_MissingKernel)
