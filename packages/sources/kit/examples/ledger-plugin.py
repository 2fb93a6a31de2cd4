#!/usr/bin/env python3
"""
A whole source plug-in in another language. Its "database" is a ledger: a text file to which lines
"<milliseconds since 1970> <text>" are appended, each a transaction. A virtual database of it is a
server that speaks lines over TCP: "AUTH <user> <password>", then "ROWS" and "ADD <text>".

What is where on the volume (docs/protocols/source-plugin.md):

  data/ledger           the lines that a clone starts from
  log/<from>-<to>       the lines between two marks, by their byte offsets in production
  openmaas.json         {"seeded": bytes, "position": bytes, "limit": ...}

The records of an instance, its pid and its password, are of the host and not on the volume.
Wire: docs/protocols/source-plugin.md. Install: copy it to /etc/openmaas/plugins, mode 0755.
"""
import glob
import json
import os
import shutil
import signal
import socketserver
import subprocess
import sys
import threading
import time

RUN = os.environ.get("LEDGER_RUN", "/run/openmaas-ledger")
RUN_MODE = 0o700
START_SECONDS = 20
STOP_SECONDS = 10
BLOCK = 1 << 20
DEFAULT_KEEP_LOGS = 64


class Refused(Exception):
    def __init__(self, code, message, **details):
        super().__init__(message)
        self.error = {"code": code, "message": message, "details": details}


# ── the volume ────────────────────────────────────────────────────────────────────────────────


def state_path(params):
    return os.path.join(params["directory"], "openmaas.json")


def read_state(params):
    try:
        with open(state_path(params)) as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def write_durable(path, content):
    with open(path + ".new", "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".new", path)


def write_state(params, state):
    write_durable(state_path(params), json.dumps(state).encode())


def whole_lines(content):
    """A line without its newline is a transaction that has not committed."""
    return content[: content.rfind(b"\n") + 1]


def production(connection):
    path = connection["host"]
    if not path.startswith("/"):
        raise Refused("DATABASE_UNREACHABLE", "a ledger is a path on this host, not a name", host=path)
    try:
        with open(path, "rb") as file:
            return whole_lines(file.read())
    except FileNotFoundError:
        raise Refused("DATABASE_UNREACHABLE", "there is no ledger at " + path, host=path)
    except PermissionError:
        raise Refused("DATABASE_DENIED", "the ledger %s may not be read" % path, host=path)


def place(offset):
    return {"position": str(offset), "detail": ""}


# ── production and its standby ────────────────────────────────────────────────────────────────


def discover(request, params):
    return {"instances": []}


def check(request, params):
    content = production(params["connection"])
    bad = [line for line in content.splitlines() if not line.split(b" ")[0].isdigit()]
    first = bad[0].decode("utf8", "replace")[:100] if bad else ""
    checks = [
        {"name": "readable", "ok": True, "message": "the ledger can be read", "remedy": ""},
        {
            "name": "lines",
            "ok": not bad,
            "message": "a line has no time: " + first if bad else "each line has its time",
            "remedy": "put the milliseconds since 1970 before it" if bad else "",
        },
    ]
    identity = params["connection"]["host"]
    return {"version": "1", "sizeBytes": len(content), "identity": identity, "checks": checks}


def seed(request, params):
    content = production(params["connection"])
    for name in ("data", "log"):
        os.makedirs(os.path.join(params["directory"], name), exist_ok=True)
    path = os.path.join(params["directory"], "data", "ledger")
    with open(path + ".new", "wb") as copy:
        for at in range(0, len(content), BLOCK):
            if request in cancelled:
                raise Refused("CANCELLED", "the copy was cancelled")
            copy.write(content[at : at + BLOCK])
            progress(request, "copy", min(at + BLOCK, len(content)), len(content))
        copy.flush()
        os.fsync(copy.fileno())
    os.rename(path + ".new", path)
    write_state(params, {"seeded": len(content), "position": len(content)})
    return {"version": "1", "sizeBytes": len(content), "position": place(len(content))}


def status(request, params):
    state = read_state(params)
    answer = {
        "state": "following",
        "reason": "",
        "mustReseed": False,
        "received": None,
        "applied": None,
        "lagBytes": None,
        "lagMs": None,
        "retainedBytes": None,
        "retainedLimitBytes": None,
        "logBytes": 0,
    }
    if "position" not in state:
        return {**answer, "state": "seeding", "reason": "no copy has been made yet"}
    answer["received"] = answer["applied"] = place(state["position"])
    answer["logBytes"] = sum(os.path.getsize(path) for path in logs_of(params["directory"]))
    if state.get("stopped"):
        return {**answer, "state": "stopped", "reason": "it was told to stop"}
    if params.get("connection"):
        try:
            length = len(production(params["connection"]))
        except Refused as refused:
            return {**answer, "state": "stopped", "reason": str(refused)}
        if length < state["position"]:
            reason = "production is shorter than what was copied: it was replaced"
            return {**answer, "state": "broken", "reason": reason, "mustReseed": True}
        answer["lagBytes"] = length - state["position"]
    return answer


def follow(request, params):
    state = read_state(params)
    if "position" not in state:
        raise Refused("DATABASE_NOT_SEEDED", "no copy has been made yet")
    write_state(params, {**state, "stopped": False})
    return status(request, params)


def mark(request, params):
    """Everything that was committed before is on the volume, as data and as log."""
    state = read_state(params)
    if "position" not in state:
        raise Refused("DATABASE_NOT_SEEDED", "no copy has been made yet")
    at_ms = int(time.time() * 1000)
    start, end = state["position"], state["position"]
    if params.get("connection"):
        content = production(params["connection"])
        if len(content) < start:
            raise Refused("DATABASE_CHAIN_BROKEN", "production is shorter than what was copied")
        end = len(content)
        if end > start:
            write_durable(os.path.join(params["directory"], "log", "%020d-%020d" % (start, end)), content[start:end])
            write_durable(os.path.join(params["directory"], "data", "ledger"), content)
    pruned = prune(params["directory"])
    write_state(params, {**state, "position": end})
    answer = {"atMs": at_ms, "position": place(end), "consistency": "application"}
    return {**answer, "logFromMs": None, "prunedBytes": pruned}


def logs_of(directory):
    return sorted(glob.glob(os.path.join(glob.escape(directory), "log", "*-*")))


def prune(directory):
    freed = 0
    for path in logs_of(directory)[:-DEFAULT_KEEP_LOGS]:
        freed += os.path.getsize(path)
        os.remove(path)
    return freed


def unfollow(request, params):
    state = read_state(params)
    if state:
        write_state(params, {**state, "stopped": True})
    return {}


# ── instances ─────────────────────────────────────────────────────────────────────────────────


def run_path(params, name):
    return os.path.join(RUN, params["id"], name)


def recovered(params):
    """The lines of the clone and of the log after it, up to the target."""
    with open(os.path.join(params["directory"], "data", "ledger"), "rb") as file:
        content = file.read()
    target = params["target"]
    if target["kind"] == "snapshot":
        return content
    for directory in params["logDirectories"]:
        for path in logs_of(directory):
            start, end = (int(part) for part in os.path.basename(path).split("-"))
            if start <= len(content) < end:
                with open(path, "rb") as file:
                    content += file.read()[len(content) - start :]
    lines = content.splitlines(keepends=True)
    if target["kind"] == "time":
        kept = []
        for line in lines:
            if int(line.split(b" ")[0]) > target["atMs"]:
                break
            kept.append(line)
        return b"".join(kept)
    if target["kind"] == "transaction":
        number = int(target["id"])
        if number > len(lines):
            raise Refused("DATABASE_TARGET_UNREACHABLE", "there are %d lines only" % len(lines))
        return b"".join(lines[:number])
    end = int(target["position"])
    if end > len(content):
        raise Refused("DATABASE_TARGET_UNREACHABLE", "the log ends at %d" % len(content))
    return content[:end]


def activate(request, params):
    if params.get("follow"):
        raise Refused("ORDER_UNKNOWN", "this plug-in cannot follow with an instance")
    running = running_instance(params)
    if running is None:
        # A repeated activation finds what the first one recovered.
        activated = os.path.join(params["directory"], "activated")
        if not os.path.exists(activated):
            write_durable(os.path.join(params["directory"], "data", "ledger"), recovered(params))
            write_durable(activated, b"")
        start(params)
        running = running_instance(params)
    if running is None:
        raise Refused("DATABASE_PROGRAM_FAILED", "the server did not start: " + tail(params))
    path = os.path.join(params["directory"], "data", "ledger")
    told = {**place(os.path.getsize(path)), "timeMs": None}
    socket = run_path(params, "")
    return {**running, "version": "1", "socket": socket, "recoveredTo": told, "databases": ["ledger"]}


def start(params):
    os.makedirs(run_path(params, ""), mode=RUN_MODE, exist_ok=True)
    facts = {name: params[name] for name in ("directory", "port", "listen", "user", "password")}
    with open(os.open(run_path(params, "facts.json"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(facts, file)
    with open(run_path(params, "server.log"), "wb") as log:
        # A session of its own: it outlives this process and the agent.
        subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "--serve", run_path(params, "")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while running_instance(params) is None and time.monotonic() < deadline:
        time.sleep(0.02)


def tail(params):
    with open(run_path(params, "server.log"), errors="replace") as file:
        return file.read()[-500:]


def running_instance(params):
    try:
        with open(run_path(params, "running.json")) as file:
            running = json.load(file)
        with open("/proc/%d/cmdline" % running["pid"], "rb") as file:
            is_ours = params["id"].encode() in file.read()
        return running if is_ours else None
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None


def deactivate(request, params):
    running = running_instance(params)
    if running is not None:
        os.kill(running["pid"], signal.SIGKILL if params["immediate"] else signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while running_instance(params) is not None:
            if time.monotonic() > deadline:
                os.kill(running["pid"], signal.SIGKILL)
            time.sleep(0.02)
    shutil.rmtree(run_path(params, ""), ignore_errors=True)
    return {"stopped": running is not None}


def verify(request, params):
    """Each line has its time, and the assertions: "lines = 3", "has some text"."""
    begun = time.monotonic()
    with open(os.path.join(params["directory"], "data", "ledger"), errors="replace") as file:
        lines = file.read().splitlines()
    bad = [line for line in lines if not line.split(" ")[0].isdigit()]
    evidence = "%d lines" % len(lines) if not bad else "no time in: " + bad[0][:200]
    checks = [("lines", not bad, evidence)]
    for each in params["assertions"]:
        words = each["sql"].split(" ")
        if words[:2] == ["lines", "="]:
            checks.append((each["sql"], len(lines) == int(words[2]), "%d lines" % len(lines)))
        elif words[0] == "has":
            text = " ".join(words[1:])
            checks.append((each["sql"], any(text in line for line in lines), "looked for " + text))
        else:
            checks.append((each["sql"], False, "an assertion is 'lines = N' or 'has TEXT'"))
    took = int((time.monotonic() - begun) * 1000)
    shown = [{"name": name, "ok": ok, "evidence": evidence, "tookMs": took} for name, ok, evidence in checks]
    return {"ok": all(ok for _, ok, _ in checks), "checks": shown}


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        facts, lock = self.server.facts, self.server.lock
        path = os.path.join(facts["directory"], "data", "ledger")
        wanted = "AUTH %s %s" % (facts["user"], facts["password"])
        if self.rfile.readline(4096).decode("utf8", "replace").rstrip("\r\n") != wanted:
            self.wfile.write(b"DENIED\n")
            return
        self.wfile.write(b"OK\n")
        for line in self.rfile:
            command = line.decode("utf8", "replace").rstrip("\r\n")
            with lock:
                if command.startswith("ADD "):
                    with open(path, "a") as ledger:
                        ledger.write("%d %s\n" % (time.time() * 1000, command[4:]))
                        ledger.flush()
                        os.fsync(ledger.fileno())
                    self.wfile.write(b"OK\n")
                elif command == "ROWS":
                    with open(path, "rb") as ledger:
                        self.wfile.write(ledger.read() + b"END\n")
                else:
                    self.wfile.write(b"UNKNOWN\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def serve(run):
    with open(os.path.join(run, "facts.json")) as file:
        facts = json.load(file)
    with Server((facts["listen"][0], facts["port"] or 0), Session) as server:
        server.facts, server.lock = facts, threading.Lock()
        running = {"pid": os.getpid(), "port": server.server_address[1]}
        write_durable(os.path.join(run, "running.json"), json.dumps(running).encode())
        server.serve_forever()


# ── the wire ──────────────────────────────────────────────────────────────────────────────────

out = threading.Lock()
cancelled = set()
METHODS = {
    "discover": discover,
    "check": check,
    "seed": seed,
    "follow": follow,
    "status": status,
    "mark": mark,
    "unfollow": unfollow,
    "activate": activate,
    "deactivate": deactivate,
    "verify": verify,
}


def say(message):
    with out:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def progress(request, phase, done, total):
    say({"id": request, "progress": {"phase": phase, "bytesDone": done, "bytesTotal": total}})


def answer(message):
    request = message["id"]
    try:
        method = METHODS.get(message["method"])
        if method is None:
            raise Refused("ORDER_UNKNOWN", "this plug-in does not know " + message["method"])
        say({"id": request, "result": method(request, message["params"])})
    except Refused as refused:
        say({"id": request, "error": refused.error})
    except Exception as error:  # Whatever it is, the agent is told, and the plug-in goes on.
        print("%s: %r" % (message["method"], error), file=sys.stderr, flush=True)
        say({"id": request, "error": {"code": "DATABASE_PROGRAM_FAILED", "message": repr(error)}})


def main():
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
        return
    say({"hello": {"protocol": 1, "engine": "ledger", "title": "Ledger", "version": "1.0", "programs": ["1"]}})
    for line in sys.stdin:
        message = json.loads(line)
        if "cancel" in message:
            cancelled.add(message["cancel"])
        else:
            threading.Thread(target=answer, args=(message,), daemon=True).start()


main()
