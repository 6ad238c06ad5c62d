#!/usr/bin/env python3
"""Checks what a compiler does not: layout, banned functions, private headers, invisible characters.

usage: style.py     Prints FILE:LINE: complaint; exit status 1 when there is one.
"""
import pathlib
import re
import sys
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXT = {".c", ".h", ".py", ".sh", ".mjs", ".cmake", ".md", ".txt", ".rules", ".json", ".in"}
SKIP_DIRS = {"build", ".git", "corpus", "__pycache__", ".venv", "node_modules"}
BANNED = re.compile(r"\b(sprintf|vsprintf|strcpy|strcat|atoi|atol|atof|gets|alloca|strtok)\s*\(")
PLATFORM = re.compile(r"#\s*include\s*<(sys/|unistd|windows|pthread|fcntl|dirent|signal|poll|"
                      r"termios|spawn|sched|wasi/|psapi|bcrypt|io\.h|process\.h)")
# Written in halves, so that this file passes its own check.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
# Generated tables and vectors, documents, and scripts that only make vectors.
LONG_LINES = re.compile(r"_(table|vectors)\.h$|\.(md|txt|json|rules)$|^tests/.*\.py$")
PRIVATE = re.compile(r'#include "(\w+)/\w+_int\.h"')


def files():
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not SKIP_DIRS & set(parts[:-1]):
            golden_data = parts[:2] == ("tests", "golden") and path.suffix in (".txt", ".json")
            if (path.suffix in TEXT or path.name in ("Makefile", "run")) and not golden_data:
                yield path, "/".join(parts)


def strip_comments(text):
    """Blanks comments and string contents, keeping the lines."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m.group()) if m.group()[0] == "/" else '""'
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def is_invisible(char):
    return char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cn")


def check_line(name, line):
    if "\t" in line and not name.startswith("Makefile"):
        yield "tab"
    if line != line.rstrip():
        yield "trailing blank"
    if LONG_LINES.search(name) is None and len(line) > 100:
        yield f"{len(line)} columns, at most 100"
    if any(map(is_invisible, line)):
        yield "invisible or control character"
    if UNFINISHED.search(line):
        yield "unfinished work belongs in an issue"


def check_code(name, text):
    folder = name.split("/")[1] if name.startswith("src/") else "tests"
    for number, line in enumerate(strip_comments(text).split("\n"), 1):
        if m := BANNED.search(line):
            yield number, f"{m.group(1)} is banned"
        if PLATFORM.search(line) and name.startswith("src/") and folder != "os":
            yield number, "platform header outside os/"
    for number, line in enumerate(text.split("\n"), 1):
        if (m := PRIVATE.search(line)) and name.startswith("src/") and m.group(1) != folder:
            yield number, f"private header of {m.group(1)}/"


def main():
    complaints, by_name = [], {}
    for path, name in files():
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            complaints.append(f"{name}:1: not UTF-8")
            continue
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            complaints.append(f"{name}:{text.count(chr(10))}: not exactly one newline at the end")
        for number, line in enumerate(text.split("\n"), 1):
            complaints += [f"{name}:{number}: {what}" for what in check_line(name, line)]
        if path.suffix in (".c", ".h"):
            complaints += [f"{name}:{number}: {what}" for number, what in check_code(name, text)]
            other = by_name.setdefault(path.name, name)
            if other != name:
                complaints.append(f"{name}:1: {other} has the same file name")
    print(*complaints, f"style: {len(complaints)} complaints", sep="\n")
    sys.exit(bool(complaints))


main()
