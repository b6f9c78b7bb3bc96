"""How fast the networks are: reports/bench.md with its chart and data, and the tables on the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from port.console import print_wide, stdout
from port.files import whole_file, write_json, write_text
from port.report import markdown_parts
from port.report.bench_chart import draw_bench
from port.report.words import FRAMEWORKS, MEASURED, NOTHING, cell, measured

MIB = 1 << 20
WIDTH = 140  # characters, where that is no terminal
TIMES = ("framework", "subject", "clip", "seconds", "seconds per frame", "peak memory", "rounds")
GOALS = ("goal", "ratio or figure", "wanted", "")
RATIOS = ("ratio", "median (lowest .. highest)")
OPERATIONS = ("framework", "clip", "subject", "operations", "share of the measured peak")
NOT_OF_THE_CLIP = ("small", "growth")  # places whose process has run a longer clip before: it holds that one's memory
GROWTH = ("framework", "line", "off by at most", "quadratic", "off by at most", "per frame, longest by shortest")
EXPLAINED = (
    "Seconds are medians over the rounds, with the lowest and the highest in brackets. In a round every framework and subject "
    "has one turn, each in a process of its own that has run once before (where nothing is made ready for a clip, and before "
    "the 100 frames of a CPU, on one of two frames), and nothing else runs meanwhile. A ratio is taken within each round; its "
    "median stands here with the lowest and the highest round. Peak memory is all that the process holds, framework included. "
    "It is left out where the process has run a longer clip before, and of the convolutions alone, of which it means nothing. "
    "MindSpore's convolutions alone are compiled apart from what would be fused with them: they are no bound, and its whole "
    "network may be faster."
)


def write_bench_report(path: Path, result: Mapping[str, Any]) -> None:
    """The page, and beside it the chart (.png) and the data (.json) under the same name."""
    picture = draw_bench(result)
    if picture:
        with whole_file(path.with_suffix(".png")) as draft:
            draft.write_bytes(picture)
    write_json(path.with_suffix(".json"), result)
    write_text(path, markdown(result, path.with_suffix(".png").name if picture else None))


def markdown(result: Mapping[str, Any], picture: str | None) -> str:
    """The page."""
    parts = ["# How fast, and how close to what the machine can do", about(result)]
    parts += [f"![Seconds per frame]({picture})"] if picture else []
    for title, header, rows in tables(result):
        if rows:
            parts += [f"## {title}", markdown_parts.table(header, [[cell(one) for one in row] for row in rows])]
    parts += [EXPLAINED, *remarks(result), "## Where", "\n".join(f"- {cell(line)}" for line in places(result))]
    return "\n\n".join(parts) + "\n"


def show(result: Mapping[str, Any]) -> None:
    """The tables on stdout."""
    for title, header, rows in tables(result):
        if rows:
            table = Table(*header, title=title, title_justify="left")
            for row in rows:
                table.add_row(*row)
            print_wide(table, WIDTH)
    for line in remarks(result):
        stdout.print(line, markup=False, soft_wrap=True)
    stdout.print(verdict(result), markup=False, soft_wrap=True)


def about(result: Mapping[str, Any]) -> str:
    """What was measured, in sentences."""
    net, stopped = result["network"], result["stopped"]
    return (
        f"TTVSR with {net['mid_channels']} channels and {net['num_blocks']} blocks, weights {cell(result['weights'])}, "
        f"float32 but where another type is named. {verdict(result)}\n\n"
        f"Made by `{cell(result['command'])}` in {result['seconds']:.0f} s, {result['created']}."
        + (f" It ended early, and this is what was measured until then: {cell(stopped)}." if stopped else "")
        + (f" Neither its floors nor goals by them can be relied on: {cell(result['doubt'])}" if result["doubt"] else "")
    )


def verdict(result: Mapping[str, Any]) -> str:
    known = [goal["reached"] for goal in result["goals"] if goal["reached"] is not None]
    rest = len(result["goals"]) - len(known)
    if not known:
        return "No goal was judged: they are set for the published size, its clips and a CPU of two cores."
    left = f"; {rest} were not measured, or are not for this clip or machine" if rest else ""
    return f"{sum(known)} of {len(known)} goals that were measured are reached{left}."


def tables(result: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str], list[tuple[str, ...]]]]:
    """(title, header, rows) of all of them."""
    yield "Goals", GOALS, [goal_row(goal) for goal in result["goals"]]
    yield "Times", TIMES, [time_row(row) for row in result["rows"] if row["subject"] in MEASURED]
    yield "Ratios without a goal", RATIOS, [
        (one["title"], value_of(one)) for one in result["ratios"] if one["value"]
    ]  # fmt: skip
    yield "Growth with the number of frames", GROWTH, [
        growth_row(name, one) for name, one in result["growth"].items()
    ]  # fmt: skip
    yield "Operations", OPERATIONS, [
        row for name, one in result["operations"].items() for row in operation_rows(name, one)
    ]  # fmt: skip


def goal_row(goal: Mapping[str, Any]) -> tuple[str, ...]:
    """Title, figure, bound, whether it is reached."""
    bound = f"at most {goal['most']:g}" if goal["most"] is not None else f"at least {goal['least']:g}"
    unknown = "not for this network, clip or machine" if goal["value"] else "not measured"
    word = {True: "reached", False: "missed", None: unknown}[goal["reached"]]
    return goal["title"], value_of(goal), bound + goal["word"].replace("x", ""), word


def value_of(goal: Mapping[str, Any]) -> str:
    """Median and spread."""
    held, word = goal["value"], goal["word"].replace("x", "")
    return NOTHING if held is None else f"{spread([held['median'], held['lowest'], held['highest']])}{word}"


def time_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    """One line of the table of times."""
    seconds, clip, frames = row["seconds"], NOTHING, NOTHING
    if "height" in row:
        clip = clip_of(row) + (f", batch {row['batch']}" if "batch" in row else "")
        frames = f"{median(seconds) / row['frames']:.3g}" if "batch" not in row else NOTHING
    known = "floor" not in row["subject"] and row["place"] not in NOT_OF_THE_CLIP and row["peaks"] and None not in row["peaks"]
    held = row["peaks"] if known else None
    name = FRAMEWORKS.get(row["framework"], "both")
    return (
        name, measured(row), clip, spread([median(seconds), min(seconds), max(seconds)]), frames,
        f"{max(held) / MIB:.0f} MiB" if held else NOTHING, str(len(seconds)),
    )  # fmt: skip


def clip_of(about: Mapping[str, Any]) -> str:
    return f"{about['frames']} of {about['width']}x{about['height']}"


def growth_row(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    """The fits of one framework."""
    words = []
    for kind in ("line", "quadratic"):
        if kind in found:
            terms = [
                f"{number:.3g}{power}"
                for number, power in zip(found[kind]["coefficients"], ("", " t", " t²"), strict=False)
            ]
            words += [" + ".join(terms) + " s", f"{found[kind]['largest_deviation']:.1%}"]
        else:
            words += [NOTHING, NOTHING]
    shortest, longest = min(found["frames"]), max(found["frames"])
    return FRAMEWORKS[name], *words, f"{found['per_frame_longest_by_shortest']:.2f} ({longest} by {shortest} frames)"


def operation_rows(name: str, found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Counted operations of every clip, and the share of the peak at which each subject does them."""
    rate = found["best"]["per_second"] / 1e9
    return [
        (
            FRAMEWORKS[name], clip_of(one), MEASURED[subject] + ", --fast" * (subject == "fast"),
            f"{one['operations'] / 1e9:.1f} G in {one['calls']} convolutions", f"{share:.0%} of {rate:.0f} G/s",
        )
        for one in found["places"].values()
        for subject, share in one["shares"].items()
    ]  # fmt: skip


def remarks(result: Mapping[str, Any]) -> list[str]:
    """What else was timed, in sentences."""
    said = []
    for name, found in result["operations"].items():
        said.append(
            f"{FRAMEWORKS[name]} at best: a large matrix product {found['matmul_per_second'] / 1e9:.0f} G operations a second, "
            f"a large convolution {found['convolution_per_second'] / 1e9:.0f} G; shares refer to {best_of(found['best'])}."
        )
    if any("winograd" in row.get("ways", ()) for row in result["rows"]):
        said.append(
            "Operations are those of the convolutions as they are defined. Winograd's algorithm (--fast winograd) gets the "
            "same result by fewer, so its share can exceed 100 %."
        )
    if suite := result["suite"]:
        outcome = "passed" if suite["passed"] else "did NOT pass"
        said.append(f"The parity suite ({suite['command']}) took {suite['seconds']:.0f} s and {outcome}.")
    return said


def best_of(best: Mapping[str, Any]) -> str:
    """What the machine did fastest, in words."""
    kind = {"matmul": "matrix product", "convolution": "convolution"}[best["kind"]]
    return f"{FRAMEWORKS[best['framework']]}'s large {kind}"


def spread(numbers: Sequence[float]) -> str:
    """Median, lowest, highest in words; the brackets are left out where there is one number."""
    middle, lowest, highest = (f"{number:.3g}" for number in numbers)
    return middle if lowest == highest else f"{middle} ({lowest} .. {highest})"


def places(result: Mapping[str, Any]) -> list[str]:
    """Machine, versions and settings."""
    own = result["environment"]
    backends = {row["framework"]: row["backend"] for row in result["rows"] if "backend" in row}
    lines = [
        f"{own['processor']} ({', '.join(own['instructions']) or 'instructions unknown'}), {own['cores']} cores, "
        f"{own['memory'] / (1 << 30):.0f} GiB, {own['platform']}, Python {own['python']}, numpy {own['numpy']}"
    ]
    for name, backend in backends.items():
        rest = ", ".join(
            f"{key} {value}" for key, value in backend.items() if key not in ("framework", "version", "device")
        )
        lines.append(f"{FRAMEWORKS[name]} {backend['version']} on {backend['device']}" + f"; {rest}" * bool(rest))
    if own["settings"]:
        lines.append("environment: " + ", ".join(f"{name}={value}" for name, value in own["settings"].items()))
    return lines
