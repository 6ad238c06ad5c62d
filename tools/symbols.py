#!/usr/bin/env python3
"""Does the library export what tests/unit/hearth_api.symbols lists, and nothing else?

usage: symbols.py libhearth.a|libhearth.so LIST      (needs readelf)
"""
import subprocess
import sys

library, wanted_file = sys.argv[1:3]
out = subprocess.run(["readelf", "-sW", library], capture_output=True, text=True, check=True).stdout
exported = set()
for line in out.splitlines():
    f = line.split()
    # Num: Value Size Type Bind Vis Ndx Name
    if len(f) >= 8 and f[3] in ("FUNC", "OBJECT") and f[4] in ("GLOBAL", "WEAK"):
        if f[5] in ("DEFAULT", "PROTECTED") and f[6] != "UND":
            exported.add(f[7].split("@")[0])
wanted = set(open(wanted_file).read().split())
for name in sorted(wanted - exported):
    print(f"symbols: {name} is listed, but not exported")
for name in sorted(exported - wanted):
    print(f"symbols: {name} is exported, but not listed")
sys.exit(exported != wanted)
