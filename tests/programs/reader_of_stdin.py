"""Reads its standard input to the end, and prints how many bytes came and their checksum."""

import hashlib
import sys

content = sys.stdin.buffer.read()
print(len(content), hashlib.sha256(content).hexdigest())
