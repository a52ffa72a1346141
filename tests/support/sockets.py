"""Which addresses a process listens on, by the tables of the kernel."""

from __future__ import annotations

import ipaddress
from pathlib import Path

LISTEN = "0A"


def listening(pid: int) -> set[tuple[str, int]]:
    """Address and port of every TCP socket on which a process listens."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN and fields[9] in inodes:
                address, _, port = fields[1].partition(":")
                found.add((str(readable(address)), int(port, 16)))
    return found


def readable(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address of the kernel's table: words of four bytes, each the wrong way round.

    >>> readable("0100007F"), readable("00000000000000000000000001000000")
    (IPv4Address('127.0.0.1'), IPv6Address('::1'))
    """
    raw = bytes.fromhex(address)
    packed = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return ipaddress.ip_address(packed)
