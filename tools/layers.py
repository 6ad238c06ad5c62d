#!/usr/bin/env python3
"""Checks which folder of src/ uses which, against tools/layers.rules.

usage: layers.py BUILD_DIR | layers.py --self-test
Symbols come from `nm -P` on the objects, grouped by folder; includes from the sources, because
types and inline functions leave no symbol. A cycle in the rules is an error too. A folder inside
another one counts for itself when it has a line of its own ("graph/op").
"""
import fnmatch
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def parse_rules(text):
    uses, libc, only = {}, {}, []
    for line in text.splitlines():
        head, _, tail = line.partition("#")[0].partition(":")
        words = head.split()
        if words[:1] == ["libc"]:
            libc.setdefault(words[1], set()).update(tail.split())
        elif words[:1] == ["only"]:
            only += [(pattern, words[1:]) for pattern in tail.split()]
        elif words:
            unknown = [m for m in tail.split() if m not in uses]
            if unknown:  # a line names only folders above it, so a cycle cannot be written
                raise ValueError(f"'{words[0]}' uses {unknown}, not declared above it: a cycle")
            uses[words[0]] = set(tail.split())
    return uses, libc, only


def folder_of(rules, path):
    """path below src/ -> the innermost folder that has a line"""
    parts = str(path).split("/")
    inner = "/".join(parts[:2])
    return inner if len(parts) > 2 and inner in rules[0] else parts[0]


def check_symbols(rules, objects):
    """objects: [(folder, file, defined names, used names)] -> complaints"""
    uses, libc, only = rules
    home = {name: folder for folder, _, defined, _ in objects for name in defined}
    for folder, file, _, used in objects:
        for name in sorted(used):
            owner = home.get(name)
            if owner:
                if owner != folder and owner not in uses.get(folder, ()):
                    yield f"{file}: uses '{name}' of {owner}/, which {folder}/ may not"
                continue
            if folder in libc and name not in libc[folder]:
                yield f"{file}: uses '{name}', which {folder}/ may not take from outside the tree"
            for pattern, folders in only:
                if fnmatch.fnmatchcase(name, pattern) and folder not in folders:
                    yield f"{file}: uses '{name}', reserved to {', '.join(folders) or 'nobody'}"


def check_includes(rules, sources):
    """sources: [(folder, file, text)] -> complaints"""
    for folder, file, text in sources:
        if folder not in rules[0]:
            yield f"{file}: folder '{folder}' has no line in layers.rules"
        included = re.findall(r'^#include "(\w+/[^"]+)"', text, re.M)
        for other in sorted({folder_of(rules, path) for path in included}):
            if other not in rules[0].get(folder, set()) | {folder, "hearth"}:
                yield f"{file}: includes a header of {other}/, which {folder}/ may not"


def read_object(rules, path):
    defined, used = set(), set()
    out = subprocess.run(["nm", "-P", path], capture_output=True, text=True, check=True).stdout
    for name, kind, *_ in (line.split() for line in out.splitlines()):
        name = name.split("@")[0]
        if kind in "Uw":
            used.add(name)
        elif kind.isupper():
            defined.add(name)
    source = re.search(r"src/(\w+/.*)(?=\.o)", str(path))
    used.discard("_GLOBAL_OFFSET_TABLE_")
    return folder_of(rules, source.group(1)), source.group(0), defined, used


def self_test():
    rules = parse_rules("low:\nhigh: low\nside: low\nlibc low: memcpy\nonly side: free")
    objects = [("low", "low.c", {"low_f"}, {"memcpy"}), ("high", "high.c", {"high_f"}, {"low_f"}),
               ("side", "side.c", {"side_f"}, {"low_f", "free"})]
    assert not list(check_symbols(rules, objects)), "the clean tree is reported"
    for folder, name in (("low", "high_f"), ("side", "high_f"), ("low", "puts"), ("high", "free")):
        found = list(check_symbols(rules, objects + [(folder, "bad.c", set(), {name})]))
        assert len(found) == 1 and f"bad.c: uses '{name}'" in found[0], (folder, name, found)
    found = list(check_includes(rules, [("low", "bad.c", '#include "high/x.h"\n')]))
    assert len(found) == 1 and "high/" in found[0], found
    inner = parse_rules("low:\nhigh/in: low\nhigh: low high/in")
    assert folder_of(inner, "high/in/x.h") == "high/in" and folder_of(inner, "high/x.h") == "high"
    found = list(check_includes(inner, [("high/in", "bad.c", '#include "high/x.h"\n')]))
    assert len(found) == 1 and "high/, which high/in/" in found[0], found
    try:
        parse_rules("a: b\nb: a")
    except ValueError:
        return print("layers: self-test found every planted violation")
    raise AssertionError("a cycle in the rules is not reported")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    rules = parse_rules((ROOT / "tools/layers.rules").read_text())
    paths = sorted(pathlib.Path(sys.argv[1]).rglob("src/*/**/*.o"))
    objects = [read_object(rules, p) for p in paths]
    objects = [o for o in objects if (ROOT / o[1]).exists()]  # of a deleted source: left over
    if not objects:
        sys.exit(f"layers: no objects in '{sys.argv[1]}'")
    sources = [(folder_of(rules, p.relative_to(ROOT / "src")), p.relative_to(ROOT),
                p.read_text()) for p in sorted((ROOT / "src").rglob("*.[ch]"))]
    complaints = [*check_symbols(rules, objects),
                  *check_includes(rules, sources)]
    print(*complaints, f"layers: {len(objects)} objects, {len(complaints)} complaints", sep="\n")
    sys.exit(bool(complaints))


main()
