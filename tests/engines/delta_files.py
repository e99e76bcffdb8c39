"""Delta tables in Tarn's S3, written by delta-rs: in a process of its own, in the environment of the sharing client."""

import os
import subprocess
from pathlib import Path

import engines
import server

WRITE_TIMEOUT_S = 600


def write(tarn: server.Tarn, uri: str, file: Path, key: str, stray_rows: int) -> None:
    """A table of a Parquet file: two commits of its rows, one of rows whose key is negative, a checkpoint, their deletion."""
    python = engines.CACHE / "sharing" / "bin" / "python"
    script = Path(__file__).with_name("delta_writer.py")
    settings = {
        "AWS_ENDPOINT_URL": tarn.endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": server.REGION,
        "AWS_ACCESS_KEY_ID": server.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": server.SECRET_KEY,
    }
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TARN_"))} | settings
    command = [str(python), str(script), uri, str(file), key, str(stray_rows)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=WRITE_TIMEOUT_S)
    assert done.returncode == 0, done.stderr[-3000:]
