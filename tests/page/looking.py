"""How the tests look at a page: a browser without a window, and what it shows."""

import json
import shutil
import time

try:
    from selenium.webdriver import ActionChains, Keys
    from selenium.webdriver.support.ui import Select
except ImportError:  # then every test that looks is skipped
    ActionChains = Keys = Select = None

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 20  # to wait for what should come at once, on a busy machine


def why_not():
    """Why there is no browser to look with; None if there is one."""
    if Keys is None:
        return "Selenium is not installed"
    if not any(map(shutil.which, BROWSERS)) or not shutil.which("chromedriver"):
        return "no browser: Debian's chromium and chromium-driver are not installed"
    return None


def start():
    """A browser of which the console and the requests are logged."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = next(filter(None, map(shutil.which, BROWSERS)))
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def requests(browser):
    """The addresses that were asked for since the last time."""
    events = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    return [url for url in asked if not url.startswith(("data:", "about:"))]


class Looked:
    """A page in the browser."""

    def __init__(self, browser, path, chosen="", width=1024, scheme="light"):
        self.browser, self.js = browser, browser.execute_script
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        features += [{"name": "prefers-reduced-motion", "value": "reduce"}]  # scroll at once
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get("about:blank")
        browser.get(path.as_uri() + chosen)
        self.wait(
            "[...document.querySelectorAll('.chart')].every(chart => chart.dataset.drawn > 0)"
        )

    def wait(self, condition):
        """Wait until a condition in the page's language is true."""
        end = time.monotonic() + SECONDS
        while not self.js(f"return {condition}"):
            assert time.monotonic() < end, f"not so after {SECONDS} seconds: {condition}"
            time.sleep(0.05)

    def all(self, css):
        return self.browser.find_elements("css selector", css)

    def one(self, css):
        return self.browser.find_element("css selector", css)

    def text(self, css):
        """The text of an element that is shown, in one line."""
        return " ".join(self.one(css).text.split())

    def table(self, css):
        """The cells of a table, without its head."""
        rows = self.js(
            "return [...document.querySelector(arguments[0]).tBodies[0].rows].map("
            "row => [...row.cells].map(cell => cell.innerText.trim()))", css,
        )  # fmt: skip
        return rows

    def changed(self, chart, act):
        """Do something, and wait until the chart has been drawn again."""
        before = self.js("return Number(document.querySelector(arguments[0]).dataset.drawn)", chart)
        act()
        self.wait(f"Number(document.querySelector('{chart}').dataset.drawn) > {before}")

    def choose(self, name, value):
        """Choose a value in a list of the explorer."""
        place = Select(self.one(f"#choices select[data-choice={name}]"))
        self.changed("#curves", lambda: place.select_by_value(value))

    def tick(self, css, chart="#curves"):
        self.changed(chart, self.one(css).click)

    def lines(self, chart="#curves"):
        """How many lines a chart has."""
        return len(self.all(f"{chart} .mark-line path"))

    def legend(self, chart):
        """[(name, the dashes of its symbol, its shape)] of the legend of a chart."""
        return self.js(
            "return [...document.querySelectorAll(arguments[0] + ' .role-legend-entry')].flatMap("
            "legend => [...legend.querySelectorAll('.role-legend-symbol path')].map((path, k) => ["
            "legend.querySelectorAll('.role-legend-label text')[k].textContent, "
            "path.getAttribute('stroke-dasharray'), path.getAttribute('d')]))", chart,
        )  # fmt: skip

    def axis(self, chart, axis):
        """(the title, the labels) of an axis of a chart, "x" or "y"."""
        for role in self.all(f"{chart} g[aria-label^='{axis.upper()}-axis titled']"):
            labels = [
                each.text for each in role.find_elements("css selector", ".role-axis-label text")
            ]
            title = role.find_elements("css selector", ".role-axis-title text")
            return (title[0].text if title else ""), labels
        raise AssertionError(f"{chart} has no axis {axis}")

    def hover(self, chart, which):
        """Move the pointer to the mark whose datum fulfils a condition; return the tip's text."""
        mark = self.js(
            f"return [...document.querySelectorAll('{chart} path')].find(path => "
            f"{{ const datum = path.__data__?.datum; return datum?.tip && ({which}); }})"
        )
        assert mark, which
        self.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", mark)
        ActionChains(self.browser).move_to_element(mark).perform()
        self.wait("document.querySelector('#vg-tooltip-element.visible')")
        return self.text("#vg-tooltip-element")
