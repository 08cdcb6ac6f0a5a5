"""No wrong answer is called right: 200 and more, made by chance of the right ones."""

import ast
from textwrap import indent
from types import SimpleNamespace

import numpy as np
import pytest
from answering import filled, verdict
from solutions import SOLUTIONS, VARIANTS

from minisgd import layers, loss, optim, rules, schedules
from minisgd.exercises import EXERCISES
from minisgd.exercises.asking import answers
from minisgd.exercises.judging import judge
from minisgd.lab.own import OwnFile, imported

OURS = SimpleNamespace(
    Linear=layers.Linear,
    ReLU=layers.ReLU,
    MaxPool2d=layers.MaxPool2d,
    Conv2d=layers.Conv2d,
    softmax_cross_entropy=loss.softmax_cross_entropy,
    momentum_step=optim.momentum_step,
    linear=rules.linear,
    gradual=schedules.gradual,
)
OTHER = {  # in place of an operator
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Eq: ast.NotEq,
    ast.BitAnd: ast.BitOr, ast.MatMult: ast.MatMult,
}  # fmt: skip
NAMES = dict(zip("k l i j c f lr m b b0 C F OH OW KH KW".split(),
                 "l k j i f c m lr b0 b F C OW OH KW KH".split(), strict=True))  # fmt: skip


class Spoiler(ast.NodeTransformer):
    """Changes one of the places that can be changed; with none chosen, counts them."""

    def __init__(self, chosen, rng):
        self.chosen, self.rng, self.places = chosen, rng, 0

    def here(self):
        self.places += 1
        return self.places - 1 == self.chosen

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if type(node.op) in OTHER and self.here():
            if isinstance(node.op, ast.MatMult):
                node.left, node.right = node.right, node.left
            node.op = OTHER[type(node.op)]()
        return node

    def visit_Compare(self, node):
        self.generic_visit(node)
        if type(node.ops[0]) in OTHER and self.here():
            node.ops = [OTHER[type(node.ops[0])]()]
        return node

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        if self.here():
            return ast.Pass()
        if self.here():
            target = ast.parse(f"{ast.unparse(node.target)}[...] = 0").body[0]
            return ast.Assign(target.targets, node.value, lineno=node.lineno)
        if type(node.op) in OTHER and self.here():
            node.op = OTHER[type(node.op)]()
        return node

    def visit_Constant(self, node):
        if type(node.value) in (int, float) and self.here():
            return ast.Constant(node.value + int(self.rng.choice((-1, 1))))
        return node

    def visit_Name(self, node):
        if node.id in NAMES and isinstance(node.ctx, ast.Load) and self.here():
            return ast.Name(NAMES[node.id], node.ctx)
        return node

    def visit_Attribute(self, node):
        self.generic_visit(node)
        return node.value if node.attr == "T" and self.here() else node

    def visit_Return(self, node):
        self.generic_visit(node)
        if node.value is not None and self.here():
            scale = ast.Constant(float(self.rng.choice((-1, 0.5, 2, 1.001, 1 + 1e-5))))
            node.value = ast.BinOp(scale, ast.Mult(), node.value)
        return node


def spoilt(body, rng):
    """The body with a change by chance; None if nothing in it can be changed."""

    def parsed():
        return ast.parse("def f():\n" + indent(body.strip("\n"), "    "))

    count = Spoiler(None, rng)
    count.visit(parsed())
    if not count.places:
        return None
    tree = Spoiler(int(rng.integers(count.places)), rng).visit(parsed())
    return "\n".join(ast.unparse(ast.fix_missing_locations(each)) for each in tree.body[0].body)


# -- inputs that the judge does not know


def inputs(name, rng):
    def normal(*shape):
        return rng.normal(size=shape)

    D, M, N, K = rng.integers(1, 6, size=4)
    F, C, KH, KW = rng.integers(1, 4, size=4)
    H, W = KH + rng.integers(4), KW + rng.integers(4)
    if name == "linear":
        yield dict(x=normal(D, N), dy=normal(M, N), W=normal(M, D), b=normal(M),
                   dW_before=normal(M, D), db_before=normal(M))  # fmt: skip
    elif name == "relu":
        yield dict(x=rng.integers(-2, 3, size=(C, H, W, N)).astype(float), dy=normal(C, H, W, N))
    elif name == "maxpool":
        shape = (C, 2 * KH, 2 * KW, N)
        yield dict(x=rng.integers(-2, 3, size=shape).astype(float), dy=normal(C, KH, KW, N))
        yield dict(x=normal(*shape), dy=normal(C, KH, KW, N))
    elif name == "conv":
        pad = int(rng.integers(3))
        dy = normal(F, H + 2 * pad - KH + 1, W + 2 * pad - KW + 1, N)
        yield dict(x=normal(C, H, W, N), dy=dy, W=normal(F, C, KH, KW), b=normal(F), pad=pad,
                   dW_before=normal(F, C, KH, KW), db_before=normal(F))  # fmt: skip
    elif name == "softmax":
        B = int(N + rng.integers(4))
        yield dict(z=normal(K + 1, N), y=rng.integers(K + 1, size=N), B=B)
    elif name == "momentum":
        lrs = tuple(rng.uniform(0.1, 1, size=N))
        yield dict(w0=normal(D), v0=normal(D), g=normal(N, D), lrs=lrs, m=float(rng.random()))
    elif name == "linear-rule":
        yield dict(b=int(rng.integers(1, 200)), b0=int(rng.integers(1, 200)))
    else:
        k = int(rng.integers(1, 12))
        lr, base_lr = rng.uniform(0.01, 2, size=2)
        yield dict(i=int(rng.integers(1, k + 1)), k=k, base_lr=float(base_lr), lr=float(lr))


def copied(given):
    return {k: np.copy(v) if isinstance(v, np.ndarray) else v for k, v in given.items()}


def truly_wrong(name, module, rng):
    """Whether it differs from what this program trains with, on inputs that the judge has not."""
    ask = EXERCISES[name].ask
    for _ in range(12):
        for given in inputs(name, rng):
            wanted = ask(OURS, **copied(given))
            mine = copied(given)
            try:
                found = ask(module, **mine)
                for output, value in wanted.items():
                    if not np.allclose(found[output], value, rtol=3e-6, atol=1e-12):
                        return True
                    if np.shape(found[output]) != np.shape(value):
                        return True
            except Exception:
                return True
    return False


@pytest.mark.parametrize("name", EXERCISES)
def test_what_this_program_trains_with_is_right(name):
    own = OwnFile("ours.py", "")
    assert judge(name, own, None, answers(EXERCISES[name], OURS, own)).right


ALL = [*SOLUTIONS.items(), *VARIANTS]
MADE = 260


@pytest.fixture(scope="module")
def made():
    """[(exercise, source)]: distinct wrong answers, made by chance from the right ones."""
    rng, found = np.random.default_rng(20), {}
    with np.errstate(all="ignore"):
        while len(found) < MADE:
            name, body = ALL[rng.integers(len(ALL))]
            body = spoilt(body, rng)
            if body and (name, body) not in found:
                module = imported(OwnFile("mine.py", filled(name, body)))
                if truly_wrong(name, module, rng):
                    found[name, body] = None
    return list(found)


def test_no_wrong_answer_is_called_right(made):
    with np.errstate(all="ignore"):
        verdicts = [verdict(name, body) for name, body in made]
    called_right = [each for each, said in zip(made, verdicts, strict=True) if said.right]
    assert called_right == []
    assert {name for name, _ in made} == set(EXERCISES) and len(made) >= 200
    told = sum(bool(said.mistakes) for said in verdicts)
    print(f"{told} of {len(made)} are known mistakes")
    assert told >= 20
