#!/usr/bin/env python3
"""Every command of the program and every exit code stands in README.md, and the generated pages of recipes/
are what the program prints."""

import pathlib
import re
import subprocess
import sys

root, program = pathlib.Path(sys.argv[1]), sys.argv[2]
readme = (root / "README.md").read_text()


def output(*args):
    return subprocess.run([program, *args], check=True, capture_output=True, text=True).stdout


problems = []
commands = re.findall(r"^  (\w+) +\w", output("help"), re.M)
if len(commands) < 5:
    problems.append("imgforge help lists too few commands to be true")
for command in commands:
    if f"imgforge {command}" not in readme:
        problems.append(f"README.md does not mention `imgforge {command}`")
    help_text = subprocess.run([program, command, "--help"], capture_output=True, text=True)
    if help_text.returncode != 0:
        problems.append(f"imgforge {command} --help fails")
    elif not re.search(rf"^examples?:(?s:.*)imgforge {command}", help_text.stdout, re.M | re.I):
        problems.append(f"imgforge {command} --help has no example")
for topic, page in (("recipe-reference", "README.md"), ("recipe-schema", "imgforge.schema.json")):
    if output("help", topic) != (root / "recipes" / page).read_text():
        problems.append(f"recipes/{page} is stale: imgforge help {topic} > recipes/{page}")
for match in re.finditer(r"\]\((?!https?:)([^)#]+)", readme):
    if not (root / match.group(1)).exists():
        problems.append(f"README.md links to {match.group(1)}, which is not there")
print("\n".join(problems) or f"{len(commands)} commands are documented")
sys.exit(1 if problems else 0)
