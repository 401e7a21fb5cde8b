"""The HTTP API: what is answered, what is refused and how; processes that are slow, lost or no longer wanted."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from email import message_from_bytes

import httpx
import pytest
import serve_stand_in

from clairvoy.apps.serve import crew as crew_module
from clairvoy.apps.serve.application import make_app
from clairvoy.apps.serve.crew import Crew
from clairvoy.apps.serve.guard import host_name
from clairvoy.apps.serve.uploads import Limits, Model
from clairvoy.errors import WeightsError

LIMITS = Limits(bytes=100, seconds=20.0)


@asynccontextmanager
async def served(limits=LIMITS, count=1, queue=1, weights="fast", **how):
    """A client of an application with a started crew."""
    crew = Crew(serve_stand_in.load, Model(weights, "cpu", limits), count, queue)
    try:
        await crew.start()
        transport = httpx.ASGITransport(make_app(crew, **how), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client, crew
    finally:
        await crew.dismiss()
    assert crew.taken == 0
    assert not crew.alive


def is_problem(answer, status, *words):
    told = answer.json()
    return (
        answer.status_code == told["status"] == status
        and answer.headers["content-type"] == "application/problem+json"
        and all(word in told["detail"] for word in words)
    )


def test_a_picture_comes_back_with_its_report():
    async def check():
        async with served() as (client, _):
            answer = await client.post("/v1/clear?strength=0.5&preset=fine", content=b"photo")
            assert answer.content == b"restored photo"
            assert answer.headers["content-type"] == "image/jpeg"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in answer.headers["content-security-policy"]
            assert "access-control-allow-origin" not in answer.headers
            told = json.loads(answer.headers["clairvoy-report"])
            assert (told["strength"], told["preset"], told["tau_db"]) == (0.5, "fine", None)

            answer = await client.post("/v1/report", content=b"photo")
            assert answer.json()["strength"] == 1.0
            assert "status" not in answer.json()

            numbers = (await client.get("/metrics")).text
            assert 'clairvoy_requests_total{route="/v1/clear",status="200"} 1.0' in numbers
            assert "clairvoy_pixels_total 12.0" in numbers
            assert "clairvoy_places 2.0" in numbers

    asyncio.run(check())


def test_a_client_may_ask_for_all_in_one_answer():
    async def check():
        async with served() as (client, _):
            answer = await client.post(
                "/v1/clear", content=b"photo", headers={"Accept": "multipart/form-data"}
            )
            head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
            parts = {
                part.get_param("name", header="content-disposition"): part
                for part in message_from_bytes(head + answer.content).get_payload()
            }
            assert list(parts) == ["report", "picture", "haze", "tau"]
            assert parts["picture"].get_payload(decode=True) == b"restored photo"
            assert parts["picture"].get_filename() == "clear.jpg"
            assert parts["haze"].get_payload(decode=True) == b"haze"
            assert json.loads(parts["report"].get_payload(decode=True))["status"] == "restored"

    asyncio.run(check())


def test_the_page_is_handed_out_and_may_run_its_own_scripts():
    async def check():
        async with served(token="secret") as (client, _):
            page = await client.get("/")
            assert page.headers["content-type"].startswith("text/html")
            assert "sandbox" not in page.headers["content-security-policy"]
            assert page.headers["x-content-type-options"] == "nosniff"
            for name, kind in (
                ("constants.js", "text/javascript"),
                ("texts/zh.json", "application/json"),
                ("examples/lake.jpg", "image/jpeg"),
                ("models/agent.onnx.gz", "application/gzip"),
            ):
                answer = await client.get(f"/{name}")
                assert answer.status_code == 200
                assert answer.headers["content-type"].startswith(kind)
                assert "content-encoding" not in answer.headers
            assert (await client.get("/../pyproject.toml")).status_code == 404

    asyncio.run(check())


def test_the_page_is_told_what_the_server_takes():
    async def told(**how):
        async with served(Limits(bytes=7, pixels=9, formats=frozenset({"TIFF", "JPEGXL"})), **how) as (
            client,
            _,
        ):
            module = (await client.get("/server_limits.js")).text
            return json.loads(module[module.index("{") : module.rindex(";")])

    suffixes = {".tif": "TIFF", ".tiff": "TIFF", ".jxl": "JPEGXL"}
    wanted = {"bytes": 7, "pixels": 9, "suffixes": suffixes, "token": False}
    assert asyncio.run(told()) == wanted
    assert asyncio.run(told(token="secret")) == {**wanted, "token": True}


def test_what_is_wrong_is_said_as_a_problem():
    async def check():
        async with served() as (client, _):
            post = client.post
            assert is_problem(await post("/v1/clear", content=b""), 422, "body is empty")
            assert is_problem(await post("/v1/clear", content=b"damaged"), 422, "the picture is truncated")
            assert is_problem(await post("/v1/clear", content=b"large"), 413, "65000 x 65000")
            assert is_problem(await post("/v1/report", content=b"svg"), 415, "SVG")
            assert is_problem(await post("/v1/clear", content=b"fault"), 500, "fault of clairvoy")
            assert is_problem(await post("/v1/clear?strength=nan", content=b"x"), 422, "strength")
            assert is_problem(await post("/v1/clear?format=gif", content=b"x"), 422, "format")
            assert is_problem(await post("/v1/clear?samples=99", content=b"x"), 422, "samples")
            form = await post("/v1/clear", files={"picture": b"x"})
            assert is_problem(form, 415, "--data-binary")
            assert is_problem(await client.get("/v1/clear"), 405, "GET does nothing")
            assert is_problem(await client.get("/v2/../nothing"), 404, "/openapi.json")
            # What clients make up becomes no name of a metric.
            assert "nothing" not in (await client.get("/metrics")).text

    asyncio.run(check())


def test_an_upload_may_have_so_many_bytes_promised_or_not():
    async def pieces(count):
        for _ in range(count):
            yield b"x" * 50

    async def check():
        async with served() as (client, _):
            assert is_problem(await client.post("/v1/clear", content=b"x" * 101), 413, "100 bytes")
            assert is_problem(await client.post("/v1/clear", content=pieces(3)), 413, "100 bytes")
            assert (await client.post("/v1/clear", content=pieces(2))).status_code == 200

    asyncio.run(check())


def test_who_sends_slowly_is_refused():
    async def drip():
        while True:
            yield b"x"
            await asyncio.sleep(0.05)

    async def check():
        async with served(Limits(seconds=0.3)) as (client, _):
            assert is_problem(await client.post("/v1/clear", content=drip()), 408, "0.3 seconds")

    asyncio.run(check())


def test_more_than_the_places_are_told_to_come_again():
    async def check():
        async with served(count=1, queue=1) as (client, crew):
            asked = [asyncio.create_task(client.post("/v1/clear", content=b"sleep 0.5")) for _ in range(2)]
            while crew.taken < 2:
                await asyncio.sleep(0.01)
            refused = await client.post("/v1/clear", content=b"photo")
            assert is_problem(refused, 429, "try again")
            assert int(refused.headers["retry-after"]) > 0
            assert (await client.get("/healthz")).json()["taken"] == 2
            assert [answer.status_code for answer in await asyncio.gather(*asked)] == [200, 200]
            assert (await client.post("/v1/clear", content=b"photo")).status_code == 200

    asyncio.run(check())


def test_a_process_that_is_slow_or_lost_costs_its_own_picture_only():
    async def check():
        async with served(Limits(seconds=1.0)) as (client, crew):
            assert is_problem(await client.post("/v1/clear", content=b"sleep 60"), 504, "takes longer")
            assert (await client.post("/v1/clear", content=b"photo")).status_code == 200
            assert is_problem(await client.post("/v1/clear", content=b"crash"), 500, "was lost")
            first = (await client.post("/v1/report", content=b"die")).json()["pid"]
            await asyncio.sleep(0.3)
            assert (await client.post("/v1/report", content=b"photo")).json()["pid"] != first
            assert crew.lost == 2

    asyncio.run(check())


def test_work_that_nobody_waits_for_is_stopped():
    """Also in the queue: who has gone from there is not worked for."""

    async def gone_after(app, seconds, content):
        sent = iter([{"type": "http.request", "body": content, "more_body": False}])

        async def receive():
            message = next(sent, None)
            if message is None:
                await asyncio.sleep(seconds)
                return {"type": "http.disconnect"}
            return message

        async def send(message):
            pass

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/v1/clear",
            "raw_path": b"/v1/clear",
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost")],
        }
        await app(scope, receive, send)

    async def check():
        async with served(queue=2) as (client, crew):
            app = client._transport.app
            begun = asyncio.get_running_loop().time()
            await asyncio.gather(gone_after(app, 0.3, b"sleep 60"), gone_after(app, 0.1, b"sleep 60"))
            assert crew.taken == 0
            assert (await client.post("/v1/clear", content=b"photo")).status_code == 200
            assert crew.lost == 1
            assert asyncio.get_running_loop().time() - begun < 50

    asyncio.run(check())


def test_a_token_is_asked_for_where_there_is_one():
    async def check():
        async with served(token="geheim-ö") as (client, _):
            refused = await client.post("/v1/clear", content=b"photo")
            assert is_problem(refused, 401, "Bearer")
            assert refused.headers["www-authenticate"] == "Bearer"
            wrong = {"Authorization": "Bearer other"}
            assert (await client.get("/metrics", headers=wrong)).status_code == 401
            right = {"Authorization": "Bearer geheim-ö".encode()}
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get("/metrics", headers=right)).status_code == 200

    asyncio.run(check())


def test_a_page_of_another_site_cannot_reach_it_by_a_name_of_its_own():
    async def check():
        async with served(hosts={"localhost", "::1"}) as (client, _):
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get("/healthz", headers={"Host": "[::1]:8000"})).status_code == 200
            assert is_problem(
                await client.get("/healthz", headers={"Host": "evil.example:8000"}), 421, "evil.example"
            )

    asyncio.run(check())


@pytest.mark.parametrize(
    ("host", "name"),
    [("Localhost", "localhost"), ("a.b:80", "a.b"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("", "")],
)
def test_the_name_in_a_host_header(host, name):
    assert host_name(host) == name


def test_weights_that_cannot_be_used_are_said_at_the_start():
    async def check():
        async with served(weights="none"):
            pass

    with pytest.raises(WeightsError, match="no such weights"):
        asyncio.run(check())


def test_without_processes_it_is_not_healthy_and_gets_new_ones(monkeypatch):
    starts = []

    async def check():
        async with served() as (client, crew):
            hire = crew._hire

            async def fails_twice():
                starts.append(1)
                if len(starts) < 3:
                    raise crew_module.LostError
                await hire()

            monkeypatch.setattr(crew, "_hire", fails_twice)
            monkeypatch.setattr(crew_module, "SECONDS_BETWEEN_STARTS", 0.2)
            await client.post("/v1/clear", content=b"crash")
            while not crew.cannot_start:
                assert (await client.get("/healthz")).status_code == 200
                await asyncio.sleep(0.01)
            assert is_problem(await client.get("/healthz"), 503, "none could be started")
            assert (await client.post("/v1/clear", content=b"photo")).status_code == 200
            assert (await client.get("/healthz")).json()["workers"] == 1

    asyncio.run(check())
    assert len(starts) == 3


def test_the_description_names_every_way_and_every_refusal():
    async def check():
        async with served() as (client, _):
            return (await client.get("/openapi.json")).json()

    described = asyncio.run(check())
    assert set(described["paths"]) == {"/v1/clear", "/v1/report", "/healthz", "/metrics"}
    clear = described["paths"]["/v1/clear"]["post"]
    assert {"200", "401", "408", "413", "415", "422", "429", "500", "504"} <= set(clear["responses"])
    assert set(clear["responses"]["422"]["content"]) == {"application/problem+json"}
    assert clear["requestBody"]["content"]["*/*"]
    assert {one["name"] for one in clear["parameters"]} == {
        "strength", "samples", "force", "preset", "format", "quality"
    }  # fmt: skip
