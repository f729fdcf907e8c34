"""A language model that is tiny, random, and says real words; and llama-cpp-python's server."""

import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

KEY = "the-key-of-the-real-server"
MODEL, EMBEDDER = "tiny", "tiny-embed"
WIDTH, HIDDEN, LAYERS, HEADS = 64, 128, 2, 4
WORDS = """the a of to and in is it that for on with as at by from or an be this which one had not
but what all were when we there can more if no out so said up into than them only some could time
these two may then do first any my now such like our over man even most café naïve 你好 世界
🙂""".split()
TEMPLATE = ("{{ bos_token }}{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n"
            "{% endfor %}assistant:")


def write_model(path):
    """A Llama of two layers. With temperature 0 its answers to different prompts differ, and most
    end within 24 tokens, a few at once."""
    import gguf
    import numpy

    draw = numpy.random.default_rng(31)
    single = [chr(code) for code in range(33, 127)] + ["▁"]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + single
    tokens += ["▁" + word for word in WORDS]
    kind = gguf.TokenType
    kinds = [kind.UNKNOWN, kind.CONTROL, kind.CONTROL] + [kind.BYTE] * 256
    kinds += [kind.NORMAL] * (len(tokens) - len(kinds))

    out = gguf.GGUFWriter(path, "llama")
    out.add_context_length(4096)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(HIDDEN)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    # A vector for a text, where embeddings are asked for, and not one for each of its tokens.
    out.add_pooling_type(gguf.PoolingType.MEAN)
    out.add_tokenizer_model("llama")
    out.add_token_list(tokens)
    out.add_token_scores([0.0] * len(tokens))
    out.add_token_types(kinds)
    out.add_unk_token_id(0)
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_chat_template(TEMPLATE)

    def random(scale, *shape):
        return draw.normal(0, scale, shape).astype(numpy.float32)

    one = numpy.ones(WIDTH, numpy.float32)
    start, end = random(1, len(tokens), WIDTH), random(0.3, len(tokens), WIDTH)
    # The first number of every state is large and stays so. By it the last layer keeps what is no
    # word from being said (half a character would not come back), and lets answers end.
    start[:, 0] = 8
    end[:, 0] = -5
    end[2, 0] = 0.3
    end[-len(WORDS):, 0] = 0
    weights = {"token_embd": start, "output_norm": one, "output": end}
    for layer in range(LAYERS):
        parts = {"attn_norm": one, "ffn_norm": one,
                 "attn_q": random(0.4, WIDTH, WIDTH), "attn_k": random(0.4, WIDTH, WIDTH),
                 "attn_v": random(0.3, WIDTH, WIDTH), "attn_output": random(0.3, WIDTH, WIDTH),
                 "ffn_gate": random(0.2, HIDDEN, WIDTH), "ffn_up": random(0.2, HIDDEN, WIDTH),
                 "ffn_down": random(0.2, WIDTH, HIDDEN)}
        parts["attn_output"][0] = parts["ffn_down"][0] = 0
        weights |= {f"blk.{layer}.{name}": part for name, part in parts.items()}
    for name, part in weights.items():
        out.add_tensor(f"{name}.weight", part)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


class Server:
    """The server, from its first reply until the end of the block, whatever happens in it."""

    def __init__(self, at, interrupt):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}/v1"
        self.log, self.config = (os.path.join(at, f"{port}.{end}") for end in ("log", "json"))
        model = {"model": os.path.join(at, "tiny.gguf"), "n_ctx": 4096, "n_threads": 1,
                 "verbose": False}
        models = [model | {"model_alias": MODEL},
                  model | {"model_alias": EMBEDDER, "embedding": True}]
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump({"host": "127.0.0.1", "port": port, "api_key": KEY, "models": models,
                       "interrupt_requests": interrupt}, file)

    def __enter__(self):
        command = [sys.executable, "-m", "llama_cpp.server", "--config_file", self.config]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=os.environ | {"PYTHONUNBUFFERED": "1"}, preexec_fn=die_with_us)
        try:
            for _ in range(600):
                if self.process.poll() is not None:
                    break
                with contextlib.suppress(OSError):
                    if self.ask("/models")[0] == 200:
                        return self
                time.sleep(0.1)
            with open(self.log, encoding="utf-8", errors="replace") as log:
                sys.exit(f"the server did not start:\n{log.read()[-2000:]}")
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ask(self, path, body=None, key=KEY):
        """Status, media type and text of a reply."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, headers)
        straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            reply = straight.open(request, timeout=120)
        except urllib.error.HTTPError as error:
            reply = error
        with reply:
            try:
                body = reply.read()
            except http.client.IncompleteRead as error:
                body = error.partial
            return reply.status, reply.headers.get_content_type(), body.decode()

    def get(self, path, body=None):
        return json.loads(self.ask(path, body)[2])

    def requests(self):
        """How many chat requests the server has logged."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return sum('"POST /v1/chat/completions' in line for line in log)


def die_with_us():
    """In the server's process: an end of ours that nothing handles is its end too, on Linux."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
