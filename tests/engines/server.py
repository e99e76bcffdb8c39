"""A real `tarn serve` on loopback: started, stopped, killed, started again on the same drives.

The binary is named by TARN_BIN. Every server has a free port, its own directory of drives and
credentials known to the tests. Nothing here looks into the drives.
"""

import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

ACCESS_KEY = "tarn-test-root"
SECRET_KEY = "tarn-test-root-secret-0123456789"
REGION = "us-east-1"
WAREHOUSE = "main"
# Systems give these to no connection by themselves: a port that a server leaves for a restart is not taken meanwhile.
PORTS = range(10_000, 32_768)
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30


def binary() -> Path:
    """The server under test."""
    named = os.environ.get("TARN_BIN")
    path = Path(named) if named else Path(__file__).parents[2] / "target" / "debug" / "tarn"
    if not path.is_file():
        raise FileNotFoundError(f"no server at {path}: build it, or name it in TARN_BIN")
    return path


def free_port() -> int:
    """A loopback port nobody listens on."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Tarn:
    """One server and its drives."""

    def __init__(self, root: Path, drives: int = 4, settings: dict[str, str] | None = None):
        self.root = root
        self.settings = settings or {}
        self.port = free_port()
        self.drives = [root / f"drive{n}" for n in range(1, drives + 1)]
        self.log = root / "tarn.log"
        self.process: subprocess.Popen | None = None

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def endpoint(self) -> str:
        return f"http://{self.authority}"

    @property
    def catalog_uri(self) -> str:
        return f"{self.endpoint}/_iceberg"

    @property
    def token_uri(self) -> str:
        return f"{self.catalog_uri}/v1/oauth/tokens"

    def spawn(self) -> None:
        """Starts the process without waiting for it to serve."""
        self.root.mkdir(parents=True, exist_ok=True)
        env = {name: value for name, value in os.environ.items() if not name.startswith("TARN_")}
        env.update(TARN_ROOT_ACCESS_KEY=ACCESS_KEY, TARN_ROOT_SECRET_KEY=SECRET_KEY, RUST_BACKTRACE="1")
        env.update(self.settings)
        command = [str(binary()), "serve", "--listen", self.authority, *map(str, self.drives)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.root, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def await_ready(self) -> float:
        """Waits until the server says it is ready; returns the seconds it took."""
        began = time.monotonic()
        while time.monotonic() - began < READY_TIMEOUT_S:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.tail()}")
            if self._health() == 200:
                return time.monotonic() - began
            time.sleep(0.005)
        raise TimeoutError(f"not ready after {READY_TIMEOUT_S} s:\n{self.tail()}")

    def start(self) -> float:
        self.spawn()
        return self.await_ready()

    def stop(self) -> int:
        """Asks the server to stop (SIGTERM) and returns its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL: the process gets no chance to do anything."""
        self.process.kill()
        self.process.wait()

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def tail(self, lines: int = 40) -> str:
        """The end of the server's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def panics(self) -> list[str]:
        """Every line of the log that tells of a panic."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if "panicked" in line]

    def _health(self) -> int:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as sock:
                sock.sendall(b"GET /_health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                line = sock.recv(64).split(b" ", 2)
                return int(line[1]) if len(line) > 1 else 0
        except OSError:
            return 0
