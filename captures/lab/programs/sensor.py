"""Write what a thermometer shows every SECONDS to a program: SECONDS COMMAND ..."""

import random
import subprocess
import sys
import time

seconds, *command = sys.argv[1:]
process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
rng, degrees = random.Random(7), 9.5
while process.stdin and process.poll() is None:
    degrees += rng.uniform(-0.6, 0.6)
    process.stdin.write(f"{degrees:.1f}\n")
    process.stdin.flush()
    time.sleep(float(seconds))
