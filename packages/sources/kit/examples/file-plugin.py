#!/usr/bin/env python3
"""
An example of a source plug-in in another language: it protects a text file as if it were a
database. Wire: docs/protocols/source-plugin.md. The tests of source-kit run it.
"""
import json
import os
import sys
import threading
import time

out = threading.Lock()
cancelled = set()


def say(message):
    with out:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


class Refused(Exception):
    def __init__(self, code, message, **details):
        super().__init__(message)
        self.error = {"code": code, "message": message, "details": details}


def check(request, params):
    if not os.path.exists(params["connection"]["host"]):
        raise Refused("DATABASE_UNREACHABLE", "there is no such file",
                      host=params["connection"]["host"])
    size = os.path.getsize(params["connection"]["host"])
    ok = {"name": "file", "ok": True, "message": "it is there", "remedy": ""}
    return {"version": "1", "sizeBytes": size, "identity": "example", "checks": [ok]}


def seed(request, params):
    path = params["connection"]["host"]
    total = os.path.getsize(path)
    done = 0
    with open(path, "rb") as source, open(params["directory"] + "/data", "wb") as copy:
        while block := source.read(4096):
            if request in cancelled:
                raise Refused("CANCELLED", "the copy was cancelled")
            copy.write(block)
            done += len(block)
            say({"id": request, "progress": {"phase": "copy", "bytesDone": done, "bytesTotal": total}})
            if params["bytesPerSecond"]:
                time.sleep(len(block) / params["bytesPerSecond"])
        copy.flush()
        os.fsync(copy.fileno())
    position = {"position": str(done), "detail": ""}
    return {"version": "1", "sizeBytes": done, "position": position}


METHODS = {"discover": lambda request, params: {"instances": []}, "check": check, "seed": seed}


def answer(message):
    request = message["id"]
    try:
        method = METHODS.get(message["method"])
        if method is None:
            raise Refused("ORDER_UNKNOWN", "this plug-in does not know " + message["method"])
        say({"id": request, "result": method(request, message["params"])})
    except Refused as refused:
        say({"id": request, "error": refused.error})
    except Exception as error:
        say({"id": request, "error": {"code": "DATABASE_PROGRAM_FAILED", "message": str(error)}})


say({"hello": {"protocol": 1, "engine": "example", "title": "Example"}})
for line in sys.stdin:
    message = json.loads(line)
    if "cancel" in message:
        cancelled.add(message["cancel"])
    else:
        threading.Thread(target=answer, args=(message,), daemon=True).start()
