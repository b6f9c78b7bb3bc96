"""Two reports on the same pair: what got better or worse since the earlier one."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from port.errors import PortError
from port.parity.compare import Stage
from port.report.words import cell

LISTED = 8  # sites written out on the terminal and in report.md; report.json has all
SIDES = ("reference", "port")
LEFT_OUT = "not compared"  # how the note of a site begins that sites.csv lists and nobody judged
OF_THE_RUN = frozenset({"command"})  # differs from run to run and says nothing about what computed


@dataclass(frozen=True)
class Earlier:
    """An earlier report.

    sites  {(stage, site): reason, "" where it passed}; of an old report without sites.csv the failing ones that it lists
    whole  whether `sites` has every site that was compared
    """

    path: Path
    report: Mapping
    sites: Mapping[tuple[str, str], str]
    whole: bool


def read_earlier(path: Path) -> Earlier:
    """From a report's folder or its report.json. Raises PortError where there is none or one of another kind."""
    file = path / "report.json" if path.is_dir() else path
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        stages = report["stages"]
        report["verdict"], report["root_causes"], report["coverage"]["stages"], report["environment"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PortError(
            f"--diff {path}: no report of `port verify --pair` or `port compare` there ({type(error).__name__}: "
            f"{error}). Name its folder or its report.json."
        ) from error
    table = file.with_name("sites.csv")
    if table.is_file():
        with open(table, encoding="utf-8", newline="") as rows:
            compared = [row for row in csv.DictReader(rows) if not (row.get("note") or "").startswith(LEFT_OUT)]
        sites = {(row["stage"], row["site"]): row.get("reason") or "" for row in compared}
        return Earlier(path, report, sites, whole=True)
    listed = {(name, row["site"]): row["reason"] for name, stage in stages.items() for row in stage.get("failing", ())}
    return Earlier(path, report, listed, whole=False)


def make_diff(earlier: Earlier, report: Mapping, stages: Mapping[str, Stage]) -> dict[str, object]:
    """What changed, for report.json.

    stages  the sites of the new run
    """
    old = earlier.report
    now: dict[tuple[str, str], str] = {}
    for name, row in ((name, row) for name, stage in stages.items() for row in stage.rows):
        now[name, row.site] = now.get((name, row.site)) or row.reason or ""  # training may judge a site twice
    before, lost = earlier.sites, coverage_lost(earlier, report, now)
    failing = [key for key, why in now.items() if why and not before.get(key)]
    mended = [key for key, why in before.items() if why and now.get(key) == ""]
    known = {(cause["module"], cause["stage"]): cause for cause in old["root_causes"]}
    causes = {(cause["module"], cause["stage"]): cause for cause in report["root_causes"]}
    diff = {
        "old": str(earlier.path),
        "old_created": old.get("created"),
        "verdict": [old["verdict"], report["verdict"]],
        "causes": {
            "gone": [said(known[key]) for key in known if key not in causes],
            "new": [said(causes[key]) for key in causes if key not in known],
            "still": [said(causes[key]) for key in causes if key in known],
        },
        "stages": {name: stage_change(name, old, report) for name in {**old["stages"], **report["stages"]}},
        "newly_failing": [{"stage": stage, "site": site, "reason": now[stage, site]} for stage, site in failing],
        "mended": [{"stage": stage, "site": site} for stage, site in mended],
        "coverage_lost": lost,
        "environment": environment_changes(old["environment"], report["environment"]),
        "notes": notes(earlier),
    }
    diff["regressions"] = regressions(diff)
    return diff


def said(cause: Mapping) -> dict[str, str]:
    """What identifies a root cause, and what it looks like."""
    return {key: cause[key] for key in ("module", "stage", "diagnosis")}


def stage_change(name: str, old: Mapping, new: Mapping) -> dict[str, list]:
    """[before, now] of a stage's verdict, number of failing sites, largest ratio; None where the stage is missing."""
    pairs = [report["stages"].get(name) for report in (old, new)]
    ratio = lambda stage: (stage.get("worst") or {}).get("error_ratio")  # noqa: E731
    return {
        "verdict": [stage and stage["verdict"] for stage in pairs],
        "failing": [stage and stage["failing_total"] for stage in pairs],
        "largest_ratio": [stage and ratio(stage) for stage in pairs],
    }


def coverage_lost(earlier: Earlier, report: Mapping, now: Mapping) -> list[dict[str, object]]:
    """Per stage: sites that were compared and no longer are, by name where the old report has them, else by number."""
    lost = []
    for name, covered in earlier.report["coverage"]["stages"].items():
        compared = report["coverage"]["stages"].get(name, {}).get("sites_compared", 0)
        gone = [site for stage, site in earlier.sites if stage == name and (name, site) not in now]
        if len(gone) or compared < covered["sites_compared"]:
            counts = [covered["sites_compared"], compared]
            lost.append({"stage": name, "compared": counts, "sites": gone})
    return lost


def environment_changes(old: Mapping, new: Mapping) -> list[dict[str, object]]:
    """Versions, devices and the like that differ, side by side."""
    changes = []
    for side in SIDES:
        before, now = flat(old.get(side, {})), flat(new.get(side, {}))
        changes += [
            {"side": side, "what": key, "old": before.get(key), "new": now.get(key)}
            for key in {**before, **now}
            if before.get(key) != now.get(key) and key not in OF_THE_RUN
        ]
    return changes


def flat(table: Mapping, above: str = "") -> dict[str, object]:
    """{"a": {"b": 1}} -> {"a.b": 1}"""
    items = {}
    for key, value in table.items():
        items |= flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return items


def notes(earlier: Earlier) -> list[str]:
    """What the old report cannot say."""
    if earlier.whole:
        return []
    hidden = {name: stage["failing_total"] - len(stage["failing"]) for name, stage in earlier.report["stages"].items()}
    found = ["the earlier report has no sites.csv: sites that left the comparison are counted, not named"]
    found += [f"{name}: {n} failing sites of the earlier report are not listed there, so they show as newly failing"
              for name, n in hidden.items() if n > 0]  # fmt: skip
    return found


def regressions(diff: Mapping) -> list[str]:
    """Everything that is worse than before, in words. Also where the verdict is the same."""
    worse = []
    if diff["verdict"] == ["pass", "fail"]:
        worse.append("the verdict was pass and is fail")
    worse += [f"new root cause: {named(cause)}" for cause in diff["causes"]["new"]]
    if diff["newly_failing"]:
        worse.append(f"{len(diff['newly_failing'])} sites fail that did not")
    for entry in diff["coverage_lost"]:
        old, new = entry["compared"]
        worse.append(f"coverage of {entry['stage']}: {old} sites were compared, now {new}")
    return worse


def named(cause: Mapping) -> str:
    return f"{cause['module'] or 'the network itself'} ({cause['stage']}): {cause['diagnosis']}"


def diff_lines(diff: Mapping) -> list[str]:
    """The part of report.md, which is what the terminal shows, too."""
    old, new = diff["verdict"]
    lines = [f"## Since {cell(diff['old'])}", "", f"Verdict: {old}, now {new}.", ""]
    lines += [f"- worse: {cell(text)}" for text in diff["regressions"]]
    lines += [f"- gone: {cell(named(cause))}" for cause in diff["causes"]["gone"]]
    lines += [f"- still there: {cell(named(cause))}" for cause in diff["causes"]["still"]]
    for name, change in diff["stages"].items():
        if change["failing"][0] != change["failing"][1]:
            lines.append(
                f"- {name}: failing {shown(change['failing'])}, largest ratio {shown(change['largest_ratio'])}"
            )
    lines += listed("fails now", [f"{row['stage']} `{cell(row['site'])}`: {cell(row['reason'])}"
                                  for row in diff["newly_failing"]])  # fmt: skip
    lines += listed("mended", [f"{row['stage']} `{cell(row['site'])}`" for row in diff["mended"]])
    gone = [f"{entry['stage']} `{cell(site)}`" for entry in diff["coverage_lost"] for site in entry["sites"]]
    lines += listed("no longer compared", gone)
    lines += [
        f"- environment: {row['side']} {cell(row['what'])} was {cell(row['old'])}, is {cell(row['new'])}"
        for row in diff["environment"]
    ]
    lines += [f"- note: {cell(text)}" for text in diff["notes"]]
    return [*(lines if len(lines) > 4 else [*lines, "Nothing changed."]), ""]


def shown(pair: list) -> str:
    """ "3 -> 0", with - for what there is not."""
    return " -> ".join("-" if value is None else f"{value:.3g}" for value in pair)


def listed(what: str, entries: list[str]) -> list[str]:
    """The first entries, and how many more there are."""
    more = len(entries) - LISTED
    return [f"- {what}: {entry}" for entry in entries[:LISTED]] + [f"- {what}: {more} more"] * (more > 0)
