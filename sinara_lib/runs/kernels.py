"""Whether a Jupyter kernel can be started here, asked before it is."""

import shutil

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel


def kernel_problem(name: str) -> str | None:
    """Return why a kernel of that name cannot be started, and which there are; None when nothing speaks against it."""
    specs = KernelSpecManager()
    try:
        argv = specs.get_kernel_spec(name).argv
    except NoSuchKernel:
        return f"there is no Jupyter kernel {name!r}. {_remedy(specs, name)}"
    except (OSError, ValueError) as error:  # what it is described by is no JSON, or cannot be read
        return f"the Jupyter kernel {name!r} has a broken kernel.json ({error}). {_remedy(specs, name)}"
    if not argv or shutil.which(argv[0]) is None:
        program = argv[0] if argv else "nothing"
        return f"the Jupyter kernel {name!r} starts {program}, which is no program here. {_remedy(specs, name)}"
    return None


def _remedy(specs: KernelSpecManager, name: str) -> str:
    others = ", ".join(sorted(set(specs.find_kernel_specs()) - {name})) or "none"
    first = others.partition(",")[0] if others != "none" else "python3"
    return (
        f"Kernels there are: {others}. Name one in step_params.kernel_name, choose one by "
        f"--set step_params.kernel_name={first}, or install ipykernel"
    )
