"""What CuPy has, and what this program asks of it: no GPU is needed for either.

    python tests/cupy_api.py            writes tests/cupy_api.json, from the CuPy that is installed
    python tests/cupy_api.py --check    says whether it is what the installed CuPy has

The list holds every public name of NumPy's that CuPy has too, with the keywords that it takes (null
where its signature tells nobody). The stand-in (fake_cupy.py) and `problems` go by it.
"""

import ast
import inspect
import json
import re
import sys
from pathlib import Path

import numpy as np

LIST = Path(__file__).with_name("cupy_api.json")
SPACES = "", "linalg.", "lib.stride_tricks.", "ndarray."


def resolve(root, dotted):
    for name in dotted.split("."):
        root = getattr(root, name) if name else root
    return root


def keywords(thing):
    """The names of a function's parameters, or None where nobody can tell."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        parameters = ()
    if parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        return sorted(p.name for p in parameters)
    # What is compiled carries its signature in the first lines of its docstring.
    signature = re.match(r"[\w.]+\((.*?)\)(?:\s|$)", inspect.getdoc(thing) or "", re.S)
    if not signature or "**" in signature[1]:
        return None
    flat = re.sub(r"\[.*?\]|\(.*?\)", "", signature[1])
    names = (re.split("[=:]", part)[0].split()[-1:] for part in flat.split(","))
    return sorted({n[0].lstrip("*\\") for n in names if n} - {"", "/", "self", "operands"})


def listed(cupy):
    """{name: keywords or None} of what this CuPy has of NumPy's names."""
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
    return dict(sorted(found.items()))


def problems(source, api):
    """[(line, what is wrong)] of a module's source: names and keywords that CuPy does not have.

    Looked at are `xp.NAME`, `self.xp.NAME` and `module_of(...).NAME`, and the methods of an array
    on whatever they are called. What is passed by position escapes this.
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
        if _is_module(root):
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


def _is_module(node):
    """Whether an expression is the array module: xp, self.xp, module_of(...)."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "module_of"
    return (isinstance(node, ast.Name) and node.id == "xp") or (
        isinstance(node, ast.Attribute) and node.attr == "xp"
    )


def main(arguments):
    import cupy

    now = {"cupy": cupy.__version__, "names": listed(cupy)}
    if arguments == ["--check"]:
        kept = json.loads(LIST.read_text(encoding="utf-8"))
        for name in sorted(kept["names"].keys() | now["names"].keys()):
            if kept["names"].get(name, "none") != now["names"].get(name, "none"):
                print(f"{name}: {kept['names'].get(name, 'none')} in the list of {kept['cupy']}, "
                      f"{now['names'].get(name, 'none')} in {now['cupy']}")  # fmt: skip
        if kept["names"] != now["names"]:
            return f"the list is not what CuPy {now['cupy']} has: write it anew"
    else:
        LIST.write_text(json.dumps(now, indent=0) + "\n", encoding="utf-8")
    print(f"CuPy {now['cupy']}: {len(now['names'])} names")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
