"""The formulas of the report as formulas, in MathML, which browsers draw by themselves."""

import re

from .html import Html, element, join, table


def math(*parts):
    """A formula of its own from parts: elements, or text with spaces between its symbols."""
    return element("math", element("mrow", _symbols(*parts)), displaystyle="true")


def _symbols(*parts):
    """Numbers, names and signs as MathML; what is an element already stays as it is."""
    found = []
    for part in parts:
        if isinstance(part, Html):
            found.append(part)
            continue
        for symbol in part.split():
            kind = "mn" if re.fullmatch(r"[\d.]+", symbol) else "mo"
            found.append(element("mi" if symbol.isalpha() else kind, symbol.replace("-", "−")))
    return join(found)


def _made(name):
    """The function that makes an element of MathML from parts, each grouped."""
    return lambda *parts: element(name, *(element("mrow", _symbols(part)) for part in parts))


frac, root, sub, sup = map(_made, ("mfrac", "msqrt", "msub", "msup"))
B0, ETA0, WI = sub("b", "0"), sub("η", "0"), sub("w", "t")


def total(of, over):
    """The mean over: (1/of) Σ of what follows, over something."""
    return join([frac("1", of), element("munder", _symbols("∑"), element("mrow", _symbols(over)))])


def loss_gradient(at):
    return join([_symbols("∇ l ( x ,"), at, _symbols(")")])


MEAN = join([total("b", "x"), loss_gradient(WI)])
EIGEN = join([sub("λ", "max"), _symbols("<"), frac("2 ( 1 + m )", "η")])

# (what it is, where the report has it, where it is in the code, the formula)
FORMULAS = (
    ("the update of SGD", "Sec. I", "optim.sgd_step",
     math(sub("w", "t + 1"), "=", WI, "- η", MEAN)),
    ("the sqrt rule", "Sec. II", "rules.sqrt", math("η =", ETA0, root(frac("b", B0)))),
    ("the linear rule", "Sec. II", "rules.linear", math("η =", ETA0, frac("b", B0))),
    ("constant warmup", "Sec. II", "schedules.constant",
     math(sub("η", "i"), "=", ETA0, ", i ≤ k")),
    ("gradual warmup", "Sec. II", "schedules.gradual",
     math(sub("η", "i"), "=", frac("k + 1 - i", "k"), ETA0, "+", frac("i - 1", "k"), "η , i ≤ k")),
    ("the covariance of an update", "Sec. II", "measures.estimators.covariance_factor",
     math("cov ( Δ w , Δ w ) =", sup("η", "2"), "(", frac("1", "M"), "-", frac("1", "N"), ")",
          total("N", "i"), sub("g", "i"), element("msubsup", _symbols("g"), _symbols("i"),
                                                  _symbols("⊤")))),
    ("momentum", "Sec. III", "optim.momentum_step",
     math(sub("v", "t + 1"), "= m", sub("v", "t"), "+", MEAN, ",", sub("w", "t + 1"), "=", WI,
          "- η", sub("v", "t + 1"))),
    ("the effective rate", "Sec. III", "rules.effective_lr",
     math(sub("η", "eff"), "=", frac("η", "1 - m"))),
    ("the growth of the momentum", "Sec. IV", "rules.scaled_momentum",
     math(frac("1", join([_symbols("1 -"), sup("m", "′")])), "=", frac("1", "1 - m"),
          root(frac(sup("b", "′"), "b")))),
    ("a step that a parabola bears", "beyond", "measures.curvature", math(EIGEN)),
)  # fmt: skip


def section():
    """Html of the table of formulas."""
    rows = [
        [what, formula, where, element("code", code)] for what, where, code, formula in FORMULAS
    ]
    return table(["what it is", "formula", "report", "in the code"], rows)
