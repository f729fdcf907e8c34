#!/usr/bin/env python3
"""Opens reports in headless Chromium as people see them: light, dark, on a phone, printed.

report.py FILE.html… [--into FOLDER]    pictures go to FOLDER (default: beside the reports)

Fails if the browser has anything to say (its console, the page's content policy), if the page asks for
anything but itself, or if it is wider than its window or its paper.
"""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile

VIEWS = {  # name: (width, widest, colours, medium); paper is A4, its wide tables across
    "light": (1280, 1280, "light", "screen"),
    "dark": (1280, 1280, "dark", "screen"),
    "phone": (390, 390, "light", "screen"),
    "print": (703, 1032, "light", "print"),
}
TALLEST = 16000  # pixels of a picture


class Browser:
    """Chromium, spoken to through two pipes: messages of JSON, each ended by a zero byte."""

    def __init__(self, profile):
        to_child, self.out = os.pipe()
        self.into, from_child = os.pipe()

        def pipes():
            # The browser expects them as 3 and 4; first out of the way of each other.
            reading, writing = os.dup(to_child), os.dup(from_child)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self.process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=pipes, close_fds=False, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        os.close(to_child)
        os.close(from_child)
        self.buffer, self.last, self.events = b"", 0, []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self.session = session["sessionId"]
        for domain in ["Page", "Log", "Runtime", "Network"]:
            self.ask(f"{domain}.enable")

    session = None

    def receive(self):
        while b"\0" not in self.buffer:
            more = os.read(self.into, 1 << 20)
            if not more:
                raise SystemExit("Chromium ended")
            self.buffer += more
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.receive())

    def end(self):
        self.session = None
        self.ask("Browser.close")
        self.process.wait()


def said(event, url):
    """What an event complains of, if it does."""
    params = event.get("params", {})
    match event.get("method"):
        case "Log.entryAdded":
            return params["entry"]["text"]
        case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
            return json.dumps(params)
        case "Network.requestWillBeSent":
            asked = params["request"]["url"]
            return None if asked == url or asked.startswith("data:,") else f"asked for {asked}"
    return None


def look(browser, report, view, picture):
    """Takes the picture and gives what is wrong."""
    width, widest, colours, medium = VIEWS[view]
    url = report.as_uri()
    browser.events.clear()
    browser.ask("Emulation.setEmulatedMedia", media=medium,
                features=[{"name": "prefers-color-scheme", "value": colours}])
    browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=900,
                deviceScaleFactor=1, mobile=width < 600)
    browser.ask("Page.navigate", url=url)
    browser.wait_for("Page.loadEventFired")
    script = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    found = browser.ask("Runtime.evaluate", expression=script, returnByValue=True)
    wide, tall = found["result"]["value"]
    clip = {"x": 0, "y": 0, "width": width, "height": min(tall, TALLEST), "scale": 1}
    shot = browser.ask("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
    picture.write_bytes(base64.b64decode(shot["data"]))
    if medium == "print":
        pages = browser.ask("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        picture.with_suffix(".pdf").write_bytes(base64.b64decode(pages["data"]))
    wrong = [text for event in browser.events if (text := said(event, url))]
    if wide > widest:
        wrong.append(f"{wide} pixels wide where {widest} fit")
    return wrong


def main(arguments):
    into = None
    if "--into" in arguments:
        at = arguments.index("--into")
        into = pathlib.Path(arguments[at + 1])
        into.mkdir(parents=True, exist_ok=True)
        del arguments[at:at + 2]
    if not arguments:
        raise SystemExit(__doc__)
    failed = False
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(profile)
        for name in arguments:
            report = pathlib.Path(name).resolve()
            for view in VIEWS:
                picture = (into or report.parent) / f"{report.stem}-{view}.png"
                wrong = look(browser, report, view, picture)
                failed |= bool(wrong)
                print(f"{picture}: {'; '.join(wrong) or 'ok'}")
        browser.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
