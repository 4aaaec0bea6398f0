"""Which kernels, threads and ways of reading text this process really uses: a variable may have no effect."""

import locale
import platform
import sys
import time
from typing import Any

import numba
import numpy  # noqa: F401 (brings an OpenBLAS)
import numpy._core._multiarray_umath as simd
import scipy.linalg  # noqa: F401 (brings another)
import threadpoolctl
import torch


def machine(found: dict[str, Any]) -> str:
    """A run's machine in words, from its `kernels`."""
    return ", ".join(one for one in (found["processor"], found["torch"], found["card"]) if one)


def kernels() -> dict[str, Any]:
    """Everything that a row of the matrix may change, as this process sees it."""
    pools = threadpoolctl.threadpool_info()
    return {
        "processor": torch.cpu.get_capabilities().get("cpu_name", platform.machine()),
        "card": torch.cuda.get_device_name() if torch.cuda.is_available() else "",
        "openblas": sorted({one["architecture"] for one in pools if one["internal_api"] == "openblas"}),
        "threads": [torch.get_num_threads(), *(one["num_threads"] for one in pools if one["user_api"] == "blas")],
        "torch": torch.backends.cpu.get_cpu_capability(),
        "numpy": [name for name in simd.__cpu_dispatch__ if simd.__cpu_features__[name]],
        "numba": numba.config.CPU_NAME or "this processor",
        "hashes": hash("text"),
        "asserts": not sys.flags.optimize,
        "encoding": locale.getpreferredencoding(False),
        "zone": time.tzname[0],
    }
