"""Memory of a process, as Linux counts it."""

from pathlib import Path


def forget_peak(process: int | str = "self") -> None:
    """Let the peak begin anew from what is in use now."""
    Path(f"/proc/{process}/clear_refs").write_text("5")


def in_use(process: int | str = "self") -> float:
    """Resident megabytes."""
    return _megabytes("VmRSS", process)


def peak(process: int | str = "self") -> float:
    """Most resident megabytes since `forget_peak`."""
    return _megabytes("VmHWM", process)


def _megabytes(key: str, process: int | str) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return float(status.split(f"{key}:")[1].split()[0]) / 1024
