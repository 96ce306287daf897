"""A package `qemu-guest-agent` for the tests' mirror: Debian's real agent with the libraries that it needs, below a prefix of its own
with its own dynamic linker, and a service of OpenRC."""

import pathlib
import re
import subprocess

PREFIX = "usr/lib/qemu-guest-agent"
AGENT = "/usr/sbin/qemu-ga"

SERVICE = b"""#!/sbin/openrc-run
description="QEMU guest agent"
command=/usr/bin/qemu-ga
pidfile=/run/qemu-ga.pid
command_background=true

depend() {
	need dev
	after modules localmount bootmisc networking
}

start_pre() {
	local port
	for port in /sys/class/virtio-ports/*; do
		if [ "$(cat "$port/name" 2>/dev/null)" = org.qemu.guest_agent.0 ]; then
			command_args="--method=virtio-serial --path=/dev/${port##*/}"
			return 0
		fi
	done
	eerror "this machine has no port for the agent"
	return 1
}
"""


def files():
    """{path: bytes} of the package."""
    found = {f"{PREFIX}/qemu-ga": pathlib.Path(AGENT).read_bytes()}
    listing = subprocess.run(["ldd", AGENT], check=True, capture_output=True, text=True).stdout
    for library in re.findall(r"(/\S+)", listing):
        found[f"{PREFIX}/{pathlib.Path(library).name}"] = pathlib.Path(library).read_bytes()
    linker = next(pathlib.PurePath(name).name for name in found if "/ld-linux" in name)
    found["usr/bin/qemu-ga"] = f'#!/bin/sh\nexec /{PREFIX}/{linker} --library-path /{PREFIX} /{PREFIX}/qemu-ga "$@"\n'.encode()
    found["etc/init.d/qemu-guest-agent"] = SERVICE
    return found


def publish(repository):
    """Makes the repository consist of it."""
    repository.publish(("qemu-guest-agent", "7.2-r0", "", files()))
