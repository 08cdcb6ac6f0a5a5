"""Is an answer right? If not, which mistake is it?

Outputs are compared with those that are right, relative to the largest number in either. A mistake
is recognised only if the answer is, in every case, what somebody who made it would have returned.
"""

import re
from functools import cache
from textwrap import wrap
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from ..errors import SettingError
from ..gradcheck import compare
from . import EXERCISES
from .asking import Crash, ask, crash_of

UNFIT = {"ValueError", "IndexError"}  # what NumPy raises where shapes do not fit: one as the other


class Verdict(NamedTuple):
    """right, or not; the lines that say so; the mistakes that were recognised."""

    right: bool
    lines: list
    mistakes: list


def exercise_in(own):
    """The name of the exercise that a file answers.

    Raises:  SettingError if it does not say, or names one that there is not
    """
    found = re.search(r"""^EXERCISE\s*=\s*["']([^"']*)["']""", own.text, re.MULTILINE)
    if not found:
        raise SettingError(
            f'{own.path} does not say which exercise it is: it needs the line EXERCISE = "NAME", '
            f"with one of {', '.join(EXERCISES)}"
        )
    if found[1] not in EXERCISES:
        raise SettingError(
            f"{own.path} is of an exercise {found[1]!r}, and there is none: the names are "
            f"{', '.join(EXERCISES)}"
        )
    return found[1]


def check(own):
    """Judge a learner's file, which is run in a process of its own.

    Returns: a Verdict
    Raises:  SettingError if it is of no exercise
    """
    name = exercise_in(own)
    return judge(name, own, *ask(name, own))


@cache
def cases_of(name):
    """The cases of an exercise, each with its right outputs, as `right` and beside its inputs, as
    `known`.
    """
    cases = list(EXERCISES[name].cases())
    for case in cases:
        case.right = {k: np.array(v) for k, v in EXERCISES[name].right(**case.inputs).items()}
        case.known = SimpleNamespace(**case.inputs, **case.right)
    return cases


def judge(name, own, problem, answers):
    """The Verdict on the answers of a file, or on the problem why there are none."""
    if problem:
        return Verdict(False, [problem, *_source(own, problem)], [])
    exercise, cases = EXERCISES[name], cases_of(name)
    pairs = list(zip(cases, answers, strict=True))
    for case, answer in pairs:
        if answer.crash:
            mistakes = recognised(exercise, pairs, cases[0].right)
            return Verdict(False, _crashed(exercise, own, case, answer.crash, mistakes), mistakes)
    problems = {output: _problem(output, pairs) for output in cases[0].right}
    wrong = [output for output, said in problems.items() if said]
    mistakes = recognised(exercise, pairs, wrong)
    lines, left, width = [], list(mistakes), max(map(len, problems)) + 2
    for output, said in problems.items():
        lines.append(output.ljust(width) + (f"wrong: {said}" if said else "right"))
        if said:
            found = [mistake for mistake in left if output in outputs_of(mistake)]
            left = [mistake for mistake in left if mistake not in found]
            says = [mistake.says for mistake in found[:1]]
            if output in exercise.given:
                says = [f"{output} comes from the part that was given: it has changed."]
            elif not any(output in outputs_of(mistake) for mistake in mistakes):
                says = _clues(output, pairs)
            lines += [" " * width + line for text in says for line in wrap(text, 90 - width)]
    changed = sorted({name for answer in answers for name in answer.changed})
    if changed:
        lines += wrap(
            f"Your code changes {' and '.join(changed)}: others still need what is given to you. "
            "Make a new array, or change a copy, A.copy().",
            90,
        )
    if wrong or changed:
        return Verdict(False, [f"{own.path} is not right yet.", "", *lines], mistakes)
    compared = [output for output in problems if output not in exercise.given]
    entries = sum(case.right[output].size for case in cases for output in compared)
    text = f"{own.path} is right: {', '.join(compared)} {exercise.judge}, {entries} numbers"
    return Verdict(True, [f"{text} in {len(cases)} cases."], [])


# ---- what is wrong


def _problem(output, pairs):
    """What is wrong with an output, where it is so first, in a sentence; None if nothing is."""
    for case, answer in pairs:
        if output in answer.amiss:
            return answer.amiss[output]
        wanted, value = case.right[output], answer.values.get(output)
        if value is None:
            return "it is missing."
        if value.dtype != wanted.dtype and (wanted.ndim or value.dtype.kind not in "iuf"):
            return f"its numbers are of {value.dtype}, and should be of {wanted.dtype}."
        if value.shape != wanted.shape:
            shapes = f"its shape is {value.shape}, and should be {wanted.shape}"
            return f"{shapes} ({case.words})."
        if not _same(value, wanted):
            return f"{_entry(output, value, wanted)} ({case.words})."
    return None


def _same(value, wanted):
    return bool(compare("", np.asarray(value), np.asarray(wanted)).passed)


def _entry(output, value, wanted):
    """The entry that is furthest from what it should be, in words."""
    with np.errstate(all="ignore"):
        place = np.unravel_index(np.argmax(np.abs(value - wanted)), wanted.shape)
    where = f"[{', '.join(map(str, place))}]" if place else ""
    return f"{output}{where} is {value[place]:.5g}, where {wanted[place]:.5g} is right"


def _clues(output, pairs):
    """What may help with a mistake that is not known: sentences."""
    bad = [(c, a.values[output]) for c, a in pairs if output in a.values]
    if len(bad) < len(pairs) or any(value.shape != c.right[output].shape for c, value in bad):
        return []
    bad = [(c, value) for c, value in bad if not _same(value, c.right[output])]
    says = []
    if len(bad) < len(pairs):
        says.append(
            f"It is right in {len(pairs) - len(bad)} of {len(pairs)} cases. It is wrong with "
            + "; ".join(case.words for case, _ in bad)
            + "."
        )
    factors = [_factor(value, case.right[output]) for case, value in bad]
    if None not in factors:
        said = ", ".join(dict.fromkeys(f"{factor:.4g}" for factor in factors))
        says.append(f"Where it is wrong, all of {output} is the right one times {said}.")
    return says


def _factor(value, wanted):
    """By what the right array is multiplied, None if by different numbers or not by any."""
    length = float((wanted * wanted).sum())
    if wanted.size < 2 or not length:
        return None
    factor = float((value * wanted).sum()) / length
    return factor if _same(value, factor * wanted) else None


def _crashed(exercise, own, case, crash, mistakes):
    if crash.kind == "NotImplementedError" and crash.line:
        return [f"{own.path}, line {crash.line}: {exercise.task} is still to be written."]
    where = f"{own.path}, line {crash.line}: " if crash.line else f"{own.path}: "
    text = f"{where}{crash.said}"
    shapes = [
        f"{name} {value.shape}" if value.shape else f"{name} = {value:g}"
        for name, value in ((name, np.asarray(value)) for name, value in case.inputs.items())
        if not name.endswith("_before")
    ]
    with_ = f"It was called with {', '.join(shapes)}."
    says = [line for mistake in mistakes for line in wrap(mistake.says, 90)]
    return [text, *_source(own, text), with_, *says]


def _source(own, said):
    """The line of a file that a sentence names at its beginning, indented: [] if it names none."""
    match = re.match(rf"{re.escape(own.path)}, line (\d+)", said)
    lines = own.text.splitlines()
    return (
        [f"    {lines[int(match[1]) - 1].strip()}"] if match and int(match[1]) <= len(lines) else []
    )


# ---- which mistake it is


def outputs_of(mistake):
    """The outputs that a mistake spoils."""
    return (mistake.output,) if isinstance(mistake.output, str) else mistake.output


def recognised(exercise, pairs, wrong):
    """The known mistakes by which the outputs that are wrong are explained: [Mistake]."""
    blind = all(answer.crash for _, answer in pairs)
    return [
        mistake
        for mistake in exercise.mistakes
        if any(output in wrong for output in outputs_of(mistake))
        and all(_agrees(answer, returned(exercise, mistake, case), blind) for case, answer in pairs)
    ]


def returned(exercise, mistake, case):
    """What a mistake would return in a case, {output: array}, or the Crash that it would be."""
    try:
        with np.errstate(all="ignore"):
            values = mistake.returns(case.known)
            values = (values,) if isinstance(mistake.output, str) else values
            return {
                output: _added(case, output, value) if output in exercise.added else np.array(value)
                for output, value in zip(outputs_of(mistake), values, strict=True)
            }
    except (ValueError, IndexError, ZeroDivisionError) as error:
        return crash_of(error)


def _added(case, output, value):
    """What is left of a value when it is added to the array that is there, as NumPy does."""
    before = case.inputs[f"{output}_before"]
    total = before.copy()
    total += value
    return total - before


def _agrees(answer, found, blind):
    """Whether an answer is what a mistake returns. Where a case ends in an error, that of the other
    must be of the same kind; if all of them do (blind), it must say the same.
    """
    if answer.crash or isinstance(found, Crash):
        if not (answer.crash and isinstance(found, Crash)):
            return False
        kinds = {answer.crash.kind, found.kind}
        return answer.crash.said == found.said if blind else len(kinds) == 1 or kinds <= UNFIT
    return all(
        output in answer.values
        and answer.values[output].shape == value.shape
        and answer.values[output].dtype.kind in "iuf"
        and _same(answer.values[output], value)
        for output, value in found.items()
    )
