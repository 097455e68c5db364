"""A process that has loaded torch and run none of it; a training is a fork of it, real to the kernel, without the wait.

    python -m tests.faults.nursery

Reads a JSON object a line and answers with one: {"home", "sweep", "prelude", "log"} starts a training in a session of
its own and answers its pid, {"pid"} answers how it ended, or null while it lives. The end of the input ends them all.
A fork is safe here: no thread of torch's exists before its first operation.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import traceback

import scaling_core.lab.foresee
import scaling_core.lab.selftest
import scaling_core.lab.train  # noqa: F401  (all of this once for every fork)
from scaling_core.lab import child
from scaling_core.runs.place import HOME_VARIABLE


def live(home: str, sweep: str, prelude: str, log: str) -> None:
    """What a fork does: the real child's `main`, after a prelude that plants the fault. Does not return."""
    code = 1
    try:
        os.setsid()
        nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for handle, place in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(handle, place)
        os.environ[HOME_VARIABLE] = home
        exec(prelude, {"__name__": "prelude"})  # noqa: S102  (the tests' own text)
        code = child.main([sweep])
    except BaseException:  # noqa: BLE001  (whatever it is, the test reads it in the log)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Serve until the input ends."""
    ended: dict[int, int] = {}
    born: set[int] = set()
    for line in sys.stdin:
        asked = json.loads(line)
        if "pid" in asked:
            pid = asked["pid"]
            if pid not in ended:
                gone, status = os.waitpid(pid, os.WNOHANG)
                if gone:
                    ended[pid] = os.waitstatus_to_exitcode(status)
                    born.discard(pid)
            answer = ended.get(pid)
        else:
            answer = os.fork()
            if not answer:
                live(**asked)
            born.add(answer)
            ended.pop(answer, None)
        print(json.dumps(answer), flush=True)
    for pid in born:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
