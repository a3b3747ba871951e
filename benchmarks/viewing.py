"""What `--view` costs a run while a browser listens: processor time beside that of the run itself.

    python benchmarks/viewing.py [--steps 150]

One process; a thread of the same process stands for the browser: it takes all that is sent and throws it away. Its own
time is counted as the view's.
"""

from __future__ import annotations

import argparse
import threading
import time

from websockets.sync.client import connect

from largesteps_zg.mesh import load_mesh
from largesteps_zg.meshes import path
from largesteps_zg.reconstruct import Settings
from largesteps_zg.reconstruct.loop import Reconstruction
from largesteps_zg.scenes.synthetic import scene_from_mesh
from largesteps_zg.viewing.live import LiveView


def listen(address: str) -> None:
    """Take what is sent until the server ends."""
    with connect(address.replace("http", "ws"), subprotocols=["viser-v1.1.1"], max_size=None) as socket:
        for _ in socket:
            pass


def main() -> None:
    """Run, and print the shares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=150)
    steps = parser.parse_args().steps
    scene = scene_from_mesh(load_mesh(path("fennec")), views=24, test_views=1)
    run = Reconstruction(scene.train, Settings(steps=steps))
    live = LiveView(scene, run)
    threading.Thread(target=listen, args=(live.address,), daemon=True).start()
    shown = main_before = 0.0
    begun = time.process_time(), time.thread_time()
    while run.step < run.steps:
        state = run.advance()
        main_before = time.thread_time()
        live.watch(state)
        shown += time.thread_time() - main_before
    everything, here = time.process_time() - begun[0], time.thread_time() - begun[1]
    live.close()
    view = shown + everything - here  # all other threads are the server's and the listener's
    print(f"{steps} steps, {len(live.kept.surfaces)} surfaces kept: {everything - view:.1f} s for the run")
    beside, share = everything - here, view / (everything - view)
    print(f"view: {shown:.2f} s in the run's thread, {beside:.2f} s beside it: {share:.2%}")


if __name__ == "__main__":
    main()
