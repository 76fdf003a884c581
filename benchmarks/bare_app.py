"""What the service is measured against: the same detector in a bare Starlette app, and in a loop.

`python bare_app.py SERVICE_FOLDER serve PORT` answers POST /predict; `... loop IMAGE SECONDS` prints milliseconds.
"""

import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(sys.argv[1])
sys.path.insert(0, str(FOLDER))


def serve(detector: Any, port: int) -> None:
    """Serve until ended."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    async def predict(request: Request) -> Response:
        data = await request.body()
        return JSONResponse(await run_in_threadpool(detector.predict, data))

    app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    uvicorn.run(app, port=port, log_level="warning", access_log=False)


def loop(detector: Any, image: bytes, seconds: float) -> None:
    """Predict one image again and again and print the milliseconds of each time as JSON."""
    taken = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        json.dumps(detector.predict(image))
        taken.append((time.perf_counter() - start) * 1000)
    sys.stdout.write(json.dumps(taken))


def open_detector() -> Any:
    """Return the detector of the service folder with the threads that the service would give it."""
    from rest_service import detector, settings

    modules: tuple[ModuleType, ModuleType] = detector, settings
    return modules[0].Detector(FOLDER / "artifacts", threads=modules[1].ServiceSettings.read({}).threads)


if __name__ == "__main__":
    if sys.argv[2] == "serve":
        serve(open_detector(), int(sys.argv[3]))
    else:
        loop(open_detector(), Path(sys.argv[3]).read_bytes(), float(sys.argv[4]))
