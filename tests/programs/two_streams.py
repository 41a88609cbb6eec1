"""Writes what it is told to, `[[1 or 2, text], …]`, each piece once the one before has been read; exits with a code."""

import fcntl
import json
import os
import sys
import termios
import time

pieces, *code = sys.argv[1:]
for descriptor, text in json.loads(pieces):
    os.write(descriptor, text.encode())
    while any(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))):
        time.sleep(0.001)
sys.exit(int(code[0]) if code else 0)
