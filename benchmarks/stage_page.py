"""Hands on a page: dragging a constant, letting it go, turning the pages; with what the browser did meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import Page

FIELDS = ("alpha", "beta")
"""The constants that are dragged."""
ROOM = 60_000
"""Milliseconds that a page may take to come to rest."""
WATCH = """
window.stage = { work: [], pressed: 0, heard: 0, changed: 0 };
const ask = window.requestAnimationFrame.bind(window);
let frame = -1, spent = 0;
window.requestAnimationFrame = (call) => ask((now) => {
  if (now !== frame) { if (frame >= 0) stage.work.push(spent); frame = now; spent = 0; }
  const begun = performance.now();
  try { call(now); } finally { spent += performance.now() - begun; }
});
window.addEventListener("keydown", () => { stage.pressed = performance.now(); }, true);
window.WebSocket = class extends window.WebSocket {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", () => { stage.heard = performance.now(); });
  }
};
const ELEMENT = "[data-testid=stElementContainer], [data-testid=stSidebar], [data-testid=stExpander]";
const ALL = { subtree: true, characterData: true, childList: true };
stage.at = new Map();
const holder = (node) => {
  const from = node.nodeType === 1 ? node : node.parentElement ?? node.getRootNode().host;
  return from?.closest(ELEMENT) ?? (from?.getRootNode().host ? holder(from.getRootNode().host) : null);
};
const changes = new MutationObserver((records) => {
  const held = new Set(records.map((record) => holder(record.target)));
  for (const record of records) for (const node of record.addedNodes) {
    if (node.nodeType !== 1) continue;
    if (node.matches(ELEMENT)) held.add(node);
    for (const inner of node.querySelectorAll(ELEMENT)) held.add(inner);
  }
  ask(() => {
    stage.changed = performance.now();
    for (const one of held) if (one) stage.at.set(one, stage.changed);
  });
});
changes.observe(document, ALL);
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (how) {
  const root = attach.call(this, how);
  changes.observe(root, ALL);
  return root;
};
stage.shown = () => {
  const inside = (one) => {
    const box = one.getBoundingClientRect();
    return box.height > 0 && box.top < innerHeight && box.bottom > 0 && one.isConnected;
  };
  return Math.max(...[...stage.at].filter(([one]) => inside(one)).map(([, at]) => at));
};
"""
LAST = "Math.max(stage.changed, window.scalingLab?.frames?.at(-1) ?? 0)"
"""When something last changed; not pictures outside of the window, which are drawn when nothing else is to be done."""
SHOWN = "Math.max(stage.shown(), window.scalingLab?.frames?.at(-1) ?? 0)"
"""When an element last changed that the window shows."""
DRAWN = """() => [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
    .map((host) => host.shadowRoot?.querySelector('.chart')).filter((chart) => chart?.clientWidth)
    .every((chart) => chart.querySelector('canvas'))
  && document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
  && document.querySelector('[data-testid=stMain] :is(h1, h2), .words') !== null
  && document.querySelector('[data-testid=stSkeleton]') === null"""
AT_HAND = """() => [document, ...[...document.querySelectorAll("[data-testid=stBidiComponentIsolated]")]
    .map((one) => one.shadowRoot)].some((root) => root?.querySelector("input.slide, [data-testid=stSlider] input"))"""
AT_REST = f"""() => stage.heard > stage.pressed && {LAST} > stage.pressed
  && performance.now() - Math.max(stage.heard, {LAST}) > 250
  && document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"""
"""The server has answered, and for a quarter of a second nothing more has come or changed. A script may be over before
the browser shows that it runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drag:
    """What one drag did. work: milliseconds of each frame in its callbacks. sent: messages to the server meanwhile.

    seen: how many different openings of the page stood there.
    """

    work: list[float] = field(default_factory=list)
    sent: int
    seen: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """Milliseconds from a key on a slider. hand: to the first picture of the new value, which the browser drew.

    answer: to the last picture, drawn from what Python said. rest: to the frame after the page came to rest. On a page
    without live charts the first two are None.
    """

    hand: float | None
    answer: float | None
    rest: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """Milliseconds of turning to a page. shown: from the click to the last change that the window shows. rest: to the
    last change of all. scripts: how long the server took over each run of its script, where it tells. elements: how
    many the framework laid out.
    """

    shown: float
    rest: float
    scripts: list[float]
    elements: int


@dataclass(kw_only=True, slots=True)
class Watched:
    """A page with a watch on its frames and its script. sent: messages to the server so far."""

    page: Page
    sent: int = 0

    def begin(self) -> None:
        """Watch from the next address on."""
        self.page.add_init_script(WATCH)

        def count(_: object) -> None:
            self.sent += 1

        self.page.on("websocket", lambda channel: channel.on("framesent", count))


def at_hand(page: Page) -> None:
    """Waits until a slider stands on the page."""
    page.wait_for_function(AT_HAND, timeout=ROOM, polling=20)


def ready(page: Page) -> None:
    """Waits until the page's script has run and every chart is drawn."""
    page.wait_for_function(DRAWN, timeout=ROOM, polling=50)


def settled(page: Page, pause: float = 300) -> None:
    """Waits until the page is ready and stays so for a while: what the browser tells a new page makes it run again."""
    for _ in range(2):
        ready(page)
        page.wait_for_timeout(pause)
    ready(page)


def drag(watched: Watched, name: str, steps: int) -> Drag:
    """Drag the slider of a constant to and fro, a movement a frame, and let it go where it began."""
    page = watched.page
    slider = page.locator(f".knob[data-name={name}] input.slide")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    share = slider.evaluate("(s) => (s.value - s.min) / (s.max - s.min)")
    start, y = box["x"] + 8 + share * (box["width"] - 16), box["y"] + box["height"] / 2
    reach = min(60.0, start - box["x"], box["x"] + box["width"] - start)
    page.mouse.move(start, y)
    page.mouse.down()
    before = watched.sent
    page.evaluate("() => { stage.work.length = 0; }")
    openings = set()
    for k in range(steps):
        away = 1 - abs(1 - 2 * (k + 1) / steps)
        page.mouse.move(start + reach * away * (1 if k % 2 else 0.96), y)
        openings.add(page.evaluate(
            """() => new Promise((done) => requestAnimationFrame(() => done(
                [...document.querySelectorAll("[data-testid=stMain] *")].map((e) => e.shadowRoot?.querySelector("h1"))
                .find(Boolean)?.textContent ?? "")))"""
        ))  # fmt: skip
    work: list[float] = page.evaluate("() => stage.work.slice(1)")
    sent = watched.sent - before
    page.mouse.up()
    ready(page)
    return Drag(work=work, sent=sent, seen=len(openings))


def releases(page: Page, count: int) -> list[Release]:
    """Keys on the first slider, to and fro."""
    slider = page.locator("input.slide, [data-testid=stSlider] [role=slider], [data-testid=stSlider] input").first
    slider.focus()
    taken = []
    for k in range(count):
        page.keyboard.press("ArrowRight" if k % 2 == 0 else "ArrowLeft")
        page.wait_for_function(AT_REST, timeout=ROOM, polling=50)
        rest, drawn = page.evaluate(
            f"""() => [{LAST} - stage.pressed,
                (window.scalingLab?.frames ?? []).map((at) => at - stage.pressed).filter((spent) => spent > 0)]"""
        )
        taken.append(Release(hand=min(drawn, default=None), answer=max(drawn, default=None), rest=float(rest)))
    return taken


def turn_to(page: Page, rounds: int, told: Callable[[], list[float]] = list) -> dict[str, list[Turn]]:
    """Every page, once warm, in as many rounds. told: the times of all runs of a script so far, by the server."""
    names: list[str] = page.locator("[data-testid=stTopNavLink]").all_inner_texts()
    taken: dict[str, list[Turn]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name in names:
            before = len(told())
            page.evaluate("() => { stage.pressed = performance.now(); stage.at.clear(); }")
            page.locator("[data-testid=stTopNavLink]").filter(has_text=name).evaluate("(link) => link.click()")
            page.wait_for_function(AT_REST, timeout=ROOM, polling=50)
            shown, rest = page.evaluate(f"() => [{SHOWN} - stage.pressed, {LAST} - stage.pressed]")
            settled(page)
            if turn:
                elements = page.locator("[data-testid=stElementContainer]").count()
                taken[name].append(Turn(shown=shown, rest=rest, scripts=told()[before:], elements=elements))
    return taken
