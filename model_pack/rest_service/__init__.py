"""The REST service as it runs in its container; packing copies this folder whole, so it imports nothing outside it.

Front door: `worker.Worker`, which `service.py` starts. A request goes through `middleware`, a route of `app`,
`options` and `request_body`, `prediction`, `inference_queue` to the `detector`; `openapi` describes the routes,
`metrics` counts. Only `letterbox` is the library's, and a copy of it once packed. Packing itself is
`service_packing`, one floor up.
"""
