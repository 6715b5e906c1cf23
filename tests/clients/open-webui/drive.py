"""People with a browser in front of Open WebUI, who do what they are told, one thing after the other.

Runs in an environment of its own: `python drive.py URL CHROMIUM PIN`, where PIN is the SHA-256 of the public key of the
server's certificate, in base64. Each line that is read is `{"who": …, "do": …, "how": {…}}`, where `who` is any name
and `do` a method of Person; each is answered with one line, `{"value": …}` or `{"error": …}`.
"""

import contextlib
import json
import sys
from typing import Any

from playwright.sync_api import Browser, Error, Locator, Page, sync_playwright  # type: ignore[import-not-found]

WAIT_MS = 30_000.0
GREETING_MS = 3_000.0
LOOK_MS = 2_000.0
VISITS_MAX = 10
WINDOW = {"width": 1280, "height": 800}
LAST_ANSWER = "[...document.querySelectorAll('.chat-assistant')].at(-1)?.innerText ?? ''"
# An answer can be copied when it is complete, or was stopped, or failed.
ALL_COMPLETE = """() => {
    const count = name => document.getElementsByClassName(name).length;
    return count('copy-response-button') === count('chat-assistant');
}"""
OWN_ID = """async () => {
    const headers = {Authorization: `Bearer ${localStorage.token}`};
    return (await (await fetch('/api/v1/auths/', {headers})).json()).id;
}"""

# An address came or went on this machine, as it does when containers start, and Chromium gave up what it was fetching.
NETWORK_CHANGED = "ERR_NETWORK_CHANGED"
# A page was left before all that it asked for had arrived.
ABORTED = "ERR_ABORTED"


class Person:
    """One browser profile with one page; the methods are what a person does with it."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._page: Page = browser.new_context(base_url=url, viewport=WINDOW, locale="en-US").new_page()
        self._page.set_default_timeout(WAIT_MS)
        self._complaints: list[str] = []
        self._network_changed = False
        self._page.on("console", lambda line: self._complain(line.text) if line.type == "error" else None)
        self._page.on("pageerror", lambda error: self._complain(str(error)))
        self._page.on("requestfailed", lambda request: self._complain(f"{request.url}: {request.failure}"))

    def log_in(self, email: str, password: str) -> str:
        """Log in, close what greets a newcomer, and give the id that Open WebUI knows the person by."""
        self._visit("/", "#email")
        self._page.fill("#email", email)
        self._page.fill("#password", password)
        self._page.keyboard.press("Enter")
        self._page.wait_for_selector("#chat-input")
        news = self._button("Okay, Let's Go!")
        with contextlib.suppress(Error):
            news.click(timeout=GREETING_MS)
        own_id: str = self._page.evaluate(OWN_ID)
        return own_id

    def begin(self, model: str) -> None:
        """A new chat with the model."""
        self._visit("/", "#chat-input")
        self._page.locator("#model-selector-model-button").click()
        self._page.get_by_label(f"Select {model} model").click()

    def attach(self, name: str, text: str) -> None:
        file = {"name": name, "mimeType": "text/plain", "buffer": text.encode()}
        with self._page.expect_response(lambda reply: "/api/v1/files/" in reply.url and reply.ok):
            self._page.locator("input[type=file]").first.set_input_files(files=[file])

    def ask(self, text: str) -> None:
        """Send a message; the answer has begun to be waited for."""
        answers = self._page.locator(".chat-assistant")
        shown_count = answers.count()
        self._page.locator("#chat-input").click()
        self._page.keyboard.type(text)
        self._page.keyboard.press("Enter")
        answers.nth(shown_count).wait_for(state="attached")

    def look(self, longer_than: int) -> dict[str, object]:
        """The last answer as soon as it has more characters than that, and whether it is complete."""
        self._page.wait_for_function(f"count => ({LAST_ANSWER}).length > count", arg=longer_than)
        text = self._page.evaluate(LAST_ANSWER)
        return {"text": text, "is_complete": self._page.evaluate(ALL_COMPLETE)}

    def wait(self) -> str:
        """The last answer when it is complete."""
        self._page.wait_for_function(ALL_COMPLETE)
        text: str = self._page.evaluate(LAST_ANSWER)
        return text

    def stop(self) -> None:
        self._button("Stop").click()

    def add_user(self, name: str, email: str, password: str) -> None:
        """What an admin does for a new colleague."""
        self._visit("/admin/users", "text=Add User")
        self._button("Add User").click()
        self._page.get_by_placeholder("Enter Your Full Name").fill(name)
        self._page.get_by_placeholder("Enter Your Email").fill(email)
        self._page.get_by_placeholder("Enter Your Password").fill(password)
        self._button("Save").click()
        self._page.get_by_text(email).wait_for()

    def pull(self, model: str) -> None:
        """Ask for a model where admins manage those of the connection."""
        self._visit("/admin/settings/connections", "text=Manage Ollama API Connections")
        self._button("Manage").click()
        tag = self._page.get_by_placeholder("Enter model tag (e.g. mistral:7b)")
        tag.fill(model)
        tag.locator("xpath=following::button[1]").click()

    def see(self, text: str) -> None:
        """Have it before one's eyes."""
        self._page.get_by_text(text).first.wait_for()

    def picture(self, path: str) -> None:
        """What the window shows, without messages that are about to vanish."""
        for message in self._page.locator("[data-sonner-toast]").all():
            message.wait_for(state="detached")
        self._page.screenshot(path=path, animations="disabled", caret="hide")

    def complaints(self) -> list[str]:
        """What the browser's console says is wrong since the last time."""
        told, self._complaints = self._complaints, []
        return told

    def _button(self, name: str) -> Locator:
        return self._page.get_by_role("button", name=name, exact=True)

    def _visit(self, path: str, wanted: str) -> None:
        """Open a page, again where the network changed meanwhile.

        Raises: Error when it does not show what is wanted of it.
        """
        for visits_left in reversed(range(VISITS_MAX)):
            self._network_changed = False
            try:
                self._page.goto(path)
                self._appeared(self._page.locator(wanted).first)
            except Error:
                if not self._network_changed or not visits_left:
                    raise
            else:
                return

    def _appeared(self, wanted: Locator) -> None:
        """Raises: Error when it does not appear, and soon when the network changed."""
        for looks_left in reversed(range(int(WAIT_MS / LOOK_MS))):
            try:
                wanted.wait_for(timeout=LOOK_MS)
            except Error:
                if self._network_changed or not looks_left:
                    raise
            else:
                return

    def _complain(self, text: str) -> None:
        if NETWORK_CHANGED in text:
            self._network_changed = True
        elif ABORTED not in text:
            self._complaints.append(text)


def answer(person: Person, order: dict[str, Any]) -> dict[str, object]:
    try:
        return {"value": getattr(person, order["do"])(**order["how"])}
    except Error as failure:
        return {"error": f"{order['who']} could not {order['do']}: {failure.message}"}


def main(url: str, chromium: str, pin: str) -> None:
    with sync_playwright() as playwright:
        trusting = f"--ignore-certificate-errors-spki-list={pin}"
        browser = playwright.chromium.launch(executable_path=chromium, args=[trusting])
        people: dict[str, Person] = {}
        for line in sys.stdin:
            order = json.loads(line)
            if order["who"] not in people:
                people[order["who"]] = Person(browser, url)
            sys.stdout.write(json.dumps(answer(people[order["who"]], order)) + "\n")
            sys.stdout.flush()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
