"""The shopper's page in a real browser: what is seen, and what a touch sends."""

import json
import re
import threading
from dataclasses import replace

import pytest

from cart.core.cases import RESPONSES
from cart.core.effects import Waiting
from cart.core.events import ExitSeen
from tests.web import screens

pytestmark = pytest.mark.browser

SMALL = {"width": 800, "height": 480}
LARGE = {"width": 1280, "height": 800}


def touch(page, text):
    page.get_by_role("button", name=text).click()


def wait_text(page, text, within="body"):
    page.locator(within).get_by_text(text).first.wait_for()


def test_a_whole_trip_by_touch(page, cart):
    cart.show(screens.IDLE)
    touch(page, "Start shopping")
    started = cart.next_event()
    assert (started.action, started.revision, started.fresh_id) == ("start", screens.IDLE.revision, "fresh")
    assert re.fullmatch("[0-9a-f]{32}", started.key)

    cart.show(screens.SHOPPING)
    wait_text(page, "€11.42", "#total")
    wait_text(page, "7 items", "#total")
    wait_text(page, "845 g × €1.89/kg", ".receipt")
    wait_text(page, "Royal Gala Apple", ".waiting")

    cart.show(screens.ASKING)
    wait_text(page, "182 g came without a scan.")
    touch(page, "Conference Pear")
    answer = cart.next_event()
    assert (answer.action, answer.value, answer.prompt) == ("answer", "pick:conference", 7)

    cart.show(replace(screens.SHOPPING, revision=8, waiting=()))
    touch(page, "Check out")
    assert cart.next_event().action == "checkout"

    cart.show(screens.CLOSING)
    wait_text(page, "hands off the cart")
    cart.show(screens.LOCKED)
    touch(page, "Pay €11.42")
    assert isinstance(cart.next_event(), ExitSeen)

    cart.show(screens.PAID)
    wait_text(page, "Thank you, your receipt follows")
    cart.show(screens.RECEIPTED)
    wait_text(page, "Paid. Here is your receipt")
    touch(page, "Done")
    assert cart.next_event().action == "done"


def test_a_product_is_found_by_name_and_by_number(page, cart):
    cart.show(screens.EMPTY)
    touch(page, "Find by name")
    for letter in "BAN":
        page.get_by_role("button", name=letter, exact=True).click()
    page.locator(".card").nth(1).wait_for(state="detached")
    touch(page, "Banana")
    event = cart.next_event()
    assert (event.action, event.value) == ("pick", "banana")

    touch(page, "Find by name")
    touch(page, "1 2 3")
    for digit in "4048":
        page.get_by_role("button", name=digit, exact=True).click()
    page.locator(".card").nth(1).wait_for(state="detached")
    touch(page, "Lime")
    event = cart.next_event()
    assert (event.action, event.value) == ("pick", "lime")


def test_what_waits_can_be_given_up_and_what_is_suggested_be_picked(page, cart):
    cart.show(screens.SHOPPING)
    touch(page, "I do not want Royal Gala Apple")
    event = cart.next_event()
    assert (event.action, event.value) == ("withdraw", "royal-gala")
    cart.show(screens.SUGGESTING)
    touch(page, "Satsumas")
    event = cart.next_event()
    assert (event.action, event.value) == ("pick", "satsumas")
    touch(page, "My own thing")
    assert cart.next_event().action == "own"


def test_answers_that_are_no_product_have_words_of_their_own(page, cart):
    cart.show(screens.WRONG_LABEL)
    wait_text(page, "Is this really Banana?")
    touch(page, "Yes, it is Banana")
    assert cart.next_event().value == "yes:banana"
    touch(page, "I take it out")
    event = cart.next_event()
    assert (event.action, event.value, event.prompt) == ("answer", "out", screens.WRONG_LABEL.prompt.id)
    touch(page, "My own thing")
    event = cart.next_event()
    assert (event.action, event.value) == ("answer", "own")


def test_the_bill_of_the_last_shopper_is_not_left_on_the_screen(page, cart):
    cart.show(screens.CLEARED)
    wait_text(page, "Thank you")
    assert "€" not in page.locator("body").inner_text()
    touch(page, "Start shopping")
    assert cart.next_event().action == "start"


def test_every_notice_of_the_core_has_words(repository):
    code = (repository / "cart/core").glob("*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in code)
    codes = set(re.findall(r'^        \("([a-z_]+)", ', text, re.MULTILINE)) | set(
        re.findall(r'passing\(state, "([a-z_]+)"\)', text)
    )
    codes |= {response.notice for response in RESPONSES.values() if response.notice}
    assert {"scale_lost", "hands_off", "unknown_code", "bumped", "over_rim", "scale_jammed"} <= codes
    strings = json.loads((repository / "cart/web/strings/en.json").read_text(encoding="utf-8"))
    assert {f"notice_{code}" for code in codes} <= set(strings)


def test_a_lost_line_is_said_and_heals_by_itself(page, cart):
    cart.show(screens.SHOPPING)
    wait_text(page, "€11.42", "#total")
    cart.kiosk.stop()
    page.locator("#lost").wait_for(state="visible", timeout=2_000)
    assert "Reconnecting, your items are safe" in page.locator("#lost").inner_text()

    cart.start(port=cart.kiosk.port)
    cart.show(replace(screens.SHOPPING, revision=1, total_minor=999))
    page.locator("#lost").wait_for(state="hidden")
    wait_text(page, "€9.99", "#total")


def test_a_silent_line_is_lost_too(page, cart):
    cart.show(screens.SHOPPING)
    wait_text(page, "€11.42", "#total")
    # The connection stays open and nothing comes, as if the cart's program hung: the first heartbeat may just be past.
    hung = threading.Event()
    cart.kiosk._loop.call_soon_threadsafe(hung.wait, 10)
    page.locator("#lost").wait_for(state="visible", timeout=3_000)
    hung.set()
    page.locator("#lost").wait_for(state="hidden")


def test_names_and_codes_never_become_markup(page, cart):
    evil = '<img src=x onerror="document.title=`broken`"><b>{0}</b>'
    line = replace(screens.MILK, name=evil)
    waiting = (Waiting("milk", evil, 1, "piece"),)
    cart.show(replace(screens.SHOPPING, lines=(line,), waiting=waiting))
    wait_text(page, evil, ".receipt")
    wait_text(page, evil, ".waiting")
    assert page.locator("main b, main img[src='x']").count() == 0
    assert page.title() == "Smart cart"


@pytest.mark.parametrize("viewport", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("name", screens.ALL)
def test_every_state_fits_and_is_large_enough(page, cart, name, viewport):
    page.set_viewport_size(viewport)
    screen = screens.ALL[name]
    cart.show(screen)
    page.locator(f"body[data-phase={screen.phase}]").wait_for()
    if screen.phase not in ("idle", "cancelled", "cleared"):
        assert page.locator("#total").is_visible()
    assert page.evaluate(TOO_SMALL) == []
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate(LOW_CONTRAST) == []


def test_the_keys_for_finding_fit_on_the_small_screen(page, cart):
    cart.show(screens.SHOPPING)
    touch(page, "Find by name")
    page.locator(".card").first.wait_for()
    assert page.evaluate(TOO_SMALL) == []
    assert page.evaluate(OUTSIDE.replace("button", ".keys button, #bar button")) == []
    touch(page, "1 2 3")
    assert page.evaluate(OUTSIDE.replace("button", ".keys button, #bar button")) == []
    assert page.evaluate(TOO_SMALL) == []


def test_every_word_on_the_page_comes_from_the_language_file(page, cart):
    page.route("**/strings/en.json", lambda route: route.fulfill(json=pseudo(route.fetch().json())))
    page.reload()
    for screen in screens.ALL.values():
        cart.show(screen)
        page.locator(f"body[data-phase={screen.phase}]").wait_for()
        page.locator("#status .state").get_by_text("⟦").wait_for()
        bare = page.evaluate(BARE_WORDS)
        names = {text for text in bare if not re.fullmatch(r"[\d\s.,€×·gk/()]*", text)}
        assert names <= known_names(screen), screen.phase


def pseudo(strings):
    """Return the strings as a language that nobody speaks: longer, bracketed, with marks on its letters."""
    marked = str.maketrans("aeiouAEIOU", "áéíóúÁÉÍÓÚ")
    return {key: f"⟦{text.translate(marked)} ~~~⟧" for key, text in strings.items()}


def known_names(screen):
    """Return texts that come from the store and not from us."""
    items = [*screen.lines, *screen.waiting, *screen.suggestions, *(screen.prompt.options if screen.prompt else ())]
    items += [screen.weighed] if screen.weighed else []
    return {re.sub(r"(\d) (l|ml)\b", "\\1\u00a0\\2", item.name) for item in items}


def test_produce_is_weighed_by_touch(page, cart):
    cart.show(replace(screens.SHOPPING, revision=3))
    touch(page, "Weigh it")
    assert (cart.next_event().action, screens.SHOPPING.waiting[0].product_id) == ("weigh", "royal-gala")
    cart.show(screens.TO_TARE)
    wait_text(page, "12.580", ".figures")
    page.locator("#bar").get_by_role("button", name="Tare").click()
    assert cart.next_event().action == "tare"
    cart.show(screens.TO_PRICE)
    for text in ("0.850", "€11.89", "€10.11"):
        wait_text(page, text, ".figures")
    wait_text(page, "Tare 12.580\u00a0kg", ".scale")
    touch(page, "Take this price")
    taken = cart.next_event()
    assert (taken.action, taken.value) == ("price", "1011")
    cart.show(replace(screens.TO_PRICE, weighed=replace(screens.TO_PRICE.weighed, price_minor=None, refused="moving")))
    wait_text(page, "Hands off: the scale is not at rest.", ".weigh")
    assert page.get_by_role("button", name="Take this price").is_disabled()
    cart.show(screens.NOT_WEIGHING)
    wait_text(page, "tilted too far", ".weigh")
    assert re.findall(r"\d+\.\d+", page.locator(".figures").inner_text()) == ["1.89"]


@pytest.mark.parametrize("viewport", [SMALL, LARGE], ids=["small", "large"])
def test_weight_unit_price_and_price_are_as_high_as_the_pixels_of_the_screen_ask_for(page, cart, viewport):
    page.set_viewport_size(viewport)
    cart.show(screens.TO_PRICE)
    wait_text(page, "0.850", ".figures")
    digit_px = -(-9_500 // 180)
    assert page.evaluate(DIGIT_HEIGHTS) == pytest.approx([digit_px] * 3, abs=6)
    assert min(page.evaluate(DIGIT_HEIGHTS)) >= digit_px
    assert page.evaluate(FIGURES_OUTSIDE) == []


def test_the_page_works_by_keyboard_alone(page, cart):
    cart.show(screens.IDLE)
    page.locator("body[data-phase=idle]").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert cart.next_event().action == "start"
    cart.show(screens.EMPTY)
    page.locator("body[data-phase=shopping]").wait_for()
    reached = set()
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.dataset.action"))
    assert {"help", "open-find", "own", "cancel"} <= reached


def test_a_screen_in_between_does_not_take_the_focus_away(page, cart):
    cart.show(screens.EMPTY)
    page.get_by_role("button", name="My own thing").focus()
    cart.show(replace(screens.EMPTY, revision=9, lines=(screens.MILK,), total_minor=219))
    wait_text(page, "€2.19", "#total")
    assert page.evaluate("document.activeElement.dataset.action") == "own"


def test_strings_name_no_key_that_is_missing(repository):
    strings = json.loads((repository / "cart/web/strings/en.json").read_text(encoding="utf-8"))
    code = "".join(path.read_text(encoding="utf-8") for path in (repository / "cart/web").glob("*.js"))
    said = set(re.findall(r'say\("([a-z_]+)"', code)) | set(re.findall(r'nothing\("([a-z_]+)"', code))
    assert said
    assert said <= set(strings)


TOO_SMALL = """() => {
  const seen = (e) => e.offsetParent !== null;
  const buttons = [...document.querySelectorAll("button, input")].filter(seen);
  const small = buttons.filter((e) => e.offsetWidth < 63.5 || e.offsetHeight < 63.5).map((e) => e.textContent);
  const texts = [...document.querySelectorAll("body *")].filter((e) => seen(e) && e.textContent.trim());
  return small.concat(texts.filter((e) => parseFloat(getComputedStyle(e).fontSize) < 22).map((e) => e.tagName));
}"""

OUTSIDE = """() => [...document.querySelectorAll("button")].filter((e) => {
  const box = e.getBoundingClientRect();
  return box.width && (box.left < 0 || box.top < 0 || box.right > innerWidth + 0.5 || box.bottom > innerHeight + 0.5);
}).map((e) => e.textContent)"""

# WCAG 2.2 contrast of each visible text against the nearest background that is painted; 7:1 is level AAA.
LOW_CONTRAST = """() => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const bare = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  return [...document.querySelectorAll("body *")].filter((e) => e.offsetParent && bare(e)).map((e) => {
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), e.textContent.slice(0, 40)];
  }).filter(([ratio]) => ratio < 7);
}"""

# How high the digit 8 is painted in each of the figures.
DIGIT_HEIGHTS = """() => [...document.querySelectorAll(".figures dd")].map((e) => {
  const style = getComputedStyle(e);
  const context = document.createElement("canvas").getContext("2d");
  context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  const box = context.measureText("8");
  return box.actualBoundingBoxAscent + box.actualBoundingBoxDescent;
})"""

FIGURES_OUTSIDE = """() => [...document.querySelectorAll(".weigh, .figures dd, .figures dt, .scale")].filter((e) => {
  const box = e.getBoundingClientRect(), main = document.getElementById("main").getBoundingClientRect();
  return box.left < 0 || box.right > innerWidth + 0.5 || box.bottom > main.bottom + 0.5;
}).map((e) => e.className || e.textContent)"""

BARE_WORDS = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.data.trim() && !node.data.includes("⟦") && node.parentElement.offsetParent) found.push(node.data.trim());
  }
  return found;
}"""
