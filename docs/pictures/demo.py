#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Records a command that writes to a terminal, as an animated picture for README.md.

  sudo docs/pictures/demo.py ./demo.sh >docs/demo.svg

The text is that of the run. The pace is not: each line that begins with "$ " is typed in a second, and what
it prints appears at once. At the end all lines are there. A reader who prefers no motion sees them at once, and so
does one whose viewer does not animate.
"""
import html
import os
import pty
import re
import sys

PAUSE, COLUMNS = 1.1, 80
FONT, LINE, MARGIN, ADVANCE = 12, 16, 14, 7.25

STYLE = """
text { font: %dpx ui-monospace, monospace; fill: #1f2328; white-space: pre }
.paper { fill: #f6f8fa; stroke: #d1d9e0 }
.said { font-weight: 600; fill: #0969da }
.typed { font-weight: 600 }
g { animation: appear 0.01s linear backwards }
@keyframes appear { from { opacity: 0 } }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .paper { fill: #0d1117; stroke: #3d444d }
  .said { fill: #58a6ff }
}
@media (prefers-reduced-motion: reduce) { g { animation: none } }
"""


def record(command):
    """What the command writes, with the escape sequences."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(COLUMNS=str(COLUMNS), TERM="xterm", LC_ALL="C.UTF-8")
        os.execvp(command[0], command)
    parts = []
    try:
        while part := os.read(fd, 65536):
            parts.append(part)
    except OSError:  # Linux reports the end so
        pass
    output = b"".join(parts).decode("utf-8", "replace")
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        sys.exit(f"{output}{command[0]}: exit status {code}")
    return output


def split(output):
    """The lines without escape sequences, each with its kind."""
    for line in output.replace("\r", "").strip("\n").split("\n"):
        plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line).rstrip()
        kind = "said" if plain != line.rstrip() else "typed" if plain.startswith("$ ") else ""
        yield plain[:COLUMNS], kind
        # As a terminal wraps it.
        for i in range(COLUMNS, len(plain), COLUMNS):
            yield plain[i : i + COLUMNS], ""


def draw(lines):
    width = int(COLUMNS * ADVANCE + 2 * MARGIN)
    height = len(lines) * LINE + 2 * MARGIN
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        "<title>A recording of demo.sh</title>",
        f"<style>{STYLE % FONT}</style>",
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6" class="paper"/>',
    ]
    seconds = 0.0
    for i, (line, kind) in enumerate(lines):
        seconds += PAUSE if kind else 0
        style = f' class="{kind}"' if kind else ""
        if line:
            drawn.append(
                f'<g style="animation-delay:{seconds:.1f}s"><text x="{MARGIN}" y="{MARGIN + FONT + i * LINE}"{style}'
                f' xml:space="preserve">{html.escape(line)}</text></g>'
            )
    return "\n".join([*drawn, "</svg>", ""])


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] == "--help":
        sys.exit(__doc__)
    sys.stdout.write(draw(list(split(record(sys.argv[1:])))))
