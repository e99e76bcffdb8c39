"""Runs `s3_boto3.py`, the S3 front as boto3 sees it, against the shared server."""

import os
import subprocess
import sys
from pathlib import Path

import server


def test_the_s3_front_is_what_boto3_expects(tarn):
    env = os.environ | {
        "TARN_ENDPOINT": tarn.endpoint,
        "TARN_ACCESS_KEY": server.ACCESS_KEY,
        "TARN_SECRET_KEY": server.SECRET_KEY,
        "TARN_REGION": server.REGION,
    }
    script = Path(__file__).with_name("s3_boto3.py")
    run = subprocess.run([sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stdout + run.stderr
