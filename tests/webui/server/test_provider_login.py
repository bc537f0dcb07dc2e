"""Logging in with an account elsewhere, against an OpenID provider that the tests start."""

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from rag.errors import LoginRefused
from tests.webui.fake_engine import FakeEngine
from webui.accounts.accounts import Accounts
from webui.accounts.provider import LOGIN_SECONDS, MAX_LOGINS, Identity, Provider, ProviderLogin
from webui.accounts.roles import Role
from webui.accounts.users import Users

OWNER, GUEST = {"sub": "1", "preferred_username": "ann"}, {"sub": "2", "preferred_username": "ben"}


class OpenIdServer:
    """A provider that gives a code to whoever is sent there, and checks what it is asked with the code."""

    def __init__(self, url):
        self.url, self.person, self.elsewhere = url, dict(GUEST), ""
        self.challenges: dict[str, tuple[str, str]] = {}  # code -> challenge of PKCE, address to come back to
        self.exchanged = 0

    def authorize(self, address):
        """Where the browser is sent after the person has agreed."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", "us", "S256")
        assert "openid" in asked["scope"].split()
        code = f"code{len(self.challenges)}"
        self.challenges[code] = (asked["code_challenge"], asked["redirect_uri"])
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}"

    def get(self, path, authorization):
        if path == "/.well-known/openid-configuration":
            places = {name: f"{self.url}/{name}" for name in ("authorization_endpoint", "userinfo_endpoint")}
            return 200, {**places, "token_endpoint": f"{self.elsewhere or self.url}/token_endpoint"}
        return (200, self.person) if authorization == "Bearer access" else (401, {})

    def post(self, form, authorization):
        self.exchanged += 1
        challenge, redirect = self.challenges.pop(form["code"], ("", ""))
        proof = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        known = authorization == "Basic " + base64.b64encode(b"us:secret").decode()
        if not known or proof != challenge or form["redirect_uri"] != redirect:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "access", "token_type": "bearer"}


@contextmanager
def open_id_server():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._reply(*provider.get(self.path, self.headers.get("Authorization")))

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._reply(*provider.post(form, self.headers.get("Authorization")))

        def _reply(self, status, said):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider = OpenIdServer(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield provider
        server.shutdown()
        thread.join()


@pytest.fixture
def provider():
    with open_id_server() as running:
        yield running


@pytest.fixture
def place(provider, tmp_path):
    """The address of a server whose people log in at the provider, and its users."""
    from webui.server.serve import Serving, serve

    folder = tmp_path / "data"
    folder.mkdir()
    accounts = Accounts(Users(folder), provider=Provider(provider.url, "us", "secret", administrator="1"))
    engine = FakeEngine(folder)
    page, url = serve(engine, Serving(port=0, accounts=accounts))
    yield url.rstrip("/"), Users(folder)
    engine.close()
    page.close(verbose=False)


def browser(url):
    return httpx.Client(base_url=url, headers={"Accept": "text/html"}, follow_redirects=False)


def come_back(client, provider, to=""):
    """Click on the button, agree at the provider, and follow the way back; the answer of our server."""
    away = client.get("/login/provider", params={"to": to})
    assert away.status_code == 303
    return client.get(provider.authorize(away.headers["location"]))


def test_people_log_in_with_the_provider_and_have_documents_of_their_own(place, provider):
    url, users = place
    with browser(url) as ann, browser(url) as ben:
        assert "Log in with Hugging Face" in ann.get("/").text
        provider.person = OWNER
        done = come_back(ann, provider, "c/abc")
        assert (done.status_code, done.headers["location"]) == (303, "../c/abc")
        provider.person = GUEST
        assert come_back(ben, provider).headers["location"] == "../"
        assert {user.name: (user.role, user.hash) for user in users.all()} == {
            "ann": (Role.ADMINISTRATOR, ""), "ben": (Role.EDITOR, ""),
        }  # fmt: skip
        assert len({user.id for user in users.all()}) == 2
        assert "ann" in ann.get("/account").text
        assert "Change your password" not in ann.get("/account").text
        come_back(ben, provider)
        assert len(users.all()) == 2


def test_a_login_ends_in_the_browser_that_began_it_and_once(place, provider):
    url, users = place
    with browser(url) as ann, browser(url) as mallory:
        back = provider.authorize(ann.get("/login/provider").headers["location"])
        refused = mallory.get(back)  # somebody is made to follow a link with another's code
        assert refused.status_code == 400
        assert "not started in this browser" in refused.text
        assert users.all() == ()
        assert ann.get(back).status_code == 303
        assert ann.get(back).status_code == 400
        assert mallory.get("/login/callback?code=x").status_code == 400


def test_the_cookie_of_a_login_is_out_of_reach_of_scripts(place):
    with browser(place[0]) as client:
        cookie = client.get("/login/provider").headers["set-cookie"]
    assert {"HttpOnly", "Path=/login", f"Max-Age={int(LOGIN_SECONDS)}", "SameSite=lax"} <= set(cookie.split("; "))


def test_where_a_login_leads_is_a_place_of_this_server(place, provider):
    with browser(place[0]) as client:
        assert come_back(client, provider, "https://evil.example/").headers["location"] == "../"


def test_somebody_without_a_password_here_cannot_log_in_with_one(place, provider):
    with browser(place[0]) as client:
        come_back(client, provider)
    with browser(place[0]) as client:
        for password in ("", " ", "secret"):
            sent = client.post("/login", data={"username": "ben", "password": password})
            assert sent.status_code in (400, 429)


def test_a_removed_user_does_not_come_back_and_names_are_not_shared(place, provider):
    url, users = place
    with browser(url) as client:
        come_back(client, provider)
        users.remove("ben")
        refused = come_back(client, provider)
        assert refused.status_code == 400
        assert "was removed" in refused.text
        provider.person = {"sub": "3", "preferred_username": "ben"}  # another person, who took the name
        come_back(client, provider)
        provider.person = {"sub": "4", "preferred_username": "ben"}
        come_back(client, provider)
    assert sorted(user.name for user in users.all()) == ["ben", "ben 2"]


@pytest.mark.parametrize(
    "said", [{}, {"sub": "1"}, {"sub": 1, "preferred_username": "x"}, {"sub": "1", "name": "a\x1fb"}, ["sub"]]
)
def test_a_provider_that_does_not_say_who_it_is_lets_nobody_in(place, provider, said):
    provider.person = said
    with browser(place[0]) as client:
        refused = come_back(client, provider)
    assert refused.status_code == 400
    assert "failed" in refused.text
    assert place[1].all() == ()


def test_the_secret_is_sent_nowhere_else(place, provider):
    with open_id_server() as other, browser(place[0]) as client:
        back = provider.authorize(client.get("/login/provider").headers["location"])
        provider.elsewhere = other.url
        assert client.get(back).status_code == 400
        assert other.exchanged == provider.exchanged == 0


def test_a_provider_that_cannot_be_reached_is_a_sentence():
    login = ProviderLogin(Provider("http://127.0.0.1:9", "us", "secret"))
    with pytest.raises(LoginRefused, match="Hugging Face failed"):
        login.begin("http://here/login/callback", "")


def test_logins_that_take_too_long_or_are_too_many_are_forgotten(provider):
    now = [0.0]
    login = ProviderLogin(Provider(provider.url, "us", "secret"), clock=lambda: now[0])
    address, state = login.begin("http://here/login/callback", "")
    code = parse_qs(urlsplit(provider.authorize(address)).query)["code"][0]
    now[0] = LOGIN_SECONDS + 1
    with pytest.raises(LoginRefused, match="took too long"):
        login.finish(state, state, code)
    first = login.begin("http://here/login/callback", "")[1]
    login._begun.update((str(n), login._begun[first]) for n in range(MAX_LOGINS - 1))
    login.begin("http://here/login/callback", "")
    assert len(login._begun) == MAX_LOGINS
    assert first not in login._begun


def test_a_space_names_its_provider_in_the_environment():
    assert Provider.of({}) is None
    assert Provider.of({"OAUTH_CLIENT_ID": "a"}) is None
    found = Provider.of(
        {"OAUTH_CLIENT_ID": "a", "OAUTH_CLIENT_SECRET": "b", "SPACE_HOST": "me-ask.hf.space",
         "SPACE_CREATOR_USER_ID": "7", "OPENID_PROVIDER_URL": "https://huggingface.co/"}
    )  # fmt: skip
    assert found == Provider("https://huggingface.co", "a", "b", administrator="7", server="https://me-ask.hf.space")
    assert "'b'" not in repr(found)
    assert Accounts(provider=found).needed


def test_ids_of_the_provider_are_no_ids_of_users_with_a_password(tmp_path):
    users = Users(tmp_path)
    Accounts(users).add_user("ann", "correct horse", Role.EDITOR)
    accounts = Accounts(users, provider=Provider("https://p", "us", "secret"))
    token = accounts.log_in_as(Identity("ann", "ann"))
    assert accounts.name_of(str(accounts.user_of(token))) == "ann 2"
