"""S3 clients for the suites: boto3 as users have it, without retries where each answer counts."""

import boto3
from botocore.config import Config

import server


def client(tarn: server.Tarn, **settings):
    """A boto3 client of one server, with the root key."""
    return client_of(tarn, server.ACCESS_KEY, server.SECRET_KEY, **settings)


def client_of(
    tarn: server.Tarn, access_key: str, secret_key: str, *, retries: int = 0, timeout_s: float = 60, pool: int = 32
):
    """A boto3 client of one server; path style, SigV4."""
    return boto3.client(
        "s3",
        endpoint_url=tarn.endpoint,
        region_name=server.REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": retries + 1, "mode": "standard"},
            connect_timeout=timeout_s,
            read_timeout=timeout_s,
            max_pool_connections=pool,
        ),
    )
