#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embed.py FILE NAME HEADER: prints FILE as a C array NAME, with its size in NAME_size; HEADER declares both."""
import sys

with open(sys.argv[1], "rb") as file:
    data = file.read()
name = sys.argv[2]
print(f'#include "{sys.argv[3]}"\n\nconst unsigned int {name}_size = {len(data)};')
print(f"const unsigned char {name}[] = {{")
for i in range(0, len(data), 16):
    print("\t" + " ".join(f"{byte}," for byte in data[i : i + 16]))
print("};")
