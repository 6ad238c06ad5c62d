#!/usr/bin/env python3
"""Bytes of code and data per folder of src/: size.py BUILD_DIR"""
import collections
import pathlib
import re
import subprocess
import sys

build = pathlib.Path(sys.argv[1])
paths = [str(p) for p in sorted(build.rglob("src/*/**/*.o"))]
if not paths:
    sys.exit(f"size: no objects in '{build}'")
table = collections.defaultdict(lambda: [0, 0, 0, 0])
out = subprocess.run(["size", *paths], capture_output=True, text=True, check=True).stdout
for line in out.splitlines()[1:]:
    text, data, bss, _, _, path = line.split(None, 5)
    row = table[re.search(r"src/(\w+)/", path).group(1)]
    for i, n in enumerate((text, data, bss, 1)):
        row[i] += int(n)
table["all"] = [sum(column) for column in zip(*table.values())]
print(f"{'':8}{'text':>10}{'data':>10}{'bss':>10}{'files':>7}")
for name, row in table.items():
    print(f"{name:8}{row[0]:10,}{row[1]:10,}{row[2]:10,}{row[3]:7}")
for program in filter(pathlib.Path.exists, (build / "hearth", build / "libhearth.so")):
    print(f"{program.name}: {program.stat().st_size:,} bytes in the file")
