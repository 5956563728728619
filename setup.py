"""Build of the compiled kernels in `gatekeep/_fast`.

One variable chooses how: ``GATEKEEP_BUILD=release`` (default), ``trace`` (line
coverage of the .pyx) or ``sanitize`` (AddressSanitizer and UBSan).
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

MODE = os.environ.get("GATEKEEP_BUILD", "release")
FLAGS = {
    # Never -Ofast (it changes floating point) and never -s (crashes need symbols).
    "release": (["-O2", "-g", "-fno-strict-overflow", "-fstack-protector-strong",
                 "-Wall", "-Wno-unused-function"], []),
    "trace": (["-Og", "-g3", "-UNDEBUG", "-DCYTHON_TRACE=1"], []),
    "sanitize": (["-O1", "-g3", "-UNDEBUG", "-fsanitize=address,undefined",
                  "-fno-omit-frame-pointer"], ["-fsanitize=address,undefined"]),
}  # fmt: skip
if MODE not in FLAGS:
    raise SystemExit(f"GATEKEEP_BUILD={MODE}: expected one of {', '.join(FLAGS)}")
compile_args, link_args = FLAGS[MODE]

setup(
    ext_modules=cythonize(
        [
            Extension(
                f"gatekeep._fast.{source.stem}",
                [str(source)],
                extra_compile_args=compile_args,
                extra_link_args=link_args,
            )
            for source in sorted(Path("gatekeep/_fast").glob("*.pyx"))
        ],
        # The trace build needs the C beside its .pyx, or coverage cannot pair them.
        build_dir=None if MODE == "trace" else f"build/cython-{MODE}",
        compiler_directives={
            "language_level": 3,
            "autotestdict": False,
            "binding": True,
            "embedsignature": False,
            "boundscheck": True,
            "wraparound": False,
            "initializedcheck": True,
            "linetrace": MODE == "trace",
        },
    ),
)
