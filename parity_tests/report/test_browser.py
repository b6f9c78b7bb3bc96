"""The page of a pair in a real browser without a network: it loads in silence, the tree opens, filters, searches."""

import shutil
import time

import pytest

from parity_tests.report.made_pair import WRONG, made_pair
from port.report import sections
from port.report.pair_report import write_pair_report

webdriver = pytest.importorskip("selenium.webdriver")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HOSTILE = "<img src=x onerror=window.hostile=1></script><script>window.hostile=1</script>"
MANY = tuple(
    f"stage{i // 250}.block{i // 10 % 25}.layer{i % 10}" for i in range(1200)
)  # as many parameters, 14,400 calls
DOT = b"\x89PNG"  # no picture, and no trouble for a page that does not show it
LEAVES = "#tree-body .leaf"


@pytest.fixture(scope="module")
def browser():
    """A headless browser that is told to be offline."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("no chromium with chromedriver on this machine (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "window-size=1280,900"):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    browser.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """pages(name) -> address of a page; each is made once."""
    made = {
        "failing": lambda: made_pair(),
        "passing": lambda: made_pair(wrong=None, note="amplified rounding: all is well"),
        "hostile": lambda: made_pair(wrong=HOSTILE, modules=("conv", HOSTILE), model=HOSTILE),
        "many": lambda: made_pair(wrong=MANY[1000], modules=MANY),
    }
    folder = tmp_path_factory.mktemp("pages")

    def page(name: str) -> str:
        if not (folder / name).exists():
            with pytest.MonkeyPatch.context() as patch:
                if name != "failing":  # pictures take most of the time
                    patch.setattr(sections, "draw_ratios", lambda *_: None)
                    patch.setattr(sections, "draw_heatmap", lambda *_: DOT)
                write_pair_report(folder / name, *made[name]())
        return (folder / name / "report.html").as_uri()

    return page


def troubles(browser) -> list[str]:
    """What the console says since the last time, and every address that something was fetched from."""
    found = [entry["message"] for entry in browser.get_log("browser")]
    for entry in browser.get_log("performance"):
        if '"Network.requestWillBeSent"' in entry["message"]:
            address = entry["message"].partition('"request":')[2].partition('"url":"')[2].partition('"')[0]
            found += [] if address.startswith(("file:", "data:")) else [address]
    return found


def run(browser, script, *arguments):
    return browser.execute_script(f"return {script}", *arguments)


def seen(browser, selector, key) -> list[str]:
    """A property of every element that can be seen."""
    found = "[...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility())"
    return run(browser, f"{found}.map(e => e[arguments[1]])", selector, key)


def texts(browser, selector) -> list[str]:
    return seen(browser, selector, "innerText")


def states(browser) -> set[str]:
    """Of every value that can be seen in the tree."""
    return set(" ".join(seen(browser, LEAVES, "className")).split()) & {"fail", "noted", "pass", "left"}


def shown(browser) -> list[int]:
    """[sites that the filters let through, all sites]"""
    return [int(word) for word in texts(browser, "#tree-count")[0].split() if word.isdigit()]


def search(browser, words):
    """Type into the field; the tree follows when no key has come for 0.12 s."""
    field = browser.find_element("id", "tree-search")
    field.clear()
    field.send_keys(words)
    time.sleep(0.3)


def press(browser, key):
    keys = {
        "ArrowDown": "\ue015",
        "ArrowUp": "\ue013",
        "ArrowLeft": "\ue012",
        "ArrowRight": "\ue014",
        "Enter": "\ue007",
    }
    browser.switch_to.active_element.send_keys(keys[key])


def focused(browser) -> str:
    return run(browser, "document.activeElement.querySelector('.name').textContent")


def test_failing_pair(browser, pages):
    browser.get(pages("failing"))
    assert troubles(browser) == []
    assert browser.title.startswith("FAIL") and texts(browser, "h1") == ["FAIL"]
    assert texts(browser, "h3.culprit") == [WRONG]
    (leaf,) = texts(browser, ".cause-leaf")[:1]
    assert "output" in leaf and "root cause" in leaf and "2e+5" in leaf
    assert "fail" in states(browser)


def test_passing_pair(browser, pages):
    browser.get(pages("passing"))
    assert troubles(browser) == []
    assert texts(browser, "h1") == ["PASS"] and texts(browser, ".cause, .cause-leaf") == []
    assert "Root causes: none" in texts(browser, "p.first")[0]
    browser.find_element("id", "tree-failing").click()
    assert shown(browser)[0] == 0 and texts(browser, "#tree-body details") == []
    browser.find_element("id", "tree-failing").click()
    search(browser, "conv:in0")
    assert states(browser) == {"noted", "pass"} and "amplified rounding" in "".join(texts(browser, LEAVES))


def test_only_what_fails(browser, pages):
    browser.get(pages("failing"))
    everything = shown(browser)
    assert everything[0] == everything[1] > 50
    browser.find_element("id", "tree-failing").click()
    kept = shown(browser)
    assert 0 < kept[0] < kept[1] == everything[1]
    assert states(browser) == {"fail"} and len(texts(browser, LEAVES)) == kept[0]
    browser.find_element("id", "tree-failing").click()
    assert shown(browser) == everything


def test_search_and_stage(browser, pages):
    browser.get(pages("failing"))
    search(browser, "body.0.norm")
    leaves, names = texts(browser, LEAVES), texts(browser, "#tree-body summary .name")
    assert len(leaves) == shown(browser)[0] == 2 * 2 * 3 + 1 + 1 + 3
    assert "body.0.norm" in names and "call 2" in names and not [name for name in names if "act" in name]
    browser.find_element("css selector", "#tree-stage option[value='1']").click()
    assert len(texts(browser, LEAVES)) == 4 and {"forward"} == set(texts(browser, f"{LEAVES} .chip"))
    search(browser, "forward body norm call-that-is-none")
    assert shown(browser)[0] == 0
    search(browser, "BODY.0.NORM")
    assert shown(browser)[0] == 4
    assert troubles(browser) == []


def test_a_root_cause_leads_to_its_site(browser, pages):
    browser.get(pages("failing"))
    browser.find_element("css selector", "a[data-site]").click()
    leaves = texts(browser, LEAVES)
    assert leaves and all("output" in leaf for leaf in leaves) and texts(browser, ".cause-leaf")
    assert run(browser, "document.querySelector('#tree-search').value") == f"forward/{WRONG}:out"


def test_keyboard(browser, pages):
    browser.get(pages("passing"))
    run(browser, "document.querySelector('#tree-body summary').focus()")
    assert focused(browser) == "weights"
    press(browser, "ArrowDown")
    assert focused(browser) == "forward" and texts(browser, LEAVES) == []
    press(browser, "ArrowRight")
    press(browser, "ArrowDown")
    assert focused(browser) == "conv"
    press(browser, "Enter")
    press(browser, "ArrowDown")
    press(browser, "ArrowRight")
    time.sleep(0.1)  # the browser tells of an opened branch after the key
    assert focused(browser) == "call 1" and len(texts(browser, LEAVES)) == 6
    press(browser, "ArrowLeft")
    press(browser, "ArrowLeft")
    assert focused(browser) == "conv" and texts(browser, LEAVES) == []


def test_many_sites_are_drawn_when_asked_for(browser, pages):
    browser.get(pages("many"))
    assert shown(browser)[1] > 15_000
    assert run(browser, "document.querySelectorAll('#tree-body *').length") < 5000
    assert run(browser, "performance.getEntriesByType('navigation')[0].domComplete") < 5000  # ms; 0.4 s as measured
    assert texts(browser, ".cause-leaf")
    start = time.monotonic()
    search(browser, "stage0.block1.layer1:out")
    assert time.monotonic() - start < 5 and 0 < shown(browser)[0] < 50
    assert troubles(browser) == []


def test_names_are_no_markup(browser, pages):
    browser.get(pages("hostile"))
    assert troubles(browser) == [] and run(browser, "window.hostile") is None
    search(browser, "onerror")
    assert run(browser, "window.hostile") is None and HOSTILE.split(".")[0] in "".join(
        texts(browser, "#tree-body .name")
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_follow_the_scheme_and_nothing_is_wider_than_a_phone(browser, pages, scheme):
    feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
    narrow = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
    browser.get(pages("failing"))
    pictures = run(browser, "[...document.images].map(i => [i.naturalWidth, i.currentSrc === i.src])")
    assert len(pictures) == 2 and all(width > 100 and plain == (scheme == "light") for width, plain in pictures)
    assert run(browser, "document.documentElement.scrollWidth") <= 400
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_without_javascript_the_essentials_are_there(browser, pages):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(pages("failing"))
        body = browser.find_element("tag name", "body").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    for part in ("FAIL", WRONG, "nn.LeakyReLU(alpha=0.1)", "accumulated", "The tree needs JavaScript", "[1, 2, 3, 5]"):
        assert part in body, part
    assert "only what fails" not in body


@pytest.mark.parametrize(
    "planted",
    [
        '<img src="http://example.org/x.png">',
        '<script src="https://example.org/x.js"></script>',
        "<script>1</script>",
        '<link rel="stylesheet" href="https://example.org/x.css">',
    ],
)
def test_what_does_not_belong_is_noticed(browser, pages, tmp_path, planted):
    """The page's own policy refuses it, and the console says so."""
    page = tmp_path / "planted.html"
    browser.get(pages("failing"))
    page.write_text(browser.page_source.replace("</header>", f"{planted}</header>"), encoding="utf-8")
    troubles(browser)
    browser.get(page.as_uri())
    assert troubles(browser)
