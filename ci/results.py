#!/usr/bin/env python3
"""Sums up runs of ctest: results.py TESTS.json RUN.xml... [--need LABEL]...

TESTS.json is what `ctest --show-only=json-v1` prints, the others are written by `ctest --output-junit`. The last line is ctest's count
for all of them together. With --need, at least one test that has such a label must have passed: a run in which all of
them were skipped proves nothing. Ends with 1 when a test failed or none of the needed ones passed."""

import argparse
import json
import sys
import xml.etree.ElementTree


def labels_of(tests):
    """Labels of each test by its name."""
    found = {}
    for test in tests["tests"]:
        values = [row["value"] for row in test.get("properties", []) if row["name"] == "LABELS"]
        found[test["name"]] = {label for value in values for label in value}
    return found


def outcomes(run):
    """Pairs of name and outcome of one run. A test whose program is missing counts as failed, as ctest sees it."""
    for case in run.iter("testcase"):
        status = case.get("status")
        skipped = case.find("skipped")
        if status == "run":
            yield case.get("name"), "passed"
        elif status == "disabled" or status == "notrun" and skipped is not None and skipped.get("message", "").startswith("SKIP_"):
            yield case.get("name"), "skipped"
        else:
            yield case.get("name"), "failed"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tests")
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--need", action="append", default=[])
    options = parser.parse_args()
    with open(options.tests) as file:
        labels = labels_of(json.load(file))
    rows = [row for run in options.runs for row in outcomes(xml.etree.ElementTree.parse(run))]
    count = {outcome: sum(row[1] == outcome for row in rows) for outcome in ("passed", "failed", "skipped")}
    proved = {label for name, outcome in rows if outcome == "passed" for label in labels.get(name, ())}
    refused = bool(options.need) and proved.isdisjoint(options.need)
    if refused:
        print(f"no test of these labels passed: {', '.join(options.need)}; this run proves nothing about images", file=sys.stderr)
        sys.stderr.flush()
    total = len(rows)
    percent = 100 * (total - count["failed"]) // max(total, 1)
    # As ctest says it of one run.
    print(f"{percent}% tests passed, {count['failed']} tests failed out of {total} ({count['skipped']} skipped)")
    return 1 if refused or count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
