"""The verb `selftest`: the scoreboard of planted mistakes."""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from port import console
from port.errors import PARITY_FAILED, PASSED, UsageError
from port.report.selftest_report import show, write_selftest_report
from port.selftest import run
from port.selftest.blind import BLIND, SWEEPS
from port.selftest.fault import Control, Fault
from port.selftest.score import summary
from port.selftest.zoo import NETWORKS

QUICK = ("vision", "choices")  # networks that start soonest
QUICK_FAULTS, QUICK_CONTROLS = 6, 2  # of each
QUICK_VIDEO = ("gain left out", "two at once: attention, fusion")  # of TTVSR


def add_verb(verbs, epilog: str) -> None:
    """`selftest` and its flags."""
    parser = verbs.add_parser("selftest", help="plant known mistakes and see whether they are found", epilog=epilog)
    parser.add_argument("--only", metavar="NETWORKS", help=f"comma-separated, of: {', '.join(NETWORKS)}")
    parser.add_argument("--quick", action="store_true", help="a few mistakes in two networks, about a minute")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the table as Markdown")
    parser.add_argument("--json", action="store_true", help="print the figures and every case on stdout")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def run_selftest(args: argparse.Namespace) -> int:
    """Run the cases asked for and say what was found. -> 0 where the goals are reached, otherwise 1"""
    networks = chosen_networks(args.only, args.quick)
    cases = [case for network in networks for case in of_network(network, args.quick)]
    cases += [case for case in run.FAULTS if case.name in QUICK_VIDEO and args.quick and args.only is None]
    blind = [] if args.quick else [entry for entry in BLIND if entry.case.network in networks]
    sweeps = [] if args.quick else [sweep for sweep in SWEEPS if sweep.network in networks]
    start = time.perf_counter()
    sizes = [case for sweep in sweeps for _, case in sweep.cases()]
    found = judge_all([*cases, *(entry.case for entry in blind), *sizes], args.quiet)
    outcomes = {outcome.case: outcome for outcome in found}
    result = summary(
        [outcomes[case] for case in cases],
        [(entry, outcomes[entry.case]) for entry in blind],
        [(sweep, [(size, outcomes[case]) for size, case in sweep.cases()]) for sweep in sweeps],
    )
    result["seconds"] = round(time.perf_counter() - start, 1)
    if args.report:
        write_selftest_report(args.report, result)
    if args.json:
        console.print_json(result)
    else:
        show(result)
    return PASSED if result["reached"] else PARITY_FAILED


def chosen_networks(only: str | None, quick: bool) -> tuple[str, ...]:
    """Raises UsageError for a network that does not exist."""
    if only is None:
        return QUICK if quick else NETWORKS
    names = tuple(dict.fromkeys(only.split(",")))
    if unknown := [name for name in names if name not in NETWORKS]:
        raise UsageError(f"--only: there is no network {unknown[0]!r}; known: {', '.join(NETWORKS)}.")
    return names


def of_network(network: str, quick: bool) -> list[Fault | Control]:
    """Harmless changes and mistakes of one network; with `quick` some of each, spread over the table."""
    controls = [case for case in run.CONTROLS if case.network == network]
    faults = [case for case in run.FAULTS if case.network == network]
    if quick:
        controls, faults = controls[:QUICK_CONTROLS], faults[:: -(-len(faults) // QUICK_FAULTS)]
    return controls + faults


def judge_all(cases: Sequence[Fault | Control], quiet: bool = False) -> list[run.Outcome]:
    """All cases, those of one network together, with progress shown."""
    cases = sorted(cases, key=lambda case: NETWORKS.index(case.network))
    with tempfile.TemporaryDirectory(prefix="port-selftest-") as work, console.progress(quiet) as display:
        task = display.add_task("planted mistakes", total=len(cases))
        return run.run(cases, Path(work), lambda case: display.advance(task))
