"""Writes N bytes of numbered lines as fast as the pipe takes them, a usage line among every thousand, and exits."""

import os
import sys

size = int(sys.argv[1])
block = b"".join(
    b"Token usage: input=1, output=2, cache_read=3, cache_creation=4\n"
    if number % 1000 == 0
    else b"%07d %s\n" % (number, b"x" * 91)
    for number in range(10_000)
)
while size > 0:
    size -= os.write(1, block[:size])
