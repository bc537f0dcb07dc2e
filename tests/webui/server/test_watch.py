"""The server as whoever runs it sees it: health, request ids, metrics, and an end that loses no answer."""

import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from rag.errors import SettingRefused, StoreError
from rag.readiness import Readiness
from tests.webui.client import add
from tests.webui.fake_engine import FakeEngine, document
from webui.server.metrics import memory_of_children, metrics_served, registry_of
from webui.server.traffic import Kind, Traffic, kind_of

CANARY = "Heronwing"


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data", step=0.2)
    engine.library = [document(f"{CANARY}.pdf"), document("bens.pdf", f"{CANARY}-ben")]
    engine.answer = [("Revenue grew.", (1,)), ("Costs fell.", (1,))]
    return engine


@pytest.fixture
def traffic():
    return Traffic()


def health(url):
    answer = httpx.get(f"{url}/health")
    return answer.status_code, answer.json()


def asked(url, question="Did revenue grow?"):
    return httpx.post(f"{url}/api/ask", json={"question": question}, timeout=60)


def test_health_needs_no_login_and_no_known_name_and_says_one_word(engine, served):
    url = served(engine, logins={"ann": "a"})
    answer = httpx.get(f"{url}/health", headers={"host": "balancer.internal"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    assert answer.headers["cache-control"] == "no-store"


def test_health_says_what_it_waits_for_and_asks_nothing_that_waits(engine, served, traffic):
    engine.readiness = Readiness()
    url = served(engine, traffic=traffic)
    assert health(url) == (503, {"status": "loading"})
    engine.readiness.fail(StoreError("The library cannot be opened."))
    engine.readiness.end()
    assert health(url) == (503, {"status": "failed"})
    traffic.stop()
    assert health(url) == (503, {"status": "stopping"})


def test_every_response_has_the_id_that_a_proxy_gave_or_a_new_one(engine, served):
    url = served(engine)
    ids = {
        httpx.get(f"{url}{path}").headers["x-request-id"] for path in ("/", "/health", "/etc/passwd", "/api/documents")
    }
    assert len(ids) == 4
    assert all(re.fullmatch(r"[0-9a-f]{16}", one) for one in ids)
    given = "req-7.a:B_9"
    assert httpx.get(url, headers={"x-request-id": given}).headers["x-request-id"] == given
    for odd in ("a b", "x" * 65, "é", '{"a":1}'):
        answer = httpx.get(url, headers={"x-request-id": odd.encode()})
        assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


def test_while_stopping_new_work_is_refused_and_what_was_begun_is_finished(engine, served, traffic):
    url = served(engine, traffic=traffic)
    with ThreadPoolExecutor() as threads:
        begun = threads.submit(asked, url)
        while not engine.asked:
            time.sleep(0.01)
        traffic.stop()
        draining = threads.submit(traffic.drain, 30)
        refused = [
            asked(url),
            add(url, "late.pdf"),
            httpx.post(f"{url}/gradio_api/queue/join", json={"data": []}),
            httpx.post(f"{url}/api/documents", content=b"%PDF-1.4"),
        ]
        assert [(one.status_code, int(one.headers["retry-after"]) > 0) for one in refused] == [(503, True)] * 4
        assert "try again in half a minute" in refused[1].json()["refused"]
        assert "半分钟后" in add(url, "late.pdf", **{"accept-language": "zh"}).json()["refused"]
        assert httpx.get(url).status_code == 200  # what is there can still be read
        assert begun.result().json()["text"] == "Revenue grew.[1] Costs fell.[1]"
        assert draining.result() == 0
    assert len(engine.asked) == 1
    assert engine.received == []


def test_draining_gives_up_after_a_while_and_tells_what_is_left(traffic):
    with traffic.opened(Kind.ANSWER), traffic.opened(Kind.HEARTBEAT):
        assert traffic.drain(0.2) == 1


def test_draining_waits_for_answers_whose_page_is_closed(traffic):
    left = [1]
    traffic.awaits(lambda: left[0])
    assert traffic.drain(0.2) == 1
    threading.Timer(0.3, lambda: left.__setitem__(0, 0)).start()
    assert traffic.drain(30) == 0


def test_draining_waits_for_the_stream_that_a_page_opens_after_its_question(traffic):
    def page():
        with traffic.opened(Kind.QUESTION):
            pass
        time.sleep(0.3)
        with traffic.opened(Kind.ANSWER):
            time.sleep(0.5)
        ended.append(time.monotonic())

    ended: list[float] = []
    thread = threading.Thread(target=page)
    thread.start()
    assert traffic.drain(30) == 0
    assert ended
    thread.join()


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/gradio_api/queue/join", Kind.QUESTION),
        ("POST", "/mcp", Kind.QUESTION),
        ("GET", "/gradio_api/queue/data", Kind.ANSWER),
        ("POST", "/api/documents", Kind.UPLOAD),
        ("GET", "/api/documents", Kind.OTHER),
        ("GET", "/gradio_api/heartbeat/x", Kind.HEARTBEAT),
        ("GET", f"/document/{CANARY}/page/1", Kind.VIEWER),
        ("GET", f"/{CANARY}", Kind.OTHER),
    ],
)
def test_requests_are_counted_by_a_few_kinds(method, path, kind):
    assert kind_of(method, path) is kind


def numbers(text):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_count_requests_and_what_is_stored_without_a_word_of_it(engine, served, traffic):
    url = served(engine, traffic=traffic)
    asked(url, f"Where is {CANARY}?")
    add(url, f"{CANARY}.pdf")
    httpx.get(f"{url}/document/{CANARY}/page/1")
    text = generate_latest(registry_of(engine, traffic)).decode()
    found = numbers(text)
    assert found[("ask_http_requests_total", "question", "2xx")] == 1
    assert found[("ask_http_request_seconds_count", "question")] == 1
    assert found[("ask_http_requests_total", "upload", "2xx")] == 1
    assert found[("ask_ready",)] == 1
    assert found[("ask_documents",)] == 0  # in the database, which the scripted engine leaves empty
    assert found[("ask_files", "waiting")] == 0
    assert found[("ask_process_resident_memory_bytes",)] > 10_000_000
    assert CANARY.lower() not in text.lower()


def test_metrics_have_a_port_of_their_own_and_none_where_none_is_wanted(engine, traffic):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with metrics_served(engine, traffic, "127.0.0.1", port):
        assert "ask_documents" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")
    with metrics_served(engine, traffic, "127.0.0.1", 0):
        pass
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(SettingRefused, match=f"Port {port} .*--metrics-port"),
        metrics_served(engine, traffic, "127.0.0.1", port),
    ):
        pass


def test_metrics_are_not_on_the_port_of_the_page(engine, served):
    assert httpx.get(f"{served(engine)}/metrics").status_code == 404


def test_numbers_that_need_no_database_outlive_it(engine, traffic, monkeypatch):
    def gone():
        raise StoreError("The data folder cannot be used.")

    monkeypatch.setattr(engine.totals, "all", gone)
    found = numbers(generate_latest(registry_of(engine, traffic)).decode())
    assert found[("ask_ready",)] == 1
    assert ("ask_documents",) not in found


def test_the_memory_of_child_processes_is_measured():
    import subprocess
    import sys

    before = memory_of_children()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        while memory_of_children() <= before:
            time.sleep(0.01)
        child.communicate(b"\n")
