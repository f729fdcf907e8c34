#!/usr/bin/env python3
"""Opens reports in headless Chromium, light, dark and at a phone's width; fails on any message of its console.

report.py FILE.html… [--into FOLDER]    pictures go to FOLDER (default: beside the reports)
"""

import pathlib
import subprocess
import sys
import tempfile

VIEWS = {
    "light": ["--window-size=1280,2400"],
    "dark": ["--window-size=1280,2400", "--enable-features=WebContentsForceDark:inversion_method/none",
             "--blink-settings=preferredColorScheme=0"],
    "phone": ["--window-size=500,2400"],
}


def messages(log):
    """What the page made the browser say: CSP refusals, errors, anything loaded that failed."""
    return [line for line in log.splitlines() if "CONSOLE" in line or "Refused" in line]


def main(arguments):
    into = None
    if "--into" in arguments:
        at = arguments.index("--into")
        into = pathlib.Path(arguments[at + 1])
        del arguments[at:at + 2]
    said = []
    for name in arguments:
        report = pathlib.Path(name).resolve()
        folder = into or report.parent
        folder.mkdir(parents=True, exist_ok=True)
        for view, flags in VIEWS.items():
            picture = folder / f"{report.stem}-{view}.png"
            with tempfile.TemporaryDirectory() as profile:
                run = subprocess.run(
                    ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                     "--enable-logging=stderr", "--v=0", f"--user-data-dir={profile}",
                     f"--screenshot={picture}", *flags, report.as_uri()],
                    capture_output=True, text=True, timeout=120, check=False)
            found = messages(run.stderr)
            said += found
            print(f"{picture}: {'ok' if picture.exists() and not found else 'FAILED'}")
            if not picture.exists():
                said.append(run.stderr[-500:])
    for line in said:
        print(line)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
