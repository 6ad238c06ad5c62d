#!/usr/bin/env python3
"""Figures about the code, beside those of codebases that we admire. A report, no gate.

usage: measure.py [FOLDER...]     default: src and include
A function is what stands between a '{' and a '}' in the first column, which the house style gives.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BRANCH = re.compile(r"\b(if|for|while|case)\b|&&|\|\||\?")


def read(folders, pattern):
    return {p: p.read_text(errors="replace") for folder in folders
            for p in sorted((ROOT / folder).rglob(pattern))}


def functions(text):
    """Yields (lines, branches, parameters) of each function."""
    head = r"\n[^\n{};#/][^{};#]*?\(([^{};#]*)\)[^{};#()]*"
    for m in re.finditer(head + r"\n\{\n(.*?)\n\}", text, re.S):
        body = re.sub(r'//[^\n]*|"(?:\\.|[^"\\])*"', "", m.group(2))
        parameters = 0 if m.group(1).strip() == "void" else m.group(1).count(",") + 1
        yield m.group(2).count("\n") + 1, 1 + len(BRANCH.findall(body)), parameters


def percentile(values, p):
    return sorted(values)[min(len(values) - 1, int(len(values) * p / 100))] if values else 0


def row(name, value, target):
    print(f"{name:30}{value:>20}   {target}")


def spread(values, *points):
    return " / ".join(str(percentile(values, p)) for p in points)


def line_counts(texts):
    return [len(text.splitlines()) for text in texts.values()] or [0]


def main():
    folders = sys.argv[1:] or ["src", "include"]
    sources, headers = read(folders, "*.c"), read(folders, "*.h")
    texts = {**sources, **headers}
    found = [f for text in texts.values() for f in functions("\n" + text)]
    lengths, branches, parameters = zip(*found) if found else ([0], [0], [0])
    lines = [line.strip() for text in texts.values() for line in text.splitlines()]
    comments = sum(line.startswith("//") for line in lines)
    code = [line for line in lines if line and not line.startswith("//")]
    asserts = sum(line.count("ASSERT(") for line in code)
    outer = [line for path, text in texts.items() if not {"os", "kern", "defs"} & set(path.parts)
             for line in text.splitlines()]
    switches = sum(bool(re.match(r"#\s*if(?!ndef HEARTH_)", line)) for line in outer)
    tests = sum(line_counts(read(["tests"], "*.[ch]")))

    print(f"{len(sources)} sources, {len(headers)} headers, {len(lines):,} lines, "
          f"{len(found)} functions\n")
    row("function lines, 50/95/100 %", spread(lengths, 50, 95, 100), "median <= 15, p95 <= 60")
    row("branches + 1, 95/100 %", spread(branches, 95, 100), "<= 15")
    row("parameters, 95/100 %", spread(parameters, 95, 100), "<= 6, kernels exempt")
    row("lines of a .c, 50/100 %", spread(line_counts(sources), 50, 100), "median 150-400")
    row("lines of a .h, 50/100 %", spread(line_counts(headers), 50, 100), "<= 150")
    row("comment-only lines", f"{100 * comments / (len(lines) or 1):.0f} %", "15-25 %")
    row("asserts per 1,000 lines", f"{1000 * asserts / (len(code) or 1):.1f}", ">= 15")
    row("#if per 1,000 lines", f"{1000 * switches / (len(outer) or 1):.1f}",
        "<= 8 outside os/, kern/, defs/")
    row("test : code lines", f"{tests / (len(lines) or 1):.2f}", ">= 0.7")
    longest = sorted(texts, key=lambda path: -len(texts[path].splitlines()))[:5]
    print("\nlongest files:", ", ".join(f"{path.relative_to(ROOT)} "
          f"{len(texts[path].splitlines())}" for path in longest))


main()
