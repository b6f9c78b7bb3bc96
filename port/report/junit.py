"""JUnit for a build server: every site is a test case, every stage a suite."""

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from port.files import whole_file
from port.parity.compare import Stage


def write_junit(path: Path, stages: Mapping[str, Stage]) -> None:
    """What was not compared is skipped, never passed. A stage that broke off, or without a site, fails as a case of its own.

    The file is red exactly where a stage is: in every suite tests = failures + skipped + those that passed.
    """
    root = ElementTree.Element("testsuites", name="parity")
    for name, stage in stages.items():
        suite(root, name, stage)
    for total in ("tests", "failures", "skipped"):
        root.set(total, str(sum(int(each.get(total)) for each in root)))
    root.set("errors", "0")
    with whole_file(path) as draft:
        ElementTree.ElementTree(root).write(draft, encoding="utf-8", xml_declaration=True)


def suite(root: ElementTree.Element, name: str, stage: Stage) -> None:
    """One stage."""
    element = ElementTree.SubElement(root, "testsuite", name=text(name), errors="0")
    if why := whole_stage(stage):
        failure(case(element, name, "the stage as a whole"), why)
    for row in stage.rows:
        made = case(element, name, row.site)
        if row.reason:
            failure(made, row.reason)
    for site, why in stage.skipped:
        ElementTree.SubElement(case(element, name, site), "skipped", message=text(why))
    element.set("tests", str(len(element.findall("testcase"))))
    element.set("failures", str(len(element.findall("testcase/failure"))))
    element.set("skipped", str(len(element.findall("testcase/skipped"))))


def whole_stage(stage: Stage) -> str | None:
    """Why a stage fails whatever its sites say. One whose sites were all left out is skipped with them."""
    if stage.broke_off:
        return f"broke off: {stage.broke_off}"
    return None if stage.rows or stage.skipped else "nothing was compared"


def case(element: ElementTree.Element, stage: str, site: str) -> ElementTree.Element:
    """One test case; time is required by some readers, and sites have none of their own."""
    return ElementTree.SubElement(element, "testcase", classname=text(stage), name=text(site), time="0")


def failure(element: ElementTree.Element, why: str) -> None:
    ElementTree.SubElement(element, "failure", message=text(why), type="parity").text = text(why)


def text(value: str) -> str:
    """XML has no place for control characters and lone surrogates, which names of modules may hold."""
    return "".join(c if c.isprintable() else "?" for c in value)
