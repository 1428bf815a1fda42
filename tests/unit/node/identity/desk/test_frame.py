"""Who is let in to a desk, and what stands around its pages."""

import pytest
from tests.unit.node.identity.desk.playing import cut, play

from hansa.identity.faults import Fault, Unsound
from hansa.identity.oauth.refusals import Declined, OAuthError
from hansa.kernel.errors import Corrupt, NotFound, Unavailable
from hansa.node.identity.desk.frame import Problem
from hansa.node.web.sessions import IDLE_S

STRANGER = "http://evil.example"


def add_pages(desk):
    """A page set of two pages, whose form notes what it is sent."""
    desk.taken = []

    async def show(request):
        return desk.say(request, Problem(200, "Hello", ""))

    async def take(_, form):
        desk.taken.append(dict(form))
        return desk.go_to("/")

    async def fail(request):
        raise FAILURES[request.match_info["name"]]

    desk.add_page("/", show, "Overview")
    desk.add_page("/fail/{name}", fail)
    desk.add_form("/take", take)
    desk.add_return("/back/{name}", show)


FAILURES = {
    "unsound": Unsound(Fault.SCHEMA, "the claims do not fit <b>"),
    "declined": Declined(OAuthError.INVALID_REQUEST, "a parameter stands twice"),
    "missing": NotFound("there is no such offer"),
    "away": Unavailable("the node does not answer"),
    "damaged": Corrupt("the records are damaged"),
}


def test_a_link_opens_one_browser_once():
    async def scene(_, browser):
        (link,) = browser.links
        assert link.startswith(f"{browser.address}/?token=")
        await browser.open(cut(link))
        assert (browser.status, browser.path) == (200, "/")
        await browser.open(cut(link))  # where it is open already it leads there again
        assert browser.status == 200
        browser.http.cookie_jar.clear()
        await browser.open(cut(link))
        assert browser.status == 401
        assert "This link was used before" in browser.text
        assert "Hello" not in browser.text
        first, second = browser.links
        assert first != second
        await browser.open(cut(second))
        assert browser.status == 200

    play(scene, add_pages)


def test_the_token_becomes_a_cookie_that_no_script_reads():
    async def scene(_, browser):
        await browser.open(cut(browser.links[0]), allow_redirects=False)
        assert (browser.status, browser.headers["Location"]) == (303, "/")
        (cookie,) = browser.headers.getall("Set-Cookie")
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert browser.links[0].partition("token=")[2] not in cookie

    play(scene, add_pages)


def test_asking_for_the_head_of_a_link_does_not_use_it_up():
    async def scene(_, browser):
        async with browser.http.head(browser.links[0]) as response:
            assert response.status == 401
        await browser.open(cut(browser.links[0]))
        assert browser.status == 200

    play(scene, add_pages)


def test_without_the_link_nothing_is_shown_and_nothing_taken():
    async def scene(desk, browser):
        for path in ("/", "/?token=guessed", "/nowhere", "/fail/away"):
            await browser.open(path)
            assert browser.status == 401
            assert "the link that the terminal shows" in browser.text
        await browser.send("/take", {"name": "Mei"})
        assert (browser.status, desk.taken) == (401, [])

    play(scene, add_pages)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8475"])
def test_foreign_names_are_not_answered(host):
    async def scene(_, browser):
        await browser.open(cut(browser.links[0]))
        await browser.open("/", headers={"Host": host})
        assert browser.status == 403
        assert "Hello" not in browser.text

    play(scene, add_pages)


def test_a_form_comes_from_the_desks_own_page_with_its_token():
    async def scene(desk, browser):
        await browser.open(cut(browser.links[0]))
        page = browser.text
        for more in ({"origin": STRANGER}, {"origin": "null"}, {"token": ""}, {"token": "ü"}):
            browser.text = page
            await browser.send("/take", {"name": "Mei"}, **more)
            assert browser.status in (400, 403), more
        assert desk.taken == []
        browser.text = page
        async with browser.http.post(browser.address + "/take", data={}) as response:
            assert response.status == 403  # no Origin at all
        await browser.send("/take", {"name": "Mei Tán", "empty": ""})
        assert (browser.status, browser.path) == (200, "/")
        assert [form["name"] + form["empty"] for form in desk.taken] == ["Mei Tán"]

    play(scene, add_pages)


def test_every_answer_has_the_headers():
    async def scene(_, browser):
        await browser.open(cut(browser.links[0]))
        for path in ("/", "/nowhere", "/fail/away", "/fail/unsound"):
            await browser.open(path)
            policy = browser.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'")
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert browser.headers["Cache-Control"] == "no-store"
            assert browser.headers["X-Frame-Options"] == "DENY"
            assert "style=" not in browser.raw

    play(scene, add_pages)


@pytest.mark.parametrize(
    ("name", "status", "heading"),
    [
        ("unsound", 400, "This cannot be done so"),
        ("declined", 400, "This cannot be done so"),
        ("missing", 404, "Not found"),
        ("away", 503, "Not there just now"),
    ],
)
def test_errors_are_pages_that_say_what_to_do(name, status, heading):
    async def scene(_, browser):
        await browser.open(cut(browser.links[0]))
        await browser.open(f"/fail/{name}")
        assert browser.status == status
        assert f"<h1>{heading}</h1>" in browser.text
        message = FAILURES[name].message
        assert message[1:] in browser.text
        assert "<b>" not in browser.raw
        assert 'href="/"' in browser.text

    play(scene, add_pages)


def test_what_is_damaged_ends_the_desk():
    async def scene(desk, browser):
        await browser.open(cut(browser.links[0]))
        await browser.open("/fail/damaged")
        assert browser.status == 500
        with pytest.raises(Corrupt):
            desk.failed.result()

    play(scene, add_pages)


def test_a_session_ends_when_nobody_looks_any_more_or_closes_it():
    now = [0.0]

    async def scene(_, browser):
        await browser.open(cut(browser.links[0]))
        now[0] += IDLE_S + 1
        await browser.open("/")
        assert browser.status == 401
        await browser.open(cut(browser.links[-1]))
        assert browser.status == 200
        await browser.send("/close", {})
        assert browser.status == 401
        await browser.open("/")
        assert browser.status == 401

    play(scene, add_pages, clock_s=lambda: now[0])


def test_styles_and_scripts_are_the_desks_own_files():
    async def scene(_, browser):
        await browser.open(cut(browser.links[0]))
        paths = [part.partition('"')[0] for part in browser.raw.split('"/desk-files/')[1:]]
        assert len(paths) == 5
        for path in paths:
            await browser.open(f"/desk-files/{path}")
            assert browser.status == 200
            assert "immutable" in browser.headers["Cache-Control"]
        await browser.open("/desk-files/nothing.css")
        assert browser.status == 404

    play(scene, add_pages)


def test_a_browser_that_another_site_sends_back_is_led_once():
    """It has no cookie yet: the desk's own page gets it. Without a session it gets no further."""

    async def scene(_, browser):
        await browser.open(cut(browser.links[0]))
        cookies = list(browser.http.cookie_jar)
        browser.http.cookie_jar.clear()
        await browser.open("/back/x?code=1")
        assert browser.status == 200
        assert 'content="0;url=/back/x?code=1&hansa_returned=1"' in browser.text
        assert "Hello" not in browser.text
        await browser.open("/back/x?code=1&hansa_returned=1")
        assert browser.status == 401
        await browser.open("/back/x/y")
        assert browser.status == 401
        browser.http.cookie_jar.update_cookies({each.key: each for each in cookies})
        await browser.open("/back/x?code=1&hansa_returned=1")
        assert (browser.status, "Hello" in browser.text) == (200, True)

    play(scene, add_pages)
