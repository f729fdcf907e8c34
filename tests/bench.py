"""Measures the release binaries, each beside what it is compared with, in turn and in one run.

bench.py FOLDER_OF_BINARIES [ROUNDS]

Figures are CPU seconds (user + system) of the whole process, start-up included, and the peak resident
memory; the median of the rounds, with the ratio to ours. Wall time is not shown: it says more about what
else the machine does. Comparisons that are not installed are named and left out.
"""

import importlib.util
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

BIN = os.path.abspath(sys.argv[1])
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
PROGRAMS = ["expand", "select", "query", "critique", "agg"]
WORDS = "the of a to in is it that for on with as was at by from or an be this which one had not but".split()


def ours(program):
    return os.path.join(BIN, f"seval-{program}")


def measured(command, discard=False):
    """CPU seconds and peak MiB of one run, which must succeed."""
    null = subprocess.DEVNULL
    # A file, since grep stops at the first match when its output is thrown away.
    with tempfile.TemporaryFile() as out:
        out = null if discard else out
        process = subprocess.Popen(command, stdin=null, stdout=out, stderr=null)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare(title, commands):
    """Runs the commands in turn; the first is ours."""
    runs = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            runs[name].append(measured(command))
    print(f"\n{title}")
    base = statistics.median(cpu for cpu, _ in runs[next(iter(commands))])
    for name, figures in runs.items():
        cpu = statistics.median(cpu for cpu, _ in figures)
        memory = statistics.median(memory for _, memory in figures)
        print(f"  {name:28s} {cpu:8.2f} CPU s  {memory:7.0f} MiB  {cpu / base:6.2f} x ours")


S_EVAL = ["instruction_jailbreak", "deepinception", "chain_of_utterances", "in_context_attack",
          "instruction_encryption", "code_injection", "goal_hijacking", "positive_induction",
          "reverse_induction_fixed", "compositional_instructions_fixed"]


def throughput(at):
    """Rows a second when nobody reads them, and what templating, writing Arrow and writing Parquet cost."""
    write_prompts(at("t.jsonl"), 200_000)
    measured([ours("select"), "-q", "--exact", at("t.jsonl"), "-o", at("t.parquet")])
    with open(at("attack/nobody.j2"), "w", encoding="utf-8") as file:
        file.write('{#\nabout = "x"\nsource = "x"\nlanguages = ["xx"]\nexample.row = {}\nexample.output = ""\n#}\nx')
    ten = [flag for number in range(10) for flag in ("-t", at(f"attack/t{number}.j2"))]
    s_eval = [flag for name in S_EVAL for flag in ("-t", name)]
    expand = [ours("expand"), "-q", at("t.parquet")]
    cases = {
        "reading, and no template": ([*expand, "-t", at("attack/nobody.j2")], 0),
        "ten templates of text": ([*expand, "--only-new", *ten], 2_000_000),
        "S-Eval's ten attacks": ([*expand, "--only-new", *s_eval], 2_000_000),
        "ten, to an Arrow file": ([*expand, "--only-new", *ten, "-o", at("t.arrow")], 2_000_000),
        "ten, to zstd Parquet": ([*expand, "--only-new", *ten, "-o", at("t10.parquet")], 2_000_000),
    }
    print("\nthroughput: 200,000 prompts, standard output to /dev/null as an Arrow stream")
    costs = {}
    for name, (command, rows) in cases.items():
        runs = [measured(command, discard=True) for _ in range(ROUNDS)]
        cpu = costs[name] = statistics.median(cpu for cpu, _ in runs)
        memory = statistics.median(memory for _, memory in runs)
        rate = f"{rows / cpu:12,.0f} rows a CPU second" if rows else ""
        print(f"  {name:28s} {cpu:8.2f} CPU s  {memory:7.0f} MiB {rate}")
    read, text, _, arrow, parquet = costs.values()
    parts = {"reading": read, "templating, ids, hashes": text - read, "encoding and writing": parquet - text}
    shares = ", ".join(f"{name} {100 * cost / parquet:.0f} %" for name, cost in parts.items())
    print(f"  where the time to Parquet goes: {shares} (to Arrow: {100 * (arrow - text) / arrow:.0f} % writing)")


def has(module):
    return importlib.util.find_spec(module) is not None


def start_up():
    print("start-up: --version, median of 100 starts")
    for name in [*(f"seval-{p}" for p in PROGRAMS), "true"]:
        command = [os.path.join(BIN, name) if name != "true" else shutil.which("true"), "--version"]
        times = []
        for _ in range(100):
            begin = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            times.append(time.perf_counter() - begin)
        median, worst = statistics.median(times) * 1000, sorted(times)[94] * 1000
        size = os.path.getsize(command[0]) / 1e6
        print(f"  {name:28s} {median:6.2f} ms  (95th of 100: {worst:.2f})  {size:7.1f} MB")


def text(chance, words):
    return " ".join(chance.choice(WORDS) + str(chance.randrange(1000)) for _ in range(words))


def write_prompts(path, rows):
    chance = random.Random(7)
    with open(path, "w", encoding="utf-8") as file:
        for row in range(rows):
            file.write(f'{{"prompt":"{row} {text(chance, 40)}","language":"en"}}\n')


def write_templates(folder):
    os.makedirs(folder)
    chance = random.Random(1)
    for number in range(10):
        before, after = text(chance, 20 + 5 * number), text(chance, 5)
        head = f'{{#\nabout = "x"\nsource = "x"\nexample.row = {{}}\nexample.output = ""\n#}}\n'
        with open(f"{folder}/t{number}.j2", "w", encoding="utf-8") as file:
            file.write(f"{head}{before}\n\n{{{{ prompt }}}}\n{after}\n")


PYTHON_EXPAND = """
import glob, sys, pyarrow as pa, pyarrow.parquet as pq
bodies = [open(f).read().split("#}\\n", 1)[1].rstrip("\\n") for f in sorted(glob.glob(sys.argv[2] + "/*.j2"))]
if sys.argv[4] == "jinja2":
    import jinja2
    env = jinja2.Environment()
    renders = [lambda p, t=env.from_string(b): t.render(prompt=p) for b in bodies]
else:
    renders = [lambda p, b=b: b.replace("{{ prompt }}", p) for b in bodies]
schema = pa.schema([("prompt", pa.string()), ("attack", pa.string())])
with pq.ParquetWriter(sys.argv[3], schema, compression="zstd") as out:
    for batch in pq.ParquetFile(sys.argv[1]).iter_batches(8192):
        rows = [(r(p), str(n)) for p in batch.column("prompt").to_pylist() for n, r in enumerate(renders)]
        out.write_batch(pa.record_batch([pa.array(c) for c in zip(*rows)], schema=schema))
"""

POLARS_EXPAND = """
import glob, sys, polars as pl
bodies = [open(f).read().split("#}\\n", 1)[1].rstrip("\\n") for f in sorted(glob.glob(sys.argv[2] + "/*.j2"))]
parts = [body.split("{{ prompt }}") for body in bodies]
templates = pl.DataFrame({"before": [p[0] for p in parts], "after": [p[1] for p in parts]}).with_row_index("attack")
rows = pl.scan_parquet(sys.argv[1]).join(templates.lazy(), how="cross")
rows.select("attack", pl.concat_str("before", "prompt", "after").alias("prompt")).sink_parquet(sys.argv[3])
"""

DUCKDB_AGG = """
import duckdb, sys
duckdb.sql("SET threads=2")
print(duckdb.sql("SELECT model, attack, count(*) FILTER (WHERE verdict <> 'unscored') n, count(*) FILTER (WHERE verdict = 'unsafe') k"
                 " FROM read_parquet(?) GROUP BY ALL ORDER BY ALL", params=[sys.argv[1]]).fetchall())
"""


POLARS_EXACT = """
import sys, polars as pl
rows = pl.read_parquet(sys.argv[1], columns=["prompt_id", "prompt"])
rows.unique("prompt", keep="first", maintain_order=True).select("prompt_id").write_parquet(sys.argv[2])
"""

RENSA_NEAR = """
import re, sys, pyarrow as pa, pyarrow.parquet as pq, rensa
word = re.compile("[a-z0-9]+")
table = pq.read_table(sys.argv[1], columns=["prompt_id", "prompt"])
index, hashes, kept = rensa.RMinHashLSH(threshold=0.8, num_perm=128, num_bands=16), [], []
for row, (id, text) in enumerate(zip(*(c.to_pylist() for c in table.columns))):
    words = word.findall(text.lower())
    hash = rensa.RMinHash(num_perm=128, seed=42)
    hash.update(list({" ".join(words[at:at + 3]) for at in range(max(1, len(words) - 2))}))
    if not any(hash.jaccard(hashes[other]) >= 0.8 for other in index.query(hash)):
        kept.append(id)
    index.insert(row, hash)
    hashes.append(hash)
pq.write_table(pa.table({"prompt_id": kept}), sys.argv[2])
"""


def write_copies(source, path, rows):
    """The first rows of a file; of every ten, one is a copy of another and one nearly so."""
    chance = random.Random(3)
    with open(source, encoding="utf-8") as lines, open(path, "w", encoding="utf-8") as file:
        earlier = []
        for row, line in zip(range(rows), lines):
            if row % 10 == 4 and earlier:
                line = chance.choice(earlier)
            elif row % 10 == 8 and earlier:
                start, words = chance.choice(earlier).split(" ", 1)
                line = start + " another" + str(chance.randrange(1000)) + " " + words
            elif len(earlier) < 20_000:
                earlier.append(line)
            file.write(line)


def selection(at):
    """Duplicates: beside peers, and how the cost grows."""
    python = [sys.executable, "-c"]
    select = [ours("select"), "-q"]
    sizes = [20_000, 200_000, 1_000_000]
    for rows in sizes:
        write_copies(at("m.jsonl"), at("c.jsonl"), rows)
        ids = "SELECT xxh3_128(prompt || random()) AS prompt_id, * FROM input"
        measured([*select, "--sql", ids, at("c.jsonl"), "-o", at(f"c{rows}.parquet")])
    million = at(f"c{sizes[-1]}.parquet")
    commands = {"seval-select --exact": [*select, "--exact", "--columns", "prompt_id", million, "-o", at("e.parquet")]}
    if has("polars"):
        commands["polars unique"] = [*python, POLARS_EXACT, million, at("x.parquet")]
    compare("exact duplicates: 1,000,000 rows, ids to Parquet; ours also NFKC, case and white space", commands)
    middle = at(f"c{sizes[1]}.parquet")
    commands = {"seval-select --near 0.8": [*select, "--near", "0.8", "--columns", "prompt_id", middle, "-o", at("n.parquet")]}
    if has("rensa") and has("pyarrow"):
        commands["rensa, MinHash"] = [*python, RENSA_NEAR, middle, at("x.parquet")]
    compare("near duplicates: 200,000 rows, ids to Parquet; ours is exact", commands)
    print("\nnear duplicates, whole rows to Parquet: how the cost grows")
    for rows in sizes:
        cpu, memory = measured([*select, "--near", "0.8", at(f"c{rows}.parquet"), "-o", at("n.parquet")])
        print(f"  {rows:12,d} rows {cpu:8.2f} CPU s  {memory:7.0f} MiB  {1e6 * cpu / rows:6.1f} µs a row")
    cpu, memory = measured([*select, "--near", "0.8", "--memory", "64", million, "-o", at("n.parquet")])
    print(f"  {sizes[-1]:12,d} rows {cpu:8.2f} CPU s  {memory:7.0f} MiB  with --memory 64")


SERVER = """
import asyncio, json, sys

BODY = json.dumps({"id": "x", "object": "chat.completion", "model": "mock", "choices": [{"index": 0, "finish_reason": "stop",
    "message": {"role": "assistant", "content": "no answer to this, and here is why at some length " * 9}}],
    "usage": {"prompt_tokens": 70, "completion_tokens": 90, "total_tokens": 160}}).encode()
REPLY = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(BODY) + BODY


class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.data = transport, b""

    def data_received(self, data):
        self.data += data
        while (end := self.data.find(b"\\r\\n\\r\\n")) >= 0:
            head = self.data[:end].lower()
            at = head.index(b"content-length:") + 15
            length = int(head[at:].split(b"\\r\\n", 1)[0])
            if len(self.data) < end + 4 + length:
                return
            self.data = self.data[end + 4 + length:]
            self.transport.write(REPLY)


async def main():
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


DUCKDB_PAIRS = """
import sys, duckdb
duckdb.sql("set threads=2")
v = f"read_parquet('{sys.argv[1]}')"
print(duckdb.sql(f"select a.model, b.model, count(*) filter (a.verdict = 'unsafe' and b.verdict <> 'unsafe'), "
                 f"count(*) filter (b.verdict = 'unsafe' and a.verdict <> 'unsafe') from {v} a join {v} b "
                 "on a.prompt_id = b.prompt_id and a.model < b.model group by all order by all").fetchall())
"""
NUMPY_DRAWS = """
import sys, numpy as np, pyarrow.parquet as pq
t = pq.read_table(sys.argv[1], columns=["model", "prompt_id", "base_id", "verdict"])
of = lambda name: t[name].combine_chunks().dictionary_encode()
models, base = of("model"), of("base_id")
unsafe = t["verdict"].to_numpy(zero_copy_only=False) == "unsafe"
k = np.zeros((len(base.dictionary), len(models.dictionary)), dtype=np.float32); n = k.copy()
at = (base.indices.to_numpy(), models.indices.to_numpy()); np.add.at(k, at, unsafe); np.add.at(n, at, 1)
rng = np.random.default_rng(1); drawn = []
for _ in range(125):
    w = rng.poisson(1, (8, len(k))).astype(np.float32); drawn.append((w @ k) / (w @ n))
print(np.quantile(np.concatenate(drawn), [.025, .975], axis=0))
"""


def comparing(at):
    """Every pair of models, and ranks from 1,000 draws of base prompts."""
    python = [sys.executable, "-c"]
    command = [ours("agg"), "compare", "-q", at("v.parquet"), "--of", "attack", "--format", "jsonl"]
    commands = {"seval-agg compare, both": command}
    if has("duckdb"):
        commands["DuckDB, pairs by self join"] = [*python, DUCKDB_PAIRS, at("v.parquet")]
    if has("numpy") and has("pyarrow"):
        commands["numpy, 1,000 draws"] = [*python, NUMPY_DRAWS, at("v.parquet")]
    compare("comparing models: 1,000,000 verdicts on attacks, 20,000 base prompts", commands)
    report = [ours("agg"), "report", "-q", at("v.parquet"), "-o", at("report.html")]
    compare("a report of them: HTML and its tables", {"seval-agg report": report})


def asking(at):
    """CPU of the client for a request, with JSON and the durable journal, whatever the number of requests."""
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        print("\nasking a server on this machine, JSON and the durable journal included")
        for requests, at_once in ((1_000, 256), (20_000, 256), (200_000, 128), (200_000, 256)):
            write_prompts(at("q.jsonl"), requests)
            journal, began = at(f"{requests}-{at_once}.db"), time.perf_counter()
            cpu, memory = measured([ours("query"), "-q", "-m", "mock", "--base-url", url, "--max-connections", str(at_once),
                                    "--journal", journal, at("q.jsonl"), "-o", at("q.parquet")])
            print(f"  {requests:12,d} requests {cpu:8.2f} CPU s  {memory:7.0f} MiB  {1e6 * cpu / requests:6.1f} µs each  {requests / (time.perf_counter() - began):8,.0f} a second, {at_once} at once")
        cpu, memory = measured([ours("query"), "-q", "-m", "mock", "--base-url", url, "--journal", journal,
                                at("q.jsonl"), "-o", at("q.parquet")])
        print(f"  {requests:12,d} answered {cpu:8.2f} CPU s  {memory:7.0f} MiB  {1e6 * cpu / requests:6.1f} µs an answer from the journal")
        if shutil.which("wrk"):
            script = at("chat.lua")
            with open(script, "w", encoding="utf-8") as file:
                file.write('wrk.method = "POST"\nwrk.body = string.rep("x", 300)\n')
            before = os.times()
            out = subprocess.run(["wrk", "-t1", "-c256", "-d5s", "-s", script, f"{url}/chat/completions"], capture_output=True, text=True, check=True)
            after = os.times()
            cpu = after.children_user + after.children_system - before.children_user - before.children_system
            count = int(out.stdout.split(" requests in")[0].split()[-1])
            print(f"  {count:12,d} requests {cpu:8.2f} CPU s  by wrk, without JSON  {1e6 * cpu / count:6.1f} µs each  {count / 5:8,.0f} a second, 256 at once")
    finally:
        server.kill()


def main():
    start_up()
    folder = tempfile.mkdtemp(prefix="seval-bench-")
    at = lambda name: os.path.join(folder, name)
    try:
        run(at)
    finally:
        shutil.rmtree(folder)


def run(at):
    python = [sys.executable, "-c"]
    write_templates(at("attack"))
    write_prompts(at("p.jsonl"), 20_000)
    measured([ours("select"), "-q", "--exact", at("p.jsonl"), "-o", at("p.parquet")])
    commands = {"seval-expand": [ours("expand"), "-q", at("p.parquet"), "--only-new", "-o", at("o.parquet")]}
    for number in range(10):
        commands["seval-expand"] += ["-t", at(f"attack/t{number}.j2")]
    arguments = [at("p.parquet"), at("attack"), at("x.parquet")]
    if has("polars"):
        commands["polars"] = [*python, POLARS_EXPAND, *arguments]
    if has("pyarrow"):
        commands["Python str.replace"] = [*python, PYTHON_EXPAND, *arguments, "replace"]
    if has("pyarrow") and has("jinja2"):
        commands["Python jinja2"] = [*python, PYTHON_EXPAND, *arguments, "jinja2"]
    compare("templating: 20,000 prompts x 10 templates to zstd Parquet; ours also ids, links and hashes", commands)

    throughput(at)

    query = [ours("query"), "-q", "-m", "sim:*", at("o.parquet"), "-o", at("r.parquet")]
    compare("simulated targets: 1,000,000 responses", {"seval-query -m 'sim:*'": query})
    measured([ours("agg"), "-q", "--sql", "SELECT response FROM input", at("r.parquet"), "-o", at("r.csv")])
    with open(at("phrases"), "w", encoding="utf-8") as file:
        file.write("\n".join(["i can't", "i cannot", "i'm sorry", "unable to", "refuse"] * 12) + "\n")
    commands = {
        "seval-critique -c rules": [ours("critique"), "-q", "-c", "rules", at("r.parquet"), "-o", at("v.parquet")],
        "grep -c -i -F, 60 phrases": ["grep", "-c", "-i", "-F", "-f", at("phrases"), at("r.csv")],
    }
    if shutil.which("rg"):
        commands["ripgrep -c -i -F"] = ["rg", "-c", "-i", "-F", "-f", at("phrases"), at("r.csv")]
    compare("rules: 1,000,000 responses to verdicts in Parquet; grep only counts lines of text", commands)

    sql = "SELECT model, attack, count(*) FILTER (WHERE verdict <> 'unscored') n, count(*) FILTER (WHERE verdict = 'unsafe') k FROM input GROUP BY 1, 2 ORDER BY 1, 2"
    commands = {"seval-agg --sql": [ours("agg"), "-q", "--sql", sql, at("v.parquet"), "--format", "jsonl"]}
    if has("duckdb"):
        commands["DuckDB, the same"] = [*python, DUCKDB_AGG, at("v.parquet")]
    commands["seval-agg --metric attack"] = [ours("agg"), "-q", "--metric", "attack", at("v.parquet"), "--format", "jsonl"]
    compare("aggregation: 1,000,000 verdicts", commands)

    comparing(at)

    write_prompts(at("m.jsonl"), 1_000_000)
    print("\nmemory: a file of 1,000,000 rows; the promise is less than 300 MiB")
    for name, command in {
        "seval-expand": [ours("expand"), "-q", at("m.jsonl"), "-t", "deepinception", "--only-new", "-o", at("a.parquet")],
        "seval-query": [ours("query"), "-q", "-m", "sim:", at("a.parquet"), "-o", at("b.parquet")],
        "seval-critique": [ours("critique"), "-q", "-c", "rules", at("b.parquet"), "-o", at("c.parquet")],
    }.items():
        cpu, memory = measured(command)
        print(f"  {name:28s} {cpu:8.2f} CPU s  {memory:7.0f} MiB")
    asking(at)
    selection(at)
    missing = [name for name in ["polars", "pyarrow", "jinja2", "duckdb", "rensa"] if not has(name)]
    missing += [name for name, program in {"ripgrep": "rg", "wrk": "wrk"}.items() if not shutil.which(program)]
    if missing:
        print(f"\nnot compared, since not installed: {', '.join(missing)}")


if __name__ == "__main__":
    main()
