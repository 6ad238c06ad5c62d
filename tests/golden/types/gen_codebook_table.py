#!/usr/bin/env python3
"""Writes src/kern/codebook_table.h: the codebooks of the IQ tensor types, as the format fixes them.

usage: gen_codebook_table.py > src/kern/codebook_table.h

A codebook is a list of short vectors of levels; files hold indices into it. The lists are choices
that the authors of the format made by statistics over real weights, so no rule gives them: they are
read from the Python package gguf (MIT licence; version 0.19.0 when the table was made) and packed
into one 16-bit word per vector, which decode_iq.h unpacks.
"""
import importlib.metadata

import numpy as np
from gguf import quants

BOOKS = [  # name, class, levels in ascending order
    ("iq2_xxs", quants.IQ2_XXS), ("iq2_xs", quants.IQ2_XS), ("iq2_s", quants.IQ2_S),
    ("iq3_xxs", quants.IQ3_XXS), ("iq3_s", quants.IQ3_S), ("iq1", quants.IQ1_S),
]


def words(book):
    book.init_grid()
    grid = np.asarray(book.grid).reshape(book.grid_shape)
    levels = list(book.grid_map)
    codes = np.vectorize(levels.index)(grid.astype(int))
    bits = 16 // grid.shape[1] if len(levels) < 5 else 3
    return (codes << (bits * np.arange(grid.shape[1]))).sum(1), grid.shape[1], bits


def main():
    print("// Codebooks of the IQ types, see codebook.h. Made by tests/golden/types/gen_codebook_table.py")
    print(f"// from the Python package gguf {importlib.metadata.version('gguf')}; not to be edited.")
    for name, book in BOOKS:
        values, length, bits = words(book)
        assert len(set(values)) == len(values)
        print(f"\n// {len(values)} vectors of {length} codes of {bits} bits, the first in the lowest bits.")
        print(f"const uint16_t kern_codebook_{name}[{len(values)}] = {{")
        for i in range(0, len(values), 16):
            print("    " + " ".join(f"0x{v:04X}," for v in values[i:i + 16]))
        print("};")


main()
