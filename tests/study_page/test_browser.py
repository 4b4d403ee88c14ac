"""The page in a browser: Debian's Chromium, without a window, driven by Selenium."""

import json
import shutil
import time
from collections.abc import Iterator

import pytest

from tests.measurements.drawn import centred, draw
from tests.study_page.pages import write_page_of, write_study

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver (Debian: chromium-driver)"),
]

PIXELS = "return document.querySelector(arguments[0] + ' canvas').toDataURL()"
COLOURED = """
const canvas = document.querySelector(arguments[0] + " canvas");
const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
let count = 0;
// orange, as ground-glass is; the cross is blue
for (let at = 0; at < data.length; at += 4) if (data[at] > data[at + 2] + 40) count++;
return count;
"""


EXTENT = """
const canvas = document.querySelector(arguments[0] + " canvas");
const context = canvas.getContext("2d");
// around the picture all is black, and air is grey in a lung window; letters and scale lie off these lines
const length = (...line) => {
  const { data } = context.getImageData(...line);
  const grey = [...Array(data.length / 4).keys()].filter((at) => data[4 * at] > 20);
  return grey.at(-1) - grey[0] + 1;
};
const [row, column] = [Math.floor(0.3 * canvas.height), Math.floor(0.55 * canvas.width)];
return [length(0, row, canvas.width, 1), length(column, 0, 1, canvas.height)];
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """The folder of two studies and their index."""
    folder = tmp_path_factory.mktemp("pages")
    files = write_study(folder)
    for name in ("a", "b"):
        write_page_of(files, folder / "out", study=name)
    return folder / "out"


@pytest.fixture(scope="module")
def driver() -> Iterator:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    # a container's root has no sandbox
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(DRIVER))
    browser.set_window_size(1280, 1000)
    yield browser
    browser.quit()


@pytest.fixture
def page(driver, output):
    """The page of a study, with all of its slices read."""
    open_page(driver, output / "a" / "page.html")
    return driver


def open_page(driver, file):
    for log in ("browser", "performance"):
        driver.get_log(log)
    driver.get(file.as_uri())
    wait_until(lambda: driver.execute_script("return document.documentElement.dataset.state") == "ready")
    settle(driver)


def wait_until(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("the page did not come to it")
        time.sleep(0.05)


def settle(driver):
    """Two frames: one that is asked for, one that has drawn it."""
    driver.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0)))"
    )


def caption(driver, plane):
    return driver.find_element("css selector", f".{plane} output").text


def pixels(driver, plane):
    settle(driver)
    return driver.execute_script(PIXELS, f".{plane}")


def coloured(driver):
    settle(driver)
    return driver.execute_script(COLOURED, ".axial")


def press(driver, *keys):
    from selenium.webdriver import ActionChains

    for key in keys:
        ActionChains(driver).send_keys(key).perform()
    settle(driver)


def click(driver, plane, across, down):
    """Click a view at a share of its width and height from its middle."""
    from selenium.webdriver import ActionChains

    canvas = driver.find_element("css selector", f".{plane} canvas")
    offset = round(across * canvas.size["width"]), round(down * canvas.size["height"])
    ActionChains(driver).move_to_element_with_offset(canvas, *offset).click().perform()
    settle(driver)


def slide(driver, name, value):
    driver.execute_script(
        "const [input, value] = [document.getElementById(arguments[0]), arguments[1]];"
        "input.value = value; input.dispatchEvent(new Event('input', { bubbles: true }));",
        name,
        value,
    )
    settle(driver)


def addresses(driver):
    """What the page asked for, of any scheme."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]


@pytest.mark.parametrize("file", ["a/page.html", "index.html"])
def test_nothing_is_loaded_from_elsewhere_and_the_console_stays_empty(driver, output, file):
    if file == "index.html":
        for log in ("browser", "performance"):
            driver.get_log(log)
        driver.get((output / file).as_uri())
    else:
        open_page(driver, output / file)
    asked = addresses(driver)
    assert asked[0] == (output / file).as_uri()
    assert all(address.startswith(("data:", "blob:")) for address in asked[1:])
    assert driver.get_log("browser") == []


def test_the_slider_shows_another_slice(page):
    before, other = pixels(page, "axial"), pixels(page, "coronal")
    slide(page, "slice", 5)
    assert caption(page, "axial") == "slice 5 of 60"
    assert pixels(page, "axial") != before
    # only its line across the other views moves
    assert pixels(page, "coronal") != other
    assert page.find_element("id", "where").text.startswith("slice 5 of 60")


def test_the_profile_jumps_to_the_slice_that_is_clicked(page):
    from selenium.webdriver import ActionChains

    track = page.find_element("id", "slice")
    ActionChains(page).move_to_element_with_offset(track, round(-0.4 * track.size["width"]), 0).click().perform()
    settle(page)
    number = int(caption(page, "axial").split()[1])
    assert 5 <= number <= 8


def test_the_mask_is_hidden_and_shown_and_grows_faint(page):
    seen = coloured(page)
    assert seen > 100
    page.find_element("id", "mask").click()
    assert coloured(page) == 0
    page.find_element("id", "mask").click()
    assert coloured(page) == seen
    slide(page, "opacity", 0)
    assert coloured(page) == 0


def test_the_windows_differ_and_come_back(page):
    lung = pixels(page, "axial")
    page.find_element("css selector", "input[value=soft] + span").click()
    soft = pixels(page, "axial")
    assert soft != lung
    page.find_element("css selector", "input[value=lung] + span").click()
    assert pixels(page, "axial") == lung


def test_a_click_moves_the_other_views(page):
    before = {plane: (caption(page, plane), pixels(page, plane)) for plane in ("axial", "coronal", "sagittal")}
    click(page, "axial", 0.1, -0.1)
    assert caption(page, "axial") == before["axial"][0]
    for plane in ("coronal", "sagittal"):
        assert caption(page, plane) != before[plane][0]
        assert pixels(page, plane) != before[plane][1]
    click(page, "coronal", 0, 0.2)
    assert caption(page, "axial") != before["axial"][0]


def test_a_click_in_the_patients_left_lung_is_told_as_such(page):
    # the patient's left is at the right of the view, as radiologists look
    slide(page, "slice", 30)
    click(page, "axial", 0.14, 0)
    assert "left lung" in page.find_element("id", "readout").text
    click(page, "axial", -0.14, 0)
    assert "right lung" in page.find_element("id", "readout").text


def test_keys_go_through_slices_and_switch_mask_and_window(page):
    from selenium.webdriver import Keys

    slide(page, "slice", 20)
    press(page, Keys.ARROW_UP)
    assert caption(page, "axial") == "slice 21 of 60"
    press(page, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.PAGE_UP)
    assert caption(page, "axial") == "slice 29 of 60"
    press(page, Keys.END, Keys.ARROW_UP)
    assert caption(page, "axial") == "slice 60 of 60"
    press(page, Keys.HOME)
    assert caption(page, "axial") == "slice 1 of 60"
    press(page, "m", "w", "l")
    assert not page.find_element("id", "mask").is_selected()
    assert page.find_element("css selector", "input[value=soft]").is_selected()
    assert page.find_element("id", "lungs").is_selected()
    press(page, "+")
    assert page.find_element("id", "opacity").get_attribute("value") == "55"


def test_the_wheel_goes_through_the_slices_of_the_view_below_it(page):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    slide(page, "slice", 20)
    canvas = page.find_element("css selector", ".axial canvas")
    ActionChains(page).scroll_from_origin(ScrollOrigin.from_element(canvas), 0, 90).perform()
    wait_until(lambda: caption(page, "axial") == "slice 17 of 60")


def test_voxels_have_their_real_proportions(driver, tmp_path):
    shape = (60, 40, 30)
    thorax = draw(centred([(-4, 0, 0), (0, -4, 0), (0, 0, 8)], shape), shape)
    open_page(driver, write_page_of(write_study(tmp_path, thorax), tmp_path / "out"))
    for plane, expected in (("axial", 240 / 160), ("coronal", 240 / 240), ("sagittal", 160 / 240)):
        width, height = driver.execute_script(EXTENT, f".{plane}")
        assert width / height == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_no_width_scrolls_to_the_side(page, width):
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        settle(page)
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
        for plane in ("axial", "coronal", "sagittal"):
            canvas = page.find_element("css selector", f".{plane} canvas")
            assert min(canvas.size.values()) > 100
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_print_has_two_pages(page):
    import base64
    import re

    pdf = page.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})["data"]
    assert len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(pdf))) == 2


def test_the_index_is_sorted_by_the_column_that_is_pressed(driver, output):
    driver.get((output / "index.html").as_uri())

    def names():
        return [each.text for each in driver.find_elements("css selector", ".index tbody th")]

    assert names() == ["a", "b"]
    study = driver.find_element("css selector", ".index thead th:nth-child(2)")
    study.find_element("tag name", "button").click()
    assert names() == ["b", "a"]
    assert study.get_attribute("aria-sort") == "descending"
    study.find_element("tag name", "button").click()
    assert names() == ["a", "b"]
    driver.find_element("link text", "b").click()
    assert driver.current_url.endswith("/b/page.html")
