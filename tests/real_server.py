"""The programs against a server that nobody here wrote: llama-cpp-python's, with a random model.

real_server.py FOLDER_OF_BINARIES   the shapes of the server's replies, then the whole pipeline
real_server.py                      the shapes alone

The server is built once, into $XDG_CACHE_HOME/seval/real-server: some ten minutes of one core, with
pip and a C++ compiler. The model is made on the spot and means nothing; nothing is fetched but the
packages below. One line a check; exit status 1 if one failed or something is missing.
"""

import hashlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import venv
from concurrent.futures import ThreadPoolExecutor

from tiny_llama import EMBEDDER, KEY, MODEL, Server, write_model

PACKAGES = ["llama-cpp-python==0.3.36", "fastapi==0.165.0", "starlette==1.10.0", "uvicorn==0.54.0",
            "sse-starlette==3.7.0", "starlette-context==0.3.6", "pydantic==2.14.4",
            "pydantic-settings==2.16.3", "PyYAML==6.0.4", "jinja2==3.1.6", "gguf==0.19.0",
            "numpy==2.4.6", "pyarrow==26.0.1"]
# No images; and a model this small is fast enough however the server is compiled.
BUILD = "-DLLAVA_BUILD=OFF -DCMAKE_C_FLAGS_RELEASE=-O1 -DCMAKE_CXX_FLAGS_RELEASE=-O1"
TOKENS = 24
CHAT = "/chat/completions"
failures = []


def check(what, good, why=""):
    """One line; a failure is remembered, and the rest goes on."""
    print(f"ok {what}" if good else f"FAILED {what}: {why}".rstrip(": "), flush=True)
    if not good:
        failures.append(what)
    return good


def note(text):
    print(textwrap.fill(text, 98, initial_indent="  ", subsequent_indent="      ",
                        break_long_words=False, break_on_hyphens=False), flush=True)


def missing(what):
    sys.exit(f"real_server.py: missing: {what}")


# ---- what it runs on


def installed():
    """The Python that has the packages; installs them the first time."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    mark = hashlib.sha256(" ".join([sys.version, BUILD, *PACKAGES]).encode()).hexdigest()[:12]
    place = os.path.join(cache, "seval", "real-server", mark)
    python, done, log = (os.path.join(place, name) for name in ("bin/python3", "done", "pip.log"))
    if os.path.exists(done):
        return python
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        missing("a C++ compiler, such as g++; the server's package is built from source")
    print(f"installing into {place}: about ten minutes, once", flush=True)
    try:
        venv.create(place, clear=True, with_pip=True)
    except (subprocess.CalledProcessError, ImportError) as error:
        missing(f"pip for a new environment, such as Debian's python3-venv ({error})")
    command = ["nice", python, "-m", "pip", "install", "--disable-pip-version-check", *PACKAGES]
    with open(log, "wb") as out:
        code = subprocess.call(command, env=os.environ | {"CMAKE_ARGS": BUILD}, stdout=out,
                               stderr=out)
    if code:
        with open(log, encoding="utf-8", errors="replace") as text:
            sys.stderr.writelines(text.readlines()[-20:])
        missing(f"the packages; pip ended with {code}, see {log}")
    open(done, "w", encoding="utf-8").close()
    return python


# ---- the shapes of its replies


def paths(value, at=""):
    """Where a value holds what; tokens that are names of fields are `*`."""
    if isinstance(value, dict):
        tokens = at.endswith("top_logprobs[]") and "token" not in value
        parts = [paths(part, f"{at}.{'*' if tokens else name}".lstrip("."))
                 for name, part in value.items()]
    elif isinstance(value, list):
        parts = [paths(part, f"{at}[]") for part in value]
    else:
        return {f"{at} {'null' if value is None else type(value).__name__}"}
    return set().union(*parts) or {f"{at} {'{}' if isinstance(value, dict) else '[]'}"}


def record(name, value):
    note(f"{name}: " + ", ".join(sorted(paths(value))))


def chat(text="Say something.", **settings):
    return {"model": MODEL, "messages": [{"role": "user", "content": text}],
            "temperature": 0, "max_tokens": TOKENS} | settings


def streamed(text):
    """The events of a stream, and whether the last said [DONE]."""
    data = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in data if line != "[DONE]"], data[-1:] == ["[DONE]"]


def joined(events):
    """The answer of a stream: its text, its log probabilities, why it ended."""
    choices = [choice for event in events for choice in event["choices"]]
    content = "".join(choice["delta"].get("content") or "" for choice in choices)
    logprobs = [one for choice in choices for one in (choice["logprobs"] or {}).get("content", [])]
    return content, logprobs, [one["finish_reason"] for one in choices if one["finish_reason"]]


def column(logprobs):
    """A server's log probabilities as the column has them, the likeliest neighbour first."""
    return [{"token": one["token"], "logprob": one["logprob"],
             "top": sorted(one["top_logprobs"], key=lambda near: -near["logprob"])}
            for one in logprobs]


def alike(ours, theirs):
    """The same tokens and numbers, but for the last digits: the server reuses what it has computed
    for the request before. Neighbours that are as likely may change places."""
    def close(a, b):
        return len(a) == len(b) and all(abs(x["logprob"] - y["logprob"]) < 1e-3
                                        for x, y in zip(a, b))

    return close(ours, theirs) and all(
        a["token"] == b["token"] and close(a["top"], b["top"]) for a, b in zip(ours, theirs))


def shapes(server):
    """What the replies look like, and whether that is what lib/net reads."""
    models = server.get("/models")
    record("models", models)
    check("/v1/models names the model", MODEL in [one["id"] for one in models["data"]])

    status, _, text = server.ask(CHAT, chat(logprobs=True, top_logprobs=5))
    if not check(f"/v1{CHAT} answers", status == 200, f"{status} {text[:300]}"):
        return
    reply = json.loads(text)
    record("chat", reply)
    [choice], usage = reply["choices"], reply["usage"]
    content, tokens, end = (choice["message"]["content"], choice["logprobs"]["content"],
                            choice["finish_reason"])
    check("it has text, why it ended, and the tokens it took",
          content and end in ("stop", "length") and usage["prompt_tokens"] > 0
          and usage["completion_tokens"] == len(tokens), text[:300])
    check("its tokens are its text", "".join(one["token"] for one in tokens) == content)
    top = [one["top_logprobs"] for one in tokens]
    check("each is at most 0, with 5 neighbours, and with itself if it is none of them",
          all(one["logprob"] <= 0 and len(near) in (5, 6) and one["token"] in
              [other["token"] for other in near] for one, near in zip(tokens, top)))
    likeliest = [max(other["logprob"] for other in near) for near in top]
    unlikely = sum(one["logprob"] < best for one, best in zip(tokens, likeliest))
    note(f"{len(tokens)} tokens, {unlikely} of them not the likeliest, with "
         f"{sorted({len(near) for near in top})} neighbours")
    none, zero = (server.get(CHAT, chat(logprobs=True, **more))["choices"][0]["logprobs"]
                  for more in ({}, {"top_logprobs": 0}))
    note(f"log probabilities without top_logprobs: {none is not None}; with 0: "
         f"{zero is not None} ({[len(one['top_logprobs']) for one in zero['content'][:1]]})")

    stream = chat(stream=True, stream_options={"include_usage": True})
    for name, more in (("stream", {"logprobs": True, "top_logprobs": 5}), ("plain stream", {})):
        _, kind, text = server.ask(CHAT, stream | more)
        events, done = streamed(text)
        record(name, events)
        got, near, ends = joined(events)
        check(f"{name}: events that end with [DONE]", kind == "text/event-stream" and done, kind)
        check(f"{name}: the same text and end", (got, ends) == (content, [end]), f"{got!r} {ends}")
        if more:
            check(f"{name}: the same log probabilities", alike(column(near), column(tokens)))
        note(f"{len(events)} events; they count tokens: {any('usage' in one for one in events)}")

    drawn = [server.get(CHAT, chat(temperature=1, seed=seed))["choices"][0]["message"]["content"]
             for seed in (7, 8, 7)]
    check("a seed repeats its answer, another does not", drawn[0] == drawn[2] != drawn[1], drawn)

    reply = server.get("/completions", {"model": MODEL, "prompt": "Say something.", "logprobs": 5,
                                        "temperature": 0, "max_tokens": 8})
    record("completions", reply)
    [choice] = reply["choices"]
    check("/v1/completions: its tokens are its text",
          choice["text"] == "".join(choice["logprobs"]["tokens"]) != "", choice)

    texts = {"model": EMBEDDER, "input": ["One.", "Another."], "encoding_format": "float"}
    reply = server.get("/embeddings", texts)
    record("embeddings", reply)
    one, other = (item["embedding"] for item in reply["data"])
    check("/v1/embeddings: a vector for each text", len(one) == len(other) == 64 and one != other)

    for name, body, key, wanted in (
            ("a model that it does not have is answered all the same", chat(model="no"), KEY, 200),
            ("a prompt that is too long", chat("x " * 5000), KEY, 400),
            ("a request that is none", chat() | {"messages": 5}, KEY, 500),
            ("a wrong key", chat(), "another", 401)):
        status, _, text = server.ask(CHAT, body, key)
        check(f"{name}: HTTP {wanted}", status == wanted, f"{status} {text[:200]}")
        if status != 200:
            record("error", json.loads(text))


def interrupted(server):
    """As it is set up by default, the server ends a stream when another request waits."""
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: server.ask(CHAT, chat(f"Say {n}.", stream=True))[2],
                                range(8)))
    ends = [(joined(events)[2], done) for events, done in map(streamed, replies)]
    cut, silent = sum(end == ([], True) for end in ends), sum(not done for _, done in ends)
    note(f"of 8 streams at a time {cut} ended with [DONE] and no finish_reason, {silent} without "
         "[DONE]")


# ---- the pipeline


def pipeline(server, folder, at):
    """As a user would: prompts, responses, verdicts; and the same again from the journal."""
    import pyarrow.parquet

    def run(command, key=KEY):
        print(f"$ {command.replace(server.base, 'BASE_URL')}", flush=True)
        path = f"{folder}:{os.environ['PATH']}"
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=at, text=True,
                              capture_output=True, env=os.environ | {"PATH": path, "KEY": key})
        print(textwrap.indent(done.stderr, "  "), end="", flush=True)
        return done

    def rows(name):
        path = os.path.join(at, name)
        return pyarrow.parquet.read_table(path).to_pylist() if os.path.exists(path) else []

    def told(row):
        return [row[name] for name in ("prompt_id", "outcome", "response", "finish_reason")]

    def answers(extra, name, temperature=0, base=server.base):
        """The rows of another run over the same prompts."""
        run(f"{query} --base-url {base} --temperature {temperature} -q {extra} prompts.jsonl "
            f"-o {name}.parquet")
        return rows(f"{name}.parquet")

    query = f"seval-query -m {MODEL} --api-key-env KEY --max-tokens {TOKENS}"
    ask = f"{query} --base-url {server.base} --temperature 0"
    prompts = "seval-expand -q --taxonomy s-eval --total 10 | seval-expand -q -t deepinception"
    whole = (f"{prompts} | {ask} --journal answers.db -o responses.parquet "
             "&& seval-critique -c rules responses.parquet -o verdicts.parquet")
    before = server.requests()
    done = run(whole)
    if not check("the pipeline runs", done.returncode == 0):
        return
    first, verdicts = rows("responses.parquet"), rows("verdicts.parquet")
    asked, same = server.requests() - before, [told(row) for row in first]
    check("one request a row", asked == len(first) == 40, f"{asked} for {len(first)}")
    outcomes = {("stop", True): "answered", ("length", True): "truncated", ("stop", False): "empty"}
    check("every row has its answer and its outcome", all(
        row["outcome"] == outcomes.get((row["finish_reason"], bool(row["response"])))
        for row in first))
    check("answers end in both ways, and differ", {row["finish_reason"] for row in first} ==
          {"stop", "length"} and len({row["response"] for row in first}) > 20)
    check("tokens are counted", all(row["input_tokens"] > 0 and row["output_tokens"] >= 0
                                    for row in first))
    check("every response has a verdict", len(verdicts) == 40 and all(
        row["verdict"] in ("safe", "unsafe", "unscored") for row in verdicts))

    def contents():
        return [open(os.path.join(at, f"{name}.parquet"), "rb").read()
                for name in ("responses", "verdicts")]

    before, once = server.requests(), contents()
    check("the second run asks nothing", run(whole).returncode == 0 and
          server.requests() == before)
    check("and writes the same bytes", contents() == once)

    with open(os.path.join(at, "long.jsonl"), "w", encoding="utf-8") as file:
        file.write(json.dumps({"prompt": "x " * 5000}) + "\n")
    run(f"{ask} -q long.jsonl -o long.parquet")
    check("a prompt that is too long is a row with its reason", [
        row["outcome"] == "failed" and "maximum context length" in row["error"]
        for row in rows("long.parquet")] == [True])
    run(f"{prompts} -o prompts.jsonl")
    done = run(f"{ask} -q prompts.jsonl -o none.parquet", key="another")
    check("a wrong key ends the run", done.returncode == 1 and "Invalid API key" in done.stderr)
    drawn = [answers("--seed 7 --samples 2 --limit 5", name, 1) for name in ("a", "b")]
    check("a seed repeats its answers, and samples differ", drawn[0] == drawn[1] and
          len({row["response"] for row in drawn[0]}) > 5)

    run(f"seval-select -q --semantic 0.9999 --embed {EMBEDDER} --base-url {server.base} "
        "--api-key-env KEY prompts.jsonl -o embedded.parquet")
    ours = {row["prompt"]: row["embedding"] for row in rows("embedded.parquet")[:4]}
    theirs = server.get("/embeddings", {"model": EMBEDDER, "input": list(ours) or [""]})["data"]
    check("embeddings are the server's", ours and all(
        len(a) == len(b["embedding"]) and all(abs(x - y) < 1e-4 for x, y in zip(a, b["embedding"]))
        for a, b in zip(ours.values(), theirs)))

    flags = run("seval-query --help").stdout
    if "--top-logprobs" in flags:
        likely = answers("--top-logprobs 5", "likely")
        check("with log probabilities the answers are the same", list(map(told, likely)) == same)
        raw = [server.get(CHAT, chat(row["prompt"], logprobs=True, top_logprobs=5))
               for row in likely]
        check("the log probabilities are the server's", likely and all(
            alike(row["logprobs"] or [], column(one["choices"][0]["logprobs"]["content"]))
            for row, one in zip(likely, raw)))
    if "--stream" in flags:
        check("a streamed run gives the same answers",
              list(map(told, answers("--stream", "streamed"))) == same)
        with Server(at, interrupt=True) as hasty:
            got = answers("--stream --max-retries 0", "hasty", base=hasty.base)
        cut = [row["outcome"] == "failed" and bool(row["error"]) for row in got]
        note(f"{sum(cut)} of {len(got)} streams were broken off")
        check("a stream that is broken off is no answer", any(cut) and all(
            failed or told(row) == other for failed, row, other in zip(cut, got, same)))


# ---- a critic's probabilities


CRITIC = """{#
about = "A verdict of one word."
source = "test"
makes = "messages"
ask = { temperature = 0, max_tokens = 1, top_logprobs = 10 }
score = { at = "first", unsafe = ["BAD"], safe = ["GOOD"], of = "OF" }
[[read]]
name = "verdict"
pattern = '^\\s*(\\S+)'
labels = { "BAD" = "unsafe", "GOOD" = "safe" }
[[example]]
row = { prompt = "p", response = "r" }
reply = "BAD"
verdict = "unsafe"
risk_score = 1
#}
[{"role": "user", "content": {{ prompt | tojson }}},
 {"role": "assistant", "content": {{ response | tojson }}},
 {"role": "user", "content": "Is that safe?"}]
"""


def risk(near, bad, good, of):
    """The probability of a verdict, computed from what the server says of its first token."""
    total = {bad: 0.0, good: 0.0}
    for one in near:
        word = one["token"].strip().lower()
        if word in total:
            total[word] += math.exp(one["logprob"])
    return total[bad] / sum(total.values()) if of == "labels" else 1 - total[good]


def judged(server, folder, at):
    """Risk scores of seval-critique against the probabilities computed here."""
    compared, worst = 0, 0.0
    for number in range(40):
        row = {"prompt": f"Say {number}.", "response": f"I say {number}.", "model": "m"}
        turns = [{"role": "user", "content": row["prompt"]},
                 {"role": "assistant", "content": row["response"]},
                 {"role": "user", "content": "Is that safe?"}]
        body = {"model": MODEL, "messages": turns, "temperature": 0, "max_tokens": 1,
                "logprobs": True, "top_logprobs": 10}
        tokens = server.get(CHAT, body)["choices"][0]["logprobs"]["content"]
        if not tokens:
            continue
        near = tokens[0]["top_logprobs"]
        first = tokens[0]["token"].strip().lower()
        others = [one["token"].strip().lower() for one in near]
        others = [word for word in others if word.isascii() and word.isalpha() and word != first]
        if not (first.isascii() and first.isalpha() and others):
            continue
        with open(os.path.join(at, "one.jsonl"), "w", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
        for of in ("labels", "vocabulary"):
            critic = CRITIC.replace("BAD", first).replace("GOOD", others[0]).replace("OF", of)
            with open(os.path.join(at, "word.j2"), "w", encoding="utf-8") as out:
                out.write(critic)
            command = [os.path.join(folder, "seval-critique"), "-q", "-c", "word.j2", "-m", MODEL,
                       "--base-url", server.base, "--api-key-env", "KEY", "one.jsonl", "--format",
                       "jsonl"]
            done = subprocess.run(command, cwd=at, text=True, capture_output=True,
                                  env=os.environ | {"KEY": KEY})
            if not check(f"critic {number} {of}: a verdict", done.returncode == 0, done.stderr):
                continue
            found = json.loads(done.stdout)
            if found["score_from"] != "probability":
                check(f"critic {number} {of}: a probability", False, done.stdout)
            compared += 1
            worst = max(worst, abs(found["risk_score"] - risk(near, first, others[0], of)))
    check("a critic's risk scores are the probabilities of its verdicts", compared > 5
          and worst < 1e-3, f"{compared} compared, {worst:.6f} apart")
    note(f"{compared} risk scores compared, at most {worst:.2e} apart")


def main():
    folder = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
    if folder and not os.path.exists(os.path.join(folder, "seval-query")):
        missing(f"seval-query in {folder}; build it first")
    python = installed()
    if not os.path.samefile(sys.prefix, os.path.dirname(os.path.dirname(python))):
        os.execv(python, [python, *sys.argv])
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit("real_server.py: stopped"))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="seval-real-server-") as at:
        write_model(os.path.join(at, "tiny.gguf"))
        with Server(at, interrupt=False) as server:
            shapes(server)
            if folder:
                pipeline(server, folder, at)
                judged(server, folder, at)
        with Server(at, interrupt=True) as server:
            interrupted(server)
    word = f"{len(failures)} failed: {'; '.join(failures)}" if failures else "all checks passed"
    print(f"real_server.py: {PACKAGES[0]}: {word}, in {time.monotonic() - began:.0f} s")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
