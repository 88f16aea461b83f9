#!/usr/bin/env python3
"""Compares the output of ginkgo with the expected results.

    compare.py EXPECTED TESTS OUTPUT            prints the differences and the sums
    compare.py EXPECTED TESTS OUTPUT --write    replaces EXPECTED by the results; a new failure gets the reason "?"

TESTS is the JSON report of a dry run, which names every test. OUTPUT is the output of the run, which names only the failures:
a run of many processes leaves no report. A test that skips itself is taken for one that passes, and counted.

A line of EXPECTED is a result (pass, fail or flaky), a reason and the name of a test, separated by tabs. A flaky test may
have either result.
"""

import collections
import json
import re
import sys


def read_expected(path):
    """Returns (result, reason) by name."""
    expected = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                result, reason, name = line.rstrip("\n").split("\t")
                expected[name] = (result, reason)
    return expected


def read_names(path):
    """Returns the name of each test of a dry run."""
    names = []
    with open(path, encoding="utf-8") as file:
        for suite in json.load(file):
            for test in suite["SpecReports"] or []:
                if test["LeafNodeType"] == "It" and test["State"] not in ("skipped", "pending"):
                    names.append(" ".join([*(test["ContainerHierarchyTexts"] or []), test["LeafNodeText"]]))
    return names


def read_output(names, path):
    """Returns pass or fail by name, and the number of tests that said nothing."""
    with open(path, encoding="utf-8", errors="replace") as file:
        output = file.read()
    failed = set()
    for line in re.findall(r"^\S*• \[[A-Z]+\] \[[\d.]+ seconds\]\n(.*)$", output, re.MULTILINE):
        # The labels follow the name, and the kind of the failed node stands within it.
        failed.add(re.sub(r"\[(It|BeforeEach|AfterEach|DeferCleanup)[^\]]*\] ", "", re.sub(r" \[sig-[^\]]*\]$", "", line)))
    unknown = failed - set(names)
    if unknown:
        sys.exit(f"the output has failures of unknown tests: {sorted(unknown)}")
    return {name: "fail" if name in failed else "pass" for name in names}, len(names) - output.count("•")


def write(path, expected, results):
    """Writes the results in the order of their names, and keeps the reasons and the head of the file."""
    with open(path, encoding="utf-8") as lines:
        head = [line for line in lines if line.startswith("#")]
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(head)
        for name, result in sorted(results.items()):
            before, reason = expected.get(name, (None, "?"))
            if before == "flaky":
                result = "flaky"
            elif result == "pass":
                reason = "-"
            elif reason == "-":
                reason = "?"
            file.write(f"{result}\t{reason}\t{name}\n")


def main():
    expected_path, names_path, output_path, *options = sys.argv[1:]
    expected = read_expected(expected_path)
    results, silent = read_output(read_names(names_path), output_path)
    if options == ["--write"]:
        write(expected_path, expected, results)
        expected = read_expected(expected_path)
    wrong = []
    for name, result in sorted(results.items()):
        wanted, reason = expected.get(name, ("nothing", "-"))
        if result == "fail" and wanted not in ("fail", "flaky"):
            wrong.append(f"fails, and {wanted} was expected: {name}")
        elif result == "fail" and reason in ("-", "?"):
            wrong.append(f"fails without a reason: {name}")
        elif result == "pass" and wanted in ("fail", "nothing"):
            print(f"passes, and {wanted} was expected: {name}")
    wrong += [f"did not run: {name}" for name in sorted(expected.keys() - results.keys())]
    print("\n".join(wrong), file=sys.stderr)
    reasons = collections.Counter(
        expected.get(name, ("", "?"))[1] for name, result in results.items() if result == "fail"
    )
    for reason, count in reasons.most_common():
        print(f"{count:4} fail: {reason}")
    passed = sum(result == "pass" for result in results.values()) - silent
    print(f"{silent} skip themselves, or did not run")
    print(f"{passed} of {len(results)} pass, {len(wrong)} not as expected")
    sys.exit(1 if wrong or not results else 0)


if __name__ == "__main__":
    main()
