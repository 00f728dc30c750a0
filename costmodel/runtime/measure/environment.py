"""The environment of a measurement: machine, versions, load, allocator.

Measured seconds mean nothing without it. PyTorch is not imported here: the caller
passes it in, and rows of a file are read without it.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which
from typing import Any


ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(2**28),
}
"""What keeps glibc from returning large blocks to the system, which would map them and
fault in every page again and again. Read once, when a process starts."""

_LANES = (("avx512f", 16), ("avx2", 8), ("asimd", 4))
"""Flag of a CPU's vector instruction set, and its float32 lanes."""

_SIGNS = ("avx2", "avx512f", "avx512_bf16", "avx_vnni", "amx_tile", "asimd", "sve")
"""Instruction sets by which PyTorch chooses its kernels."""

_WATCHED = "clocks.sm,power.draw,temperature.gpu"


def stamp(
    torch: Any = None, *, device: str = "cpu", threads: int = 1
) -> dict[str, Any]:
    """Return the stamp of this moment as plain values; ``torch`` is the module, if any.

    **Units**: bytes of memory and caches, runnable processes (load).
    """
    flags = cpu_flags()
    found = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(),
        "isa": [sign for sign in _SIGNS if sign in flags],
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_bytes": _memory_bytes(),
        "cache_bytes": _cache_bytes(),
        "system": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "allocator": {name: os.environ.get(name) for name in ALLOCATOR},
        "versions": versions(),
    }
    if torch is not None:
        found["torch"] = _about_torch(torch)
        if device == "cuda":
            found["gpu"] = {**_about_gpu(torch), **gpu_state()}
    return found


def versions() -> dict[str, str]:
    """Return the versions of installed packages that a measurement depends on."""
    found = {"python": platform.python_version()}
    for name in ("costmodel", "torch", "numpy", "sympy", "torchvision", "timm"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def machine(values: Mapping[str, Any]) -> str:
    """Return what identifies the machine of a stamp.

    >>> machine({"cpu": "A CPU", "cores": 2, "isa": ["avx2"]})
    'A CPU, 2 cores, avx2'
    """
    gpu = values.get("gpu", {}).get("name")
    if gpu:
        return str(gpu)
    isa = " ".join(values.get("isa", ()))
    return ", ".join(
        filter(None, [str(values["cpu"]), f"{values['cores']} cores", isa])
    )


def lanes(flags: frozenset[str] | None = None) -> int:
    """Return the float32 lanes of a vector register, 1 where none is known.

    >>> lanes(frozenset({"avx2", "avx512f"})), lanes(frozenset({"avx2"}))
    (16, 8)
    """
    known = cpu_flags() if flags is None else flags
    return next((count for sign, count in _LANES if sign in known), 1)


def is_quiet(environment: Mapping[str, str] | None = None) -> bool:
    """Say whether the allocator keeps large blocks: set to, or not glibc's."""
    given = os.environ if environment is None else environment
    if platform.libc_ver()[0] != "glibc":
        return True
    return all(name in given for name in ALLOCATOR)


def cpu_model() -> str:
    """Return what the system calls its CPU."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def cpu_flags() -> frozenset[str]:
    """Return the instruction sets of the CPU, as Linux names them."""
    return frozenset((_cpuinfo("flags") or _cpuinfo("Features")).split())


def gpu_state() -> dict[str, float]:
    """Return clock, power and temperature of the first GPU; nothing without nvidia-smi.

    **Units**: MHz, watts, degrees Celsius.
    """
    tool = which("nvidia-smi")
    if tool is None:
        return {}
    command = [tool, "--id=0", f"--query-gpu={_WATCHED}",
               "--format=csv,noheader,nounits"]  # fmt: skip
    try:
        text = subprocess.run(  # noqa: S603 - the driver's own tool
            command, capture_output=True, text=True, check=True, timeout=10
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    found: dict[str, float] = {}
    for name, value in zip(("sm_mhz", "power_w", "celsius"), text.split(",")):
        with suppress(ValueError):  # "[N/A]"
            found[name] = float(value)
    return found


def _cpuinfo(key: str) -> str:
    """Return a value of /proc/cpuinfo, of the first core; empty where there is none."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return ""


def _memory_bytes() -> int | None:
    with suppress(ValueError, OSError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _cache_bytes() -> dict[str, int]:
    """Return what the C library says of the CPU's caches, by level."""
    found: dict[str, int] = {}
    for level in ("L1_DCACHE", "L2_CACHE", "L3_CACHE"):
        name = f"SC_LEVEL{level[1]}{level[2:]}_SIZE"
        with suppress(ValueError, OSError, AttributeError):
            size = os.sysconf(name)
            if size > 0:
                found[level[:2]] = size
    return found


def _about_torch(torch: Any) -> dict[str, Any]:
    """Return how PyTorch was built and is set up."""
    return {
        "version": str(torch.__version__),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "mkldnn": bool(torch.backends.mkldnn.is_available()),
        "mkl": bool(torch.backends.mkl.is_available()),
        "cuda": torch.version.cuda,
        "threads": torch.get_num_threads(),
    }


def _about_gpu(torch: Any) -> dict[str, Any]:
    about = torch.cuda.get_device_properties(0)
    return {
        "name": about.name,
        "capability": f"{about.major}.{about.minor}",
        "multiprocessors": about.multi_processor_count,
        "memory_bytes": about.total_memory,
        "l2_bytes": getattr(about, "L2_cache_size", None),
        "cudnn": torch.backends.cudnn.version(),
    }
