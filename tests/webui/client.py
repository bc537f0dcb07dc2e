"""What a browser sends, without one."""

import json
from urllib.parse import quote

import httpx

PDF = b"%PDF-1.4 not much of one"


def client_of(url, **options):
    """An HTTP client that keeps no connection open, so that it needs no closing."""
    return httpx.Client(base_url=url, limits=httpx.Limits(max_keepalive_connections=0), **options)


def add(url, name, data=PDF, **headers):
    return httpx.post(f"{url}/library/add", content=data, headers={"x-file-name": quote(name), **headers})


def log_in(url, user, password):
    client = client_of(url)
    return client, client.post("/login", data={"username": user, "password": password}).status_code


def call(client, handler, session="s", event=None, data=()):
    """Call a handler of the page as the page's own script does."""
    config = client.get("/config")
    found, inputs = 0, []
    if config.status_code == 200:
        found, inputs = next((d["id"], d["inputs"]) for d in config.json()["dependencies"] if d["api_name"] == handler)
    body = {"data": list(data) or [""] * len(inputs), "fn_index": found, "session_hash": session, "event_data": event}
    kind = {"content-type": "application/json"}
    return client.post("/gradio_api/run/predict", content=json.dumps(body), headers=kind)
