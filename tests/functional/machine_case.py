"""What tests of machines share."""

import json
import pathlib
import subprocess

import agent_package
from apk_repository import Repository
from harness import PROGRAM, RELEASE, SOURCE, Mirror, generic_kernel, wait_for


def is_alive(pid):
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def build_with_agent(case, name, *words):
    """Builds a recipe of this repository for a class of tests, with the guest agent, a kernel that knows what machines have, and memory for it."""
    mirror = Mirror(case.scratch, "--kernel-from", generic_kernel())
    case.addClassCleanup(mirror.close)
    extra = Repository(mirror.folder / f"v{RELEASE}" / "extra")
    agent_package.publish(extra)
    case.run_imgforge("key", "generate", "machines@test", "--no-passphrase").check_returncode()
    recipe = case.served_copy(SOURCE / "recipes" / f"{name}.yaml", mirror)
    text = recipe.read_text()
    switch = "" if "agent: true\n" in text or "qemu-guest-agent" in text else "agent: true\n"
    recipe.write_text(text.replace("packages:\n", f"{switch}packages:\n  repositories: [main, extra]\n"
                                   f'  keys: ["{mirror.key}", "{extra.key}"]\n', 1))
    result = case.run_imgforge("build", recipe, *words, "--mirror", mirror.url(), "--set", f"base.alpine.release={RELEASE}",
                               "--set", "requirements.memory=384M", timeout=1400)
    if result.returncode != 0:
        raise AssertionError(result.stderr)


class MachineCase:
    """Machines of a test's own home."""

    @property
    def machines(self):
        return self.home / ".local" / "state" / "imgforge" / "machines"

    def vm(self, *words, **options):
        return self.ok("vm", *words, **options)

    def vm_fails(self, code, *words, **options):
        return self.fails(code, "vm", *words, **options)

    def start_vm(self, *words, **options):
        """The command, still running."""
        process = subprocess.Popen([PROGRAM, "--output-dir", self.out, "vm", *map(str, words)], env=self.environment(),
                                   stdin=options.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, **options)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    def state(self, name):
        rows = json.loads(self.vm("list", "--json").stdout)["machines"]
        return next((row["state"] for row in rows if row["name"] == name), None)

    def status(self, name):
        return json.loads(self.vm("show", name, "--json").stdout)["status"]

    def assert_stopped_and_whole(self, name):
        """It is said to be stopped, no process of it is there, and its disk is good."""
        # Of a QEMU that was killed the first thread may be gone while another one still has the disk open.
        wait_for(lambda: self.state(name) != "running", "it runs on", 20)
        self.assertEqual(self.state(name), "stopped")
        subprocess.run(["qemu-img", "check", "-q", self.machines / name / "disk.qcow2"], check=True)

    def remove_all(self):
        for folder in self.machines.glob("*") if self.machines.exists() else []:
            self.run_imgforge("vm", "remove", folder.name, "--kill")
