"""A person who signs in and allows, for clients that only make the address and read the answer."""

import os
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

STEPS = 10


class Forms(HTMLParser):
    """Every form of a page with its controls."""

    def __init__(self, page):
        super().__init__()
        self.forms = {}
        self.open = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "form":
            self.open = {"action": attributes.get("action", ""), "controls": []}
            self.forms[attributes.get("id")] = self.open
        elif tag in ("input", "button") and self.open is not None:
            self.open["controls"].append((tag, attributes))

    def handle_endtag(self, tag):
        if tag == "form":
            self.open = None

    def pairs(self, form, button):
        sent = {}
        for tag, control in self.forms[form]["controls"]:
            clickable = tag == "button" or control.get("type") == "submit"
            if "name" not in control or (clickable and control.get("id") != button):
                continue
            if control.get("type") == "checkbox" and "checked" not in control:
                continue
            sent.setdefault(control["name"], []).append(control.get("value", ""))
        return sent


class Person:
    def __init__(self):
        self.session = requests.Session()

    def authorize(self, url):
        """Follows an address to the client's redirect URI, and returns the URL that came there."""
        away, url, page = self._send(url)
        for _ in range(STEPS):
            if away:
                return away
            forms = Forms(page)
            if "login-form" in forms.forms:
                pairs = forms.pairs("login-form", "login-submit")
                pairs["username"] = os.environ["USERNAME"]
                pairs["password"] = os.environ["PASSWORD"]
                action = forms.forms["login-form"]["action"]
            else:
                assert "consent-form" in forms.forms, urlsplit(url).path
                pairs = forms.pairs("consent-form", "consent-allow")
                action = forms.forms["consent-form"]["action"]
            away, url, page = self._send(urljoin(url, action), pairs)
        raise AssertionError("the flow does not end")

    def _send(self, url, pairs=None):
        method = "POST" if pairs is not None else "GET"
        for _ in range(STEPS):
            origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
            headers = {"Origin": origin} if pairs is not None else {}
            response = self.session.request(
                method, url, data=pairs, headers=headers, allow_redirects=False, timeout=30
            )
            if "Location" not in response.headers:
                return None, url, response.text
            url = urljoin(url, response.headers["Location"])
            if not url.startswith(origin):
                return url, None, None
            method, pairs = "GET", None
        raise AssertionError("a redirect loop")
