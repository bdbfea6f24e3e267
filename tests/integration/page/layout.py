"""What is wrong with how a screen is laid out, found in the browser: text that leaves its box, and controls too small.

A screen can have no sideways scroll and still show a line that runs out of its card, over the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

TAPPED = 44  # pixels: the least height of what is tapped, WCAG 2.5.5
NARROW = 600  # pixels: a screen that is tapped

# Each text and each replaced element has to be inside its cell or card, and inside the window. What a box scrolls or
# clips is not checked against what is outside of it, and a drawing is checked as a whole.
_BEYOND = """() => {
  const boxes = ".card, .trouble, .chart, .columns > section, .block, .command, .note, .act form, dd, td, th, li";
  const found = [];
  const check = (rect, element) => {
    const box = element.closest(boxes);
    const room = box ? box.getBoundingClientRect() : {left: 0, right: document.documentElement.clientWidth};
    const right = Math.min(room.right, document.documentElement.clientWidth);
    if (rect.width && (rect.right > right + 1 || rect.left < Math.max(room.left, 0) - 1))
      found.push(`${box ? box.className || box.tagName : "the window"}: ${element.outerHTML.slice(0, 120)}`);
  };
  const clips = (element) => element && element !== document.body
    && (getComputedStyle(element).overflowX !== "visible" && element.tagName !== "svg" || clips(element.parentElement));
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode());) {
    const element = text.parentElement;
    const isHidden = element.closest("svg, script, .unseen, .skip, datalist, select");
    if (!text.data.trim() || isHidden || !element.checkVisibility() || clips(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    for (const rect of range.getClientRects()) check(rect, element);
  }
  for (const element of document.querySelectorAll("main svg, main button, main input, main select, main .button"))
    if (element.checkVisibility() && !element.parentElement.closest("svg") && !clips(element.parentElement))
      check(element.getBoundingClientRect(), element);
  return [...new Set(found)];
}"""
_SMALL = """(least) => [...document.querySelectorAll("button, .button, summary, nav a, select, input")]
  .filter((element) => element.type !== "hidden" && element.checkVisibility())
  .map((element) => [element.getBoundingClientRect().height, element.outerHTML.slice(0, 120)])
  .filter(([height]) => height && height < least)
"""


def faults(page: Page) -> list[object]:
    """What is beyond its card, its cell or the window; on a narrow screen, also what is too low to be tapped."""
    found: list[object] = page.evaluate(_BEYOND)
    size = page.viewport_size
    if size and size["width"] < NARROW:
        found += page.evaluate(_SMALL, TAPPED)
    return found
