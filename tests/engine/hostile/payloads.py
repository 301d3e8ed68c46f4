"""Operations that reach outside: each as a few nodes, the last of them named `act`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.engine.hostile.protos import FLOAT, INT64, STRING, Call, Type, const, node


def payloads(marker: Path, secret: Path, loopback: str = "grpc://127.0.0.1:9") -> dict[str, list[Any]]:
    """The payloads by name."""
    target, url = str(marker).encode(), f"file://{marker}".encode()
    text, here, there = const("text", b"written"), const("here", target), const("there", str(secret).encode())
    empty = const("empty", [b""])
    number = const("number", 1.0)
    return {
        "write_file": [here, text, node("WriteFile", "act", "here", "text")],
        "print_to_file": [text, node("PrintV2", "act", "text", output_stream=url)],
        "save_v2": [
            here, empty, const("names", [b"n"]), number,
            node("SaveV2", "act", "here", "names", "empty", "number", dtypes=[Type(FLOAT)]),
        ],
        "save": [here, const("names", [b"n"]), number, node("Save", "act", "here", "names", "number", T=[Type(FLOAT)])],
        "debug_to_file": [number, node("DebugIdentity", "act", "number", T=Type(FLOAT), debug_urls=[url])],
        "debug_to_network": [
            number, node("DebugIdentity", "act", "number", T=Type(FLOAT), debug_urls=[loopback.encode()]),
        ],
        "debug_numeric": [number, node("DebugNumericSummaryV2", "act", "number", T=Type(FLOAT))],
        "dump": [number, node("DumpTensor", "act", "number", log_dir_path=target, file_name=b"f", T=Type(FLOAT))],
        "read_file": [there, node("ReadFile", "act", "there")],
        "matching_files": [there, node("MatchingFiles", "act", "there")],
        "text_lines": [there, text, const("zero", 0), node("TextLineDataset", "act", "there", "text", "zero")],
        "records": [there, text, const("zero", 0), node("TFRecordDataset", "act", "there", "text", "zero")],
        "restore_v2": [
            there, empty, const("names", [b"n"]),
            node("RestoreV2", "act", "there", "names", "empty", dtypes=[Type(FLOAT)]),
        ],
        "table_from_file": [
            there, node("HashTableV2", "table", key_dtype=Type(STRING), value_dtype=Type(INT64)),
            node("InitializeTableFromTextFileV2", "act", "table", "there", key_index=-2, value_index=-1),
        ],
        "remap_matrix": [there, node("LoadAndRemapMatrix", "act", "there", "there", num_rows=1, num_cols=1)],
        "reader": [node("WholeFileReaderV2", "act")],
        "region": [node("ImmutableConst", "act", dtype=Type(FLOAT), shape=(1,), memory_region_name=str(secret).encode())],
        "abort": [node("Abort", "act", error_msg=b"ended", exit_without_error=False)],
        "quiet_exit": [node("Abort", "act", exit_without_error=True)],
        "python": [number, node("PyFunc", "act", "number", token=b"pyfunc_0", Tin=[Type(FLOAT)], Tout=[Type(FLOAT)])],
        "eager_python": [node("EagerPyFunc", "act", token=b"t", is_async=False, Tin=[], Tout=[])],
        "remote": [text, node("RemoteCall", "act", "text", Tin=[], Tout=[], f=Call("none"))],
        "rpc": [text, node("RpcServer", "act", "text")],
        "receive": [node("_Recv", "act", tensor_type=Type(FLOAT), tensor_name=b"t")],
        "native_code": [node("XlaCustomCallV2", "act", call_target_name=b"free")],
        "compiled": [node("XlaCallModule", "act", module=b"", version=9)],
        "sleep": [const("long", 10_000_000), node("SleepOp", "act", "long")],
        "file_system": [text, node("FileSystemSetConfiguration", "act", "text", "text", "text")],
        "summary": [here, node("CreateSummaryFileWriter", "act", "here", "here", "here", "here", "here")],
        "queue": [node("FIFOQueueV2", "act", component_types=[Type(FLOAT)])],
        "unknown": [node("OperationOfNobody", "act")],
    }  # fmt: skip
