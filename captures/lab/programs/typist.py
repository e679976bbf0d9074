"""Type at a person's pace into a program that has a terminal: COMMAND ..."""

import os
import pty
import random
import subprocess
import sys
import time
import tty

terminal, inner = pty.openpty()
tty.setraw(inner)
rng = random.Random(len(sys.argv))
with subprocess.Popen(sys.argv[1:], stdin=inner, stdout=inner, stderr=inner) as process:
    try:
        time.sleep(2)
        while process.poll() is None:
            for letter in rng.choice(("make test\n", "git log -3\n", "less notes\n", "cd ..\n")):
                os.write(terminal, letter.encode())
                time.sleep(rng.lognormvariate(-1.2, 0.5))
            time.sleep(rng.uniform(0.5, 5))
    finally:
        process.kill()
