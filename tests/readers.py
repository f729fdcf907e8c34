"""Opens Parquet files with every reader that is installed, and compares rows and columns.

readers.py --which      print the readers that are installed
readers.py FILE...      open each file with each of them
"""

import importlib
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")


def with_pyarrow(module, path):
    table = importlib.import_module("pyarrow.parquet").read_table(path)
    return table.num_rows, table.column_names


def with_pandas(module, path):
    frame = module.read_parquet(path)
    return len(frame), list(frame.columns)


def with_polars(module, path):
    frame = module.read_parquet(path)
    return frame.height, frame.columns


def with_duckdb(module, path):
    relation = module.sql("SELECT * FROM read_parquet(?)", params=[path])
    return len(relation.fetchall()), relation.columns


def with_datasets(module, path):
    module.disable_progress_bars()
    stream = module.load_dataset("parquet", data_files=path, split="train", streaming=True)
    if not any(True for _ in stream.take(1)):
        # A file without rows makes no split; as a stream it has its columns.
        return 0, stream.column_names
    rows = module.load_dataset("parquet", data_files=path, split="train", cache_dir=".datasets")
    return rows.num_rows, rows.column_names


READERS = {
    "pyarrow": with_pyarrow,
    "pandas": with_pandas,
    "polars": with_polars,
    "duckdb": with_duckdb,
    "datasets": with_datasets,
}


def installed():
    found = {}
    for name in READERS:
        try:
            found[name] = importlib.import_module(name)
        except ImportError:
            pass
    return found


def main(arguments):
    readers = installed()
    if arguments == ["--which"]:
        print(" ".join(f"{name} {module.__version__}" for name, module in readers.items()))
        return 0
    missing = [name for name in READERS if name not in readers]
    for path in arguments:
        seen = {name: READERS[name](module, path) for name, module in readers.items()}
        rows, columns = next(iter(seen.values()))
        for name, (its_rows, its_columns) in seen.items():
            if its_rows != rows or list(its_columns) != list(columns):
                print(f"{path}: {name} reads {its_rows} rows of {its_columns}")
                return 1
        print(f"{path}: {rows} rows, {len(columns)} columns with {', '.join(seen)}")
    if missing:
        print(f"not checked, since not installed: {', '.join(missing)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
