"""What CuPy has, and what this program asks of it; neither needs a GPU.

    python tests/cupy_api.py            writes tests/cupy_api.json from the installed CuPy
    python tests/cupy_api.py --check    says whether that file agrees with the installed CuPy

The list holds every public name of NumPy that CuPy has as well, with its keywords (null if its
signature does not tell them), and the names that this program uses of CUDA. The stand-in
(fake_cupy.py) and `problems` rely on it. CuPy has names for NCCL only if that library is installed
(python -m pip install nvidia-nccl-cu12), which writing the list requires.
"""

import ast
import importlib
import inspect
import json
import re
import sys
from pathlib import Path

import numpy as np

LIST = Path(__file__).with_name("cupy_api.json")
SPACES = "", "linalg.", "lib.stride_tricks.", "ndarray."
COMMUNICATOR = "cuda.nccl.NcclCommunicator."
CUDA = """
    get_array_module get_default_memory_pool cuda.Device cuda.Device.use cuda.get_current_stream
    cuda.memory.OutOfMemoryError cuda.runtime.deviceGetPCIBusId cuda.runtime.getDevice
    cuda.runtime.getDeviceCount cuda.runtime.getDeviceProperties cuda.nccl.available
    cuda.nccl.get_unique_id cuda.nccl.NcclCommunicator cuda.nccl.NcclCommunicator.allReduce
    cuda.nccl.NCCL_FLOAT32 cuda.nccl.NCCL_FLOAT64 cuda.nccl.NCCL_SUM __version__
""".split()


def resolve(root, dotted):
    for name in dotted.split("."):
        root = getattr(root, name) if name else root
    return root


def keywords(thing):
    """The names of a function's parameters, or None if they cannot be found."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        parameters = ()
    if parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        return sorted(p.name for p in parameters)
    # A compiled function has its signature in the first lines of its docstring.
    signature = re.match(r"[\w.]+\((.*?)\)(?:\s|$)", inspect.getdoc(thing) or "", re.S)
    if not signature or "**" in signature[1]:
        return None
    flat = re.sub(r"\[.*?\]|\(.*?\)", "", signature[1])
    names = (re.split("[=:]", part)[0].split()[-1:] for part in flat.split(","))
    return sorted({n[0].lstrip("*\\") for n in names if n} - {"", "/", "self", "operands"})


def listed(cupy):
    """{name: keywords or None} of the names that this CuPy shares with NumPy, and those of CUDA."""
    found = {}
    for space in SPACES:
        theirs, ours = resolve(cupy, space.rstrip(".")), resolve(np, space.rstrip("."))
        for name in dir(ours):
            if name.startswith("_") or not hasattr(theirs, name):
                continue
            thing = inspect.getattr_static(theirs, name) if space == "ndarray." else None
            thing = getattr(theirs, name) if thing is None else thing
            takes = callable(thing) or inspect.ismethoddescriptor(thing)
            found[space + name] = keywords(thing) if takes else None
    importlib.import_module("cupy.cuda.nccl")  # cupy does not import it
    for name in CUDA:
        try:
            thing = resolve(cupy, name)
        except AttributeError:
            continue
        found[name] = keywords(thing) if callable(thing) else None
    return dict(sorted(found.items()))


def problems(source, api):
    """Names and keywords in a module's source that CuPy does not have.

    It examines `xp.NAME`, `self.xp.NAME`, `module_of(...).NAME`, `cupy.NAME`, `nccl.NAME` and
    `gpus.NAME`, and every call of a method that arrays have, whatever it is called on. Positional
    arguments are not checked.

    Returns: [(line, what is wrong)], and the set of the names that were found in the list
    """
    found, seen = [], set()
    for node in ast.walk(ast.parse(source)):
        call = node if isinstance(node, ast.Call) else None
        what = node.func if call else node
        if not isinstance(what, ast.Attribute):
            continue
        parts, root = [what.attr], what.value
        while isinstance(root, ast.Attribute) and root.attr != "xp":
            parts.insert(0, root.attr)
            root = root.value
        name = ".".join(parts)
        if (space := _space(root)) is not None:
            name = space + name
            if name not in api and not any(n.startswith(name + ".") for n in api):
                found.append((node.lineno, f"CuPy has no {name}"))
                continue
        elif call and hasattr(np.ndarray, what.attr):
            name = f"ndarray.{what.attr}"
            if name not in api:
                found.append((node.lineno, f"CuPy's arrays have no {what.attr}"))
                continue
        else:
            continue
        seen.add(name)
        for keyword in call.keywords if call and api.get(name) is not None else ():
            if keyword.arg and keyword.arg not in api[name]:
                found.append((node.lineno, f"CuPy's {name} takes no {keyword.arg}="))
    return sorted(set(found)), seen


def _space(node):
    """The list's prefix for the names of xp, cupy, module_of(...), nccl or gpus; else None."""
    if isinstance(node, ast.Call):
        return "" if isinstance(node.func, ast.Name) and node.func.id == "module_of" else None
    name = getattr(node, "id", getattr(node, "attr", None))  # xp, self.xp
    return {"xp": "", "cupy": "", "nccl": "cuda.nccl.", "gpus": COMMUNICATOR}.get(name)


def main(arguments):
    import cupy

    now = {"cupy": cupy.__version__, "names": listed(cupy)}
    if arguments == ["--check"]:
        kept = json.loads(LIST.read_text(encoding="utf-8"))
        if not cupy.cuda.nccl.available:
            print("There is no NCCL beside this CuPy: its names are not compared.")
            kept["names"] = {k: v for k, v in kept["names"].items() if "nccl.N" not in k}
            kept["names"].pop("cuda.nccl.get_unique_id")
        for name in sorted(kept["names"].keys() | now["names"].keys()):
            if kept["names"].get(name, "none") != now["names"].get(name, "none"):
                print(f"{name}: {kept['names'].get(name, 'none')} in the list of {kept['cupy']}, "
                      f"{now['names'].get(name, 'none')} in {now['cupy']}")  # fmt: skip
        if kept["names"] != now["names"]:
            return f"the list is not what CuPy {now['cupy']} has: write it anew"
    elif not cupy.cuda.nccl.available:
        return "there is no NCCL beside this CuPy: python -m pip install nvidia-nccl-cu12"
    else:
        LIST.write_text(json.dumps(now, indent=0) + "\n", encoding="utf-8")
    print(f"CuPy {now['cupy']}: {len(now['names'])} names")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
