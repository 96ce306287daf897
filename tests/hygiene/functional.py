#!/usr/bin/env python3
"""What makes functional tests slow, dependent on each other or never run: a file of tests that imports another one, sleep outside of
a loop that looks for something or kills at several moments, and tests that no line of tests/CMakeLists.txt names.
tests/functional/harness.py has wait_for, and CopyCase for tests that change what all of them need."""

import ast
import pathlib
import re
import sys

FOLDER = pathlib.Path(sys.argv[1]) / "tests" / "functional"


def has_tests(tree):
    return any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in ast.walk(tree))


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)


def sleeps(node, loop=None):
    """Lines of calls of time.sleep that neither look for something again (while) nor are steps of a series (for, below a second
    or as long as the series says)."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and ast.unparse(child.func) in ("time.sleep", "sleep"):
            step = loop is ast.For and not (isinstance(child.args[0], ast.Constant) and child.args[0].value >= 1)
            if not step and loop is not ast.While:
                yield child.lineno
        yield from sleeps(child, type(child) if isinstance(child, (ast.For, ast.While)) else loop)


def never_run(name, tree, lists):
    """Classes of tests that no test of ctest runs, in a file of which it runs chosen classes or nothing."""
    chosen = [words.split() for words in re.findall(rf"^imgforge_functional\({name}\b([^)]*)\)", lists, re.MULTILINE)]
    if any("CLASSES" not in words for words in chosen):
        return
    named = {word for words in chosen for word in words}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and has_tests(node) and node.name not in named:
            yield node.lineno, node.name


def main():
    lists = (FOLDER.parent / "CMakeLists.txt").read_text()
    trees = {path.stem: ast.parse(path.read_text()) for path in sorted(FOLDER.glob("*.py"))}
    tests = {name for name, tree in trees.items() if has_tests(tree)}
    problems = []
    for name, tree in trees.items():
        problems += [f"{name}.py:{line}: imports the tests of {module}.py" for line, module in imported(tree) if module in tests]
        problems += [f"{name}.py:{line}: no test in tests/CMakeLists.txt runs {found}" for line, found in never_run(name, tree, lists)]
        problems += [f"{name}.py:{line}: sleeps for a fixed time: wait_for what it waits for" for line in sleeps(tree)]
    print("\n".join(problems) or f"{len(tests)} files of functional tests stand on their own")
    return 1 if problems or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
