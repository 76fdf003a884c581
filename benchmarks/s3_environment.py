"""An environment of this process and its children whose root lies on an S3 server on loopback."""

import json
import os

from tests.s3_server import S3Server


def s3_root(server: S3Server) -> str:
    """Make a bucket, let the environment `benchmark` lie there, and return its root."""
    root = server.make_bucket("benchmark") + "/store"
    storage = {"endpoint_url": server.endpoint, "key_env": "BENCHMARK_KEY", "secret_env": "BENCHMARK_SECRET"}
    os.environ |= {"BENCHMARK_KEY": server.key, "BENCHMARK_SECRET": server.secret}
    os.environ |= {"SINARA_BENCHMARK_ROOT": root, "SINARA_BENCHMARK_STORAGE": json.dumps(storage)}
    return root
