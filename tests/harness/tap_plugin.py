"""A pytest plugin that prints TAP: one line a test, what went wrong as comments, the plan at the end."""

import sys

count = 0


def say(passed, name, directive=""):
    global count
    count += 1
    name = name.replace("#", "\\#")
    print(f"{'ok' if passed else 'not ok'} {count} - {name}{directive}", file=sys.__stdout__, flush=True)


def comment(text):
    for line in text.splitlines():
        print("# " + line, file=sys.__stdout__, flush=True)


def pytest_runtest_logreport(report):
    name = report.nodeid.split("::", 1)[-1]
    if report.failed:
        say(False, name if report.when == "call" else f"{name} ({report.when})")
        comment(report.longreprtext)
        for title, content in report.sections:
            comment(f"{title}\n{content}")
    elif report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "expected to fail"
        say(True, name, f" # SKIP {reason}")
    elif report.when == "call":
        say(True, name)


def pytest_collectreport(report):
    if report.failed:
        say(False, f"{report.nodeid} (collection)")
        comment(report.longreprtext)
    elif report.skipped:
        say(True, report.nodeid, f" # SKIP {report.longrepr[2]}")


def pytest_unconfigure():
    print(f"1..{count}" if count else "1..0 # SKIP no tests", file=sys.__stdout__, flush=True)
