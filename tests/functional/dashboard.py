#!/usr/bin/env python3
"""The dashboard: its page in Chromium and its API, with machines whose disk is a boot sector. And vm top."""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tiny_guest  # noqa: E402
from browser import Browser  # noqa: E402
from harness import SOURCE, FreshCase, main, wait_for  # noqa: E402
from machine_case import MachineCase  # noqa: E402
from web_socket import WebSocket  # noqa: E402

# Never ends to say "A": mov dx,0x3f8; mov al,'A'; again: out dx,al; jmp again
FLOOD = bytes.fromhex("fa baf803 b041 ee ebfd").ljust(510, b"\0") + b"\x55\xaa"


class Dashboard(MachineCase, FreshCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.remove_all)

    def run_machine(self, name, *words, sector=None):
        """One with the tiny guest, or with another sector that its disk begins with."""
        disk = self.scratch / f"{name}.qcow2"
        if sector is None:
            tiny_guest.make_disk(disk)
        else:
            raw = self.scratch / "sector"
            raw.write_bytes(sector)
            os.truncate(raw, 1 << 20)
            subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, disk], check=True)
        self.vm("run", disk, "--name", name, "--for", "process", "--memory", "64M", *words)

    def serve(self):
        self.process = self.start_vm("dashboard", "--open", "no", "--json")
        text = ""
        while not text.endswith("}\n"):
            line = self.process.stdout.readline()
            self.assertTrue(line, "it ended")
            text += line
        answer = json.loads(text)
        self.port, self.token, self.url = answer["port"], answer["token"], answer["url"]
        self.bearer = {"Authorization": f"Bearer {self.token}"}

    def ask(self, method, path, headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body=body, headers=self.bearer if headers is None else headers)
            response = connection.getresponse()
            return response.status, response.read(), response
        finally:
            connection.close()

    def ask_json(self, method, path, code=200, body=None, like=None):
        status, data, _ = self.ask(method, "/api/v1" + path, body=body)
        self.assertEqual(status, code, data)
        answer = json.loads(data)
        if like:
            self.assert_like(like, answer)
        return answer

    def assert_like(self, name, answer):
        """The answer is one as api.schema.json says, by ajv."""
        schema = json.loads((SOURCE / "builder" / "dashboard" / "page" / "api.schema.json").read_text())
        schema["$ref"] = f"#/definitions/{name}"
        files = [self.scratch / "schema.json", self.scratch / "answer.json"]
        for file, value in zip(files, (schema, answer)):
            file.write_text(json.dumps(value))
        result = subprocess.run(["node", SOURCE / "tests" / "npm" / "validate_json.mjs", *files], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, f"{result.stdout}{result.stderr}{answer}")

    def open_socket(self, path, **options):
        opened = WebSocket(self.port, path, options.pop("headers", self.bearer), **options)
        self.addCleanup(opened.close)
        return opened

    def test_only_who_has_the_token_comes_in(self):
        self.run_machine("a")
        self.serve()
        own, other = f"http://127.0.0.1:{self.port}", "http://evil.example"
        status, _, response = self.ask("GET", f"/?token={self.token}", {})
        self.assertEqual((status, response.getheader("location")), (303, "/"))
        cookie = response.getheader("set-cookie")
        self.assertIn("HttpOnly", cookie)
        self.assertIn("SameSite=Strict", cookie)
        self.assertIn("script-src 'self'", response.getheader("content-security-policy"))
        cookie = {"Cookie": cookie.partition(";")[0]}
        stop = "/api/v1/machines/a/kill"
        snapshot = "/api/v1/machines/a/snapshots/one"
        for code, method, path, headers in (
                (401, "GET", "/", {}), (401, "GET", "/?token=" + "0" * 64, {}), (401, "GET", "/page.js", {}),
                (401, "POST", stop, {}), (401, "POST", stop, {"Authorization": "Bearer " + "0" * 64}),
                (401, "POST", stop, {"Cookie": cookie["Cookie"][:-1], "Origin": own}),
                (403, "POST", stop, {**cookie, "Origin": other}), (403, "POST", stop, {**self.bearer, "Origin": other}),
                (403, "POST", stop, cookie), (403, "GET", "/", {**cookie, "Host": f"evil.example:{self.port}"}),
                (403, "POST", stop, {**self.bearer, "Host": "evil.example"}), (403, "POST", stop, {**cookie, "Origin": "null"}),
                (403, "POST", stop, {**cookie, "Origin": f"http://127.0.0.1:{self.port + 1}"}),
                (401, "DELETE", snapshot, {}), (403, "DELETE", snapshot, cookie), (403, "DELETE", snapshot, {**cookie, "Origin": other}),
                (200, "GET", "/", cookie), (200, "GET", "/api/v1/machines", self.bearer)):
            status, data, _ = self.ask(method, path, headers)
            self.assertEqual(status, code, (method, path, headers, data))
            if code >= 400:
                self.assert_like("error", json.loads(data))
        for code, headers in ((401, {}), (403, {**cookie, "Origin": other}), (403, cookie),
                              (403, {**self.bearer, "Host": "evil.example"}), (101, {**cookie, "Origin": own}),
                              (101, self.bearer)):
            for path in ("/api/v1/events", "/api/v1/machines/a/console"):
                self.assertEqual(self.open_socket(path, headers=headers).status, code, (path, headers))
        self.assertEqual(self.state("a"), "running", "none of them did anything")
        with self.assertRaises(OSError):  # this host's other addresses do not lead there
            socket.create_connection(("127.0.0.2", self.port), timeout=5).close()
        status, _, _ = self.ask("POST", stop, {**cookie, "Origin": own})
        self.assertEqual((status, self.state("a")), (200, "stopped"))

    def test_the_api_does_what_the_commands_do(self):
        self.run_machine("a", "--graphics")
        self.vm("stop", "a", "--kill")
        self.serve()
        rows = self.ask_json("GET", "/machines", like="machines")["machines"]
        self.assertEqual([(row["name"], row["state"]) for row in rows], [("a", "stopped")])
        events = self.open_socket("/api/v1/events")
        self.ask_json("POST", "/machines/a/start")
        self.assertEqual(self.state("a"), "running")
        seen = {"machines": None, "samples": None}
        while not (seen["machines"] and seen["machines"]["machines"][0]["state"] == "running" and
                   seen["samples"] and seen["samples"]["samples"] and seen["samples"]["samples"][0]["processor"]):
            event = json.loads(events.receive())
            seen[event["event"]] = event
        for event in seen.values():
            self.assert_like("event", event)
        detail = self.ask_json("GET", "/machines/a", like="detail")
        self.assertGreater(len(detail["samples"]), 1)
        self.assertEqual(detail["samples"][-1]["memory_given"], 64 << 20)
        self.ask_json("POST", "/machines/a/start", code=409, like="error")
        self.ask_json("POST", "/machines/a/snapshots", code=201, body='{"name": "one"}')
        self.ask_json("POST", "/machines/a/snapshots", code=400, body='{"name": "../one"}', like="error")
        taken = self.ask_json("GET", "/machines/a/snapshots", like="snapshots")["snapshots"]
        self.assertEqual([row["name"] for row in taken], ["one"])
        self.ask_json("POST", "/machines/a/snapshots/one/restore")
        self.ask_json("POST", "/machines/a/snapshots/two/restore", code=400, like="error")
        self.ask_json("DELETE", "/machines/a/snapshots/two", code=400, like="error")
        self.ask_json("DELETE", "/machines/a/snapshots/one")
        self.assertEqual(self.ask_json("GET", "/machines/a/snapshots", like="snapshots")["snapshots"], [])
        status, picture, response = self.ask("GET", "/api/v1/machines/a/screenshot")
        self.assertEqual((status, response.getheader("content-type"), picture[:4]), (200, "image/png", b"\x89PNG"))
        wait_for(lambda: b"tiny guest" in self.ask("GET", "/api/v1/machines/a/log")[1], "the log says nothing")
        self.assertEqual(self.ask("GET", "/api/v1/machines/none/console")[0], 404)
        for method, path, code in (("GET", "/machines/none", 404), ("GET", "/machines/a/start", 405),
                                   ("DELETE", "/machines/a", 405), ("POST", "/machines/a/explode", 404)):
            self.ask_json(method, path, code=code, like="error")
        # Nothing in it listens to the power button: it can be ended while somebody waits for that.
        stopped = []
        waits = threading.Thread(target=lambda: stopped.append(self.ask("POST", "/api/v1/machines/a/stop")[0]))
        waits.start()
        wait_for(lambda: self.status("a")["stopping"], "it is not asked to stop")
        self.ask_json("POST", "/machines/a/restart", code=409, like="error")
        self.ask_json("POST", "/machines/a/kill")
        waits.join(60)
        self.assertEqual(stopped, [200])
        self.assert_stopped_and_whole("a")
        for path in ("console", "screen"):
            refused = self.open_socket(f"/api/v1/machines/a/{path}")
            self.assertEqual(refused.status, 400)
            self.assertIn(b"does not run", refused.body)

    def mark(self, machine, state, **destination):
        """As a machine that moves has it."""
        where = {"to": "", "name": "", "program": "", "store": "", "ssh_options": [], **destination}
        (self.machines / machine / "move.json").write_text(json.dumps({
            "schema": 1, "id": "0" * 32, "state": state, "confirmed": state == "gone", "live": False, "destination": where}))

    def test_machines_that_move_are_shown_as_that(self):
        for name in ("a", "b", "c"):
            self.run_machine(name)
            self.vm("stop", name, "--kill")
        self.mark("a", "arriving")
        self.mark("b", "gone", to="ssh://other.example", name="new")
        (self.machines / "c" / "move.json").write_text("{")
        listed = json.loads(self.vm("list", "--json").stdout)["machines"]
        self.serve()
        rows = self.ask_json("GET", "/machines", like="machines")["machines"]
        self.assertEqual([(row["name"], row["state"]) for row in rows], [("a", "arriving"), ("b", "gone"), ("c", "damaged")])
        for row, said in zip(rows, listed):
            self.assertEqual([row.get(name) for name in ("state", "problem", "hint")],
                             [said.get(name) for name in ("state", "problem", "hint")])
        self.assertIn("moved to ssh://other.example, as new", rows[1]["problem"])
        self.assertIn("vm remove b", rows[1]["hint"])
        error = self.ask_json("POST", "/machines/b/start", code=400, like="error")["error"]
        self.assertEqual([error["message"], error["hint"]], [rows[1]["problem"], rows[1]["hint"]])
        said = json.loads(self.vm_fails(2, "start", "b", "--json").stderr)["error"]
        self.assertEqual(error, said, "the API and the command say the same")
        browser = self.open_browser()
        for name, state in (("a", "arriving"), ("b", "gone"), ("c", "damaged")):
            browser.run(f"location.hash = '{name}'")
            wait_for(lambda: browser.run(f"document.querySelector('#name').textContent === '{name}'"), "it is not shown")
            self.assertEqual(browser.run("document.querySelector('tr[aria-current] .state').textContent"), state)
            self.assertEqual(browser.run("[...document.querySelectorAll('[data-do]')].filter((one) => !one.disabled).length"), 0)
            browser.run("document.querySelector('#tab-snapshots').click()")
            wait_for(lambda: browser.run("document.querySelector('#take button').disabled"), "a snapshot can be taken")
        browser.run("location.hash = 'b'")
        wait_for(lambda: browser.run("document.querySelector('#about').textContent.includes('vm remove b')"), "nobody says what to do")

    def test_the_console_and_the_screen_are_passed_on(self):
        self.run_machine("a", "--graphics")
        self.run_machine("blind")
        self.serve()
        first = self.open_socket("/api/v1/machines/a/console")
        self.assertEqual(json.loads(first.receive()), {"writes": True})
        second = self.open_socket("/api/v1/machines/a/console")
        self.assertEqual(json.loads(second.receive()), {"writes": False})
        said = {}

        def read_until(which, text):
            said.setdefault(which, b"")
            while text not in said[which]:
                said[which] += which.receive()
        read_until(first, b"tiny guest")
        second.send(b"+++")
        first.send(b"+?")
        for which in (first, second):
            read_until(which, b"+1\n")
            self.assertNotIn(b"++", said[which])
        screen = self.open_socket("/api/v1/machines/a/screen")
        self.assertEqual(screen.receive(), b"RFB 003.008\n")
        self.assertEqual((self.machines / "a").stat().st_mode & 0o077, 0, "where the screen's socket is")
        blind = self.open_socket("/api/v1/machines/blind/screen")
        self.assertEqual(blind.status, 400)
        self.assertIn(b"has no screen", blind.body)
        first.send(b"r")  # another QEMU in the same process
        said[second] = b""
        read_until(second, b"tiny guest")
        first.send(b"o")
        for which in (first, second, screen):
            while which.receive() is not None:
                pass

    def test_who_asks_too_much_or_does_not_read_harms_nobody(self):
        self.run_machine("flood", sector=FLOOD)
        self.serve()
        self.assertEqual(self.ask("POST", "/api/v1/machines/flood/kill", body=b"x" * 100_000)[0], 413)
        for request in (b"GET /" + b"x" * 100_000, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000, b"\0" * 1000,
                        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                        b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
                try:
                    client.sendall(request)
                    client.shutdown(socket.SHUT_WR)
                    answer = client.recv(65536)
                except OSError:  # it hung up in the middle
                    answer = b""
                self.assertRegex(answer, rb"^(HTTP/1\.[01] [45]\d\d|$)", request[:60])
            self.ask_json("GET", "/machines")
        idle = []
        try:
            for _ in range(300):
                idle.append(socket.create_connection(("127.0.0.1", self.port), timeout=30))
        except OSError:
            pass
        finally:
            for client in idle:
                client.close()
        wait_for(lambda: self.works(), "it does not come back")
        slow = [self.open_socket("/api/v1/machines/flood/console?write=0", receive_buffer=4096) for _ in range(4)]
        self.assertEqual([client.status for client in slow], [101] * 4)
        quick = self.open_socket("/api/v1/machines/flood/console?write=0")
        got = 0
        while got < 2_000_000:
            got += len(quick.receive())
        events = self.open_socket("/api/v1/events")
        while json.loads(events.receive())["event"] != "samples":
            pass
        memory = re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text()).group(1)
        self.assertLess(int(memory), 64 << 10, "kB")
        self.assertEqual(self.state("flood"), "running")
        self.process.send_signal(signal.SIGINT)
        self.assertEqual(self.process.wait(timeout=30), 0)
        self.assertEqual(self.state("flood"), "running")

    def open_browser(self):
        browser = Browser(self.scratch / "chromium", timeout=150)
        self.addCleanup(browser.close)
        browser.open(self.url)
        return browser

    def type_into(self, name, text):
        console = self.open_socket(f"/api/v1/machines/{name}/console")
        self.assertEqual(json.loads(console.receive()), {"writes": True})
        console.send(text)  # and not closed before that is read: what waits unread would be thrown away with it

    def works(self):
        try:
            return self.ask("GET", "/api/v1/machines")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def test_top_says_what_they_use(self):
        self.run_machine("busy")
        self.run_machine("stopped")
        self.vm("stop", "stopped", "--kill")
        rows = {row["name"]: row for row in json.loads(self.vm("top", "--interval", "1", "--json").stdout)["machines"]}
        self.assertNotIn("use", rows["stopped"])
        use = rows["busy"]["use"]
        self.assertGreater(use["processor"], 0)
        self.assertEqual(use["memory_given"], 64 << 20)
        self.assertGreater(use["memory_resident"], 1 << 20)
        self.assertIsNone(use["network_received"], "nobody in it could tell")
        text = self.vm("top", "--once", "--interval", "1").stdout
        self.assertRegex(text, r"(?m)^busy +\S+ +\d+% +\S+M +64M +0 +0 +- +- +-$")
        self.assertLessEqual(max(map(len, text.splitlines())), 80)

    def test_the_page_in_a_browser(self):
        self.run_machine("a", "--graphics")
        self.run_machine("blind")
        for name in ("a", "blind"):
            self.vm("stop", name, "--kill")
        self.serve()
        browser = self.open_browser()
        see = browser.run

        def shown(expression, what):
            return wait_for(lambda: see(expression), what)
        shown("document.querySelectorAll('#machines tbody tr').length === 2", "the machines are not shown")
        self.assertNotIn("token", see("location.href"))
        self.assertEqual(see("document.cookie"), "", "no script sees the cookie")
        # By keyboard alone: to the first machine, and to its button.
        see("document.querySelector('#machines tbody button').focus()")
        browser.press("Enter", 13)
        shown("document.querySelector('#name').textContent === 'a'", "the machine is not shown")
        see("document.querySelector('[data-do=start]').focus()")
        browser.press("Enter", 13)
        shown("document.querySelector('#message').textContent === 'a: started'", "it is not started")
        self.assertEqual(self.state("a"), "running")
        shown("document.querySelector('[data-do=start]').disabled", "it can be started again")
        shown("document.querySelector('#panel-console .hint').textContent.startsWith('What you type')", "no console")
        console = "document.querySelector('.xterm-accessibility-tree').textContent"
        shown(f"{console}.includes('tiny guest')", "the console shows nothing")
        see("document.querySelector('.xterm-helper-textarea').focus()")
        for letter in "++?":
            browser.call("Input.dispatchKeyEvent", type="char", text=letter)
        shown(f"{console}.includes('++2')", "what is typed is not answered")
        browser.call("Input.dispatchKeyEvent", type="keyDown", key="]", code="BracketRight", windowsVirtualKeyCode=221, modifiers=2)
        self.assertEqual(see("document.activeElement.id"), "tab-console", "Ctrl+] leaves it")
        curve = "document.querySelector('#graphs polyline').getAttribute('points')"
        first = shown(f"{curve}.includes(' ') && {curve}", "there is no curve")
        shown(f"{curve} !== {json.dumps(first)}", "the curve does not move")
        self.assertRegex(see("document.querySelector('#graphs .now').textContent"), r"^\d+ %$")
        browser.press("ArrowRight", 39)
        shown("document.querySelector('#panel-screen canvas') !== null && "
              "document.querySelector('#panel-screen .hint').textContent.startsWith('Keys go')", "no screen")
        picture = "document.querySelector('#panel-screen canvas')"
        see(f"window.before = {picture}")
        self.type_into("a", b"r")
        shown(f"{picture} !== null && {picture} !== window.before", "the screen does not come back after a restart from inside")
        see("document.querySelector('#tab-log').click()")
        shown("document.querySelector('#panel-log pre').textContent.includes('tiny guest')", "no log")
        see("document.querySelector('#tab-snapshots').click()")
        see("document.querySelector('#snapshot-name').value = 'one'; document.querySelector('#take button').click()")
        shown("document.querySelector('#snapshots tbody th')?.textContent === 'one'", "no snapshot")
        see("document.querySelector('#snapshot-name').value = 'two'; document.querySelector('#take button').click()")
        shown("document.querySelectorAll('#snapshots tbody tr').length === 2", "no second snapshot")
        for width in (390, 1280):
            browser.call("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 400)
            self.assertLessEqual(see("document.documentElement.scrollWidth"), width, "nothing sticks out")
        # By keyboard: it asks, Escape means no, and afterwards the keyboard is at the snapshot that is left.
        see("document.querySelector('#snapshots tbody button:last-child').focus()")
        label = "document.activeElement.getAttribute('aria-label')"
        for key, code, text in (("Enter", 13, "Remove one: sure?"), ("Escape", 27, "Remove one"), ("Enter", 13, "Remove one: sure?")):
            browser.press(key, code)
            self.assertEqual(see(label), text)
        browser.press("Enter", 13)
        shown(f"document.querySelectorAll('#snapshots tbody tr').length === 1 && {label} === 'Remove two'", "it is not removed")
        self.assertEqual(see("document.querySelector('#message').textContent"), "a: removed one")
        self.assertEqual([row["name"] for row in json.loads(self.vm("snapshot", "list", "a", "--json").stdout)["snapshots"]], ["two"])
        see("document.querySelector('[data-do=kill]').click()")
        self.assertEqual(self.state("a"), "running", "it asks first")
        see("document.querySelector('[data-do=kill]').click()")
        shown("document.querySelector('#message').textContent === 'a: ended'", "it is not ended")
        self.assertEqual(self.state("a"), "stopped")
        faults = [row for row in browser.log if row.get("entry", {}).get("level") != "warning"]
        self.assertEqual(faults, [], "no error, no refusal by the page's own policy")
        self.process.send_signal(signal.SIGINT)
        shown("document.querySelector('#connection').textContent.startsWith('not connected')", "nobody says that it ended")


if __name__ == "__main__":
    main()
