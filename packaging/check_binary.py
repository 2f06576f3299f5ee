#!/usr/bin/env python3
"""Checks that a release binary is what the README promises: static, position independent, stripped.

It reads the ELF headers itself, so that a build machine needs neither binutils nor `file`.
"""
import struct
import sys

PT_DYNAMIC, PT_INTERP = 2, 3
SHT_SYMTAB = 2
ET_DYN = 3
DT_NEEDED = 1


def problems(data):
    """What is wrong with the binary, in words."""
    if data[:6] != b"\x7fELF\x02\x01":
        return ["it is no 64-bit little-endian ELF file"]
    kind = struct.unpack_from("<H", data, 16)[0]
    program_at, section_at = struct.unpack_from("<QQ", data, 32)
    program_size, program_count, section_size, section_count = struct.unpack_from("<4H", data, 54)
    programs = [struct.unpack_from("<IIQQQQ", data, program_at + i * program_size)
                for i in range(program_count)]
    sections = [struct.unpack_from("<II", data, section_at + i * section_size)
                for i in range(section_count)]
    found = []
    if kind != ET_DYN:
        found.append("it is not position independent")
    if any(program[0] == PT_INTERP for program in programs):
        found.append("it asks for a dynamic loader")
    for program in programs:
        if program[0] == PT_DYNAMIC and DT_NEEDED in tags(data, program[2], program[5]):
            found.append("it asks for shared libraries")
    if any(section[1] == SHT_SYMTAB for section in sections):
        found.append("it is not stripped")
    return found


def tags(data, at, size):
    """The tags of the dynamic section."""
    return [struct.unpack_from("<q", data, at + i)[0] for i in range(0, size, 16)]


def main():
    path = sys.argv[1]
    with open(path, "rb") as file:
        data = file.read()
    found = problems(data)
    if found:
        sys.exit("%s: %s" % (path, "; ".join(found)))
    print("%s: static-PIE, stripped, %.1f MB" % (path, len(data) / 1e6))


if __name__ == "__main__":
    main()
