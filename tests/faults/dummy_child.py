"""A child without torch: locks, registers, makes up losses and ends like the real one, or misbehaves as told.

    python -m tests.faults.dummy_child SWEEP

The variable DUMMY says how: "" trains for DUMMY_SECONDS, "deaf" ignores SIGTERM and has a child of its own,
"refuse" ends with a sentence before it registers, "fail" registers and fails, "silent" never registers,
"crash" kills itself before it registers.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import Any

from scaling_core.lab.records import Plan
from scaling_core.runs import place
from scaling_core.runs.liveness import identity
from scaling_core.runs.locks import DeviceLock
from scaling_core.runs.store import Store

asked_to_stop = False


def _stop(number: int, frame: FrameType | None) -> None:
    global asked_to_stop
    asked_to_stop = True


def main(sweep: str) -> int:
    """The exit status: 0 finished or stopped, 1 failed, 3 busy."""
    how, home = os.environ.get("DUMMY", ""), place.home()
    signal.signal(signal.SIGTERM, signal.SIG_IGN if how == "deaf" else _stop)
    if how == "refuse":
        print("Traceback (most recent call last):\nThe text is empty; choose another one.", flush=True)
        return 1
    if how == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "silent":
        time.sleep(60)
    lock = DeviceLock(home, "cpu")
    if not lock.take(sweep):
        return 3
    plan = Plan.from_dict(json.loads(place.plan_file(home, sweep).read_text()))
    with Store.open_writer(home) as store:
        store.register_sweep(plan, {"name": "dummy", "hash": "d0"}, {"cwd": os.getcwd()}, *identity())
        if how == "fail":
            store.set_state(sweep, "failed", "The device vanished.")
            return 1
        if how == "deaf":
            grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            store.add_event(sweep, "info", str(grandchild.pid))
        pause = float(os.environ.get("DUMMY_SECONDS", "20")) / len(plan.runs) / 10
        for run in plan.runs:
            store.start_run(sweep, run.id)
            for tenth in range(10):
                time.sleep(pause)
                store.progress(sweep, run.id, run.tokens * tenth // 10)
                if asked_to_stop:
                    store.set_state(sweep, "stopped", "Stopped when asked to.")
                    return 0
            numbers: dict[str, Any] = {
                "loss": 2.0 + 1.0 / (1 + run.rung),
                "se": 0.01,
                "bits_per_byte": 3.0,
                "seconds": 10 * pause,
            }
            store.finish_run(sweep, run.id, **numbers, tokens=run.tokens, unique_tokens=run.tokens)
        store.set_state(sweep, "finished")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
