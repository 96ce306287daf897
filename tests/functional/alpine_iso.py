"""An ISO image laid out as Alpine's, and the entry of it in a mirror's release file."""

import hashlib
import re
import shutil


def add_release(mirror, flavor, image, release="v3.19", version="3.19.4", arch="x86_64"):
    """Puts `image` into the mirror as that flavor of the release, with the digests that belong to it."""
    folder = mirror / release / "releases" / arch
    name = f"alpine-{flavor}-{version}-{arch}.iso"
    shutil.copyfile(image, folder / name)
    data = image.read_bytes()
    digests = {h: hashlib.new(h, data).hexdigest() for h in ("sha256", "sha512")}
    for algorithm, digest in digests.items():
        (folder / f"{name}.{algorithm}").write_text(f"{digest}  {name}\n")
    listing = folder / "latest-releases.yaml"
    entries = re.split(r"^-\n", listing.read_text(), flags=re.M)
    entries = [entry for entry in entries if f"flavor: alpine-{flavor}\n" not in entry]
    entries.append(f"  title: \"{flavor}\"\n  branch: {release}\n  arch: {arch}\n  version: {version}\n"
                   f"  flavor: alpine-{flavor}\n  file: {name}\n  iso: {name}\n  size: {len(data)}\n"
                   f"  sha256: {digests['sha256']}\n  sha512: {digests['sha512']}\n")
    listing.write_text("-\n".join(entries))
