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

WIDTH = 90  # of what is said, in letters
FEW = 3  # cases that are named; more are counted
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
    cases, right = list(EXERCISES[name].cases()), EXERCISES[name].right
    for case in cases:
        case.right = {k: np.array(value, float) for k, value in right(**case.inputs).items()}
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
    with np.errstate(all="ignore"):  # what is not finite is wrong, which is said
        return _compared(exercise, own, pairs)


def _compared(exercise, own, pairs):
    """The Verdict on answers without an error."""
    right = pairs[0][0].right
    problems = {output: said for output in right if (said := _problem(output, pairs))}
    changed = sorted({name for _, answer in pairs for name in answer.changed})
    asked_for = [output for output in right if output not in exercise.given]
    if not changed and not problems:
        entries = sum(case.right[output].size for case, _ in pairs for output in asked_for)
        compared = f"{entries} numbers in {len(pairs)} cases compared with {exercise.judge}"
        return Verdict(True, [f"{own.path} is right: {compared}."], [])
    mistakes = recognised(exercise, pairs, problems)
    lines = [f"{own.path} is not right yet. Compared with {exercise.judge}:", ""]
    returned = {output for _, answer in pairs for output in (*answer.values, *answer.amiss)}
    shown = [k for k in right if k in asked_for or (k in problems and k in returned)]
    margin, told = 2 + max(map(len, shown)), []
    for output in shown:
        if output not in problems:
            lines.append(f"{output:<{margin}}right")
            continue
        known = [mistake for mistake in mistakes if output in outputs_of(mistake)]
        if output in exercise.given:
            says = [f"{output} comes from the part that was given to you: it has been changed."]
        else:
            says = [m.says for m in known[:1] if m not in told] if known else _clues(output, pairs)
        told += known
        text = [f"wrong: {problems[output]}", *says]
        first, *rest = (line for each in text for line in wrap(each, WIDTH - margin))
        lines += [f"{output:<{margin}}{first}", *(" " * margin + line for line in rest)]
    if changed:
        lines += wrap(
            f"Your code changes {' and '.join(changed)}. What is given to it is still needed "
            "elsewhere: make a new array, or change a copy, A.copy().",
            WIDTH,
        )
    return Verdict(False, lines, mistakes)


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
    return not wanted.size or bool(compare("", np.asarray(value), np.asarray(wanted)).passed)


def _entry(output, value, wanted):
    """The entry that is furthest from what it should be, in words."""
    with np.errstate(all="ignore"):
        place = np.unravel_index(np.argmax(np.abs(value - wanted)), wanted.shape)
    where = f"[{', '.join(map(str, place))}]" if place else ""
    return f"{output}{where} is {value[place]:.5g} and should be {wanted[place]:.5g}"


def _clues(output, pairs):
    """What may help with a mistake that is not known: sentences."""
    found = [(case, answer.values.get(output), case.right[output]) for case, answer in pairs]
    for _, value, wanted in found:
        if value is None or value.shape != wanted.shape or value.dtype.kind not in "iuf":
            return []
    bad = [each for each in found if not _same(each[1], each[2])]
    good = [each for each in found if _same(each[1], each[2])]
    fewer, word = min((bad, "wrong"), (good, "right"), key=lambda pair: len(pair[0]))
    says = []
    if good:
        words = "; ".join(case.words for case, *_ in fewer[:FEW])
        says = [f"It is {word} only with {words}."]
        if len(fewer) > FEW:
            says = [f"It is {word} in {len(fewer)} of {len(found)} cases, such as {words}."]
    factors = [_factor(value, wanted) for _, value, wanted in bad if wanted.size > 1]
    if factors and None not in factors:
        said = " or ".join(dict.fromkeys(f"{factor:.4g}" for factor in factors))
        says.append(f"Where {output} is wrong, all of it is what it should be, times {said}.")
    return says


def _factor(value, wanted):
    """By what number the right array is multiplied; None if by no single one."""
    length = float((wanted * wanted).sum())
    factor = float((value * wanted).sum()) / length if length else 0.0
    return factor if _same(value, factor * wanted) else None


def _crashed(exercise, own, case, crash, mistakes):
    if crash.kind == "NotImplementedError" and crash.line:
        return [f"{own.path}, line {crash.line}: {exercise.task} is still to be written."]
    where = f"{own.path}, line {crash.line}: " if crash.line else f"{own.path}: "
    text = f"{where}{crash.said}"
    shapes = [
        f"{name} {value.shape}" if value.shape else f"{name} = {value:g}"
        for name, value in ((name, np.asarray(case.inputs[name])) for name in exercise.shown)
    ]
    called = f"It was called with {case.words}{': ' if shapes else ''}{', '.join(shapes)}."
    says = [line for mistake in mistakes for line in wrap(mistake.says, WIDTH)]
    return [text, *_source(own, text), *wrap(called, WIDTH), *says]


def _source(own, said):
    """The line of a file that a sentence names at its beginning, indented: [] if it names none."""
    match = re.match(rf"{re.escape(own.path)}, line (\d+)", said)
    number = int(match[1]) if match else 0
    return [f"    {line.strip()}" for line in own.text.splitlines()[number - 1 : number] if number]


# ---- which mistake it is


def outputs_of(mistake):
    """The outputs that a mistake spoils."""
    return (mistake.output,) if isinstance(mistake.output, str) else mistake.output


def recognised(exercise, pairs, wrong):
    """The known mistakes by which the outputs that are wrong are explained: [Mistake].

    An error is explained, too: the first one. Cases that end in one of another line tell nothing.
    """
    lines = [answer.crash.line for _, answer in pairs if answer.crash]
    pairs = [
        (c, answer) for c, answer in pairs if not answer.crash or answer.crash.line == lines[0]
    ]
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
        and answer.values[output].dtype.kind in "biuf"
        and _same(answer.values[output], value)
        for output, value in found.items()
    )
