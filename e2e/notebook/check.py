"""Executes docs/exploration.ipynb and looks at what came out, beside what `vedette` says of the same bucket.

usage: check.py VEDETTE DATA_DIRECTORY KEPT, with VEDETTE_S3=HOST:PORT of a SeaweedFS. KEPT gets the notebook as it was executed, and
its pictures. Prints every promise and whether it is kept; the exit code is 1 when one is broken.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import s3fs
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NOTEBOOK = Path(__file__).parents[2] / "docs/exploration.ipynb"
BUCKET, NAMESPACE, PIPELINE = "vedette", "demo", "kdd"
# As with-seaweedfs.sh has it.
S3 = {"AWS_ACCESS_KEY_ID": "test-access", "AWS_SECRET_ACCESS_KEY": "test-secret"}
PREFIX = "teams/fraud"
# What a cell of ours says at the end of what the notebook has found.
TOLD = """
print("told", json.dumps({
    "records": {stream: db.table(stream).shape[0] for stream in ("enriched_data", "alerts")},
    "uuids": sorted(uuid for (uuid,) in db.sql("select uuid from alerts").fetchall()),
    "duplicates": {row.what: int(row.number) for row in duplicates.itertuples()} if "duplicates" in globals() else {},
    "damaged": damaged.key.tolist(),
    "fields": {name: str(kind) for name, kind in fields.items()},
    "checked": checked.to_dict("records") if "checked" in globals() else [],
    "versions": list(versions) if "versions" in globals() else [],
    "agreement": agreement.to_dict() if "agreement" in globals() else {},
    "needed": needed if "needed" in globals() else None,
    "late": db.sql("select late_field, utc from enriched_data where uuid = 'late-1'").fetchall() if "late_field" in fields else [],
}, default=str))
"""
broken = []


def promise(what, is_kept, found=""):
    print("kept  " if is_kept else "BROKEN", what, found, flush=True)
    if not is_kept:
        broken.append(what)


def executed(settings, until=None):
    """The notebook as it comes out of these settings, up to a cell where one is named, and what it found."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    if until:
        last = [cell.id for cell in notebook.cells].index(until)
        notebook.cells = notebook.cells[: last + 1]
    notebook.cells.append(nbformat.v4.new_code_cell(TOLD))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "VEDETTE"))}
    with tempfile.TemporaryDirectory() as elsewhere:
        client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": elsewhere}})
        # What the kernel says, not a cell: that it is not encrypted, and that its process is not in the /proc that with-seaweedfs.sh leaves.
        with open(KEPT.with_name("kernel.log"), "a") as log:
            client.execute(env={**environment, "VEDETTE": PROGRAM, **settings}, stderr=log)
    told = notebook.cells.pop().outputs[0].text
    return notebook, json.loads(told.removeprefix("told "))


def refused(settings, words):
    """Whether the notebook says this where it cannot go on."""
    try:
        executed(settings, until="list")
    except CellExecutionError as error:
        promise(f"it says what to do: {words}", error.ename == "LookupError" and words in error.evalue, f"{error.ename}: {error.evalue}")
    else:
        promise(f"it says what to do: {words}", False, "nothing was said")


def vedette(*command):
    words = [PROGRAM, *command, "-n", NAMESPACE, "--pipeline", PIPELINE, "--data-dir", DATA, "-o", "json"]
    return json.loads(subprocess.run(words, check=True, capture_output=True).stdout)


def keep_outputs(notebook):
    """Writes the pictures, and looks whether each cell said what it is for and nothing else."""
    shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir(parents=True)
    nbformat.write(notebook, KEPT / "exploration.ipynb")
    outputs = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    pictures, tables = set(), set()
    for cell, of_cell in outputs.items():
        for output in of_cell:
            data = output.get("data", {})
            if "image/png" in data:
                picture = base64.b64decode(data["image/png"])
                (KEPT / f"{cell}.png").write_bytes(picture)
                if len(picture) > 8_000:
                    pictures.add(cell)
            elif "text/html" in data and data["text/html"].count("<tr") > 1:
                tables.add(cell)
    warnings = [output.text for of_cell in outputs.values() for output in of_cell if output.get("name") == "stderr"]
    promise("nothing is warned of", not warnings, warnings)
    wanted = {"rates", "rank", "why", "simulate", "compare"}
    promise("there are pictures", pictures == wanted, sorted(pictures ^ wanted))
    wanted = {"fetch", "statistics", "summary", "sql", "versions", "duplicates", "models", "check", "why", "compare"}
    promise("there are tables", tables == wanted, sorted(tables ^ wanted))


def check_found(found):
    """What the notebook found, beside what `vedette` says."""
    streams = ("enriched_data", "alerts")
    listed = {stream: sum(row["records"] for row in vedette("archive", "ls", "--stream", stream)) for stream in streams}
    promise("all records are read", found["records"] == listed and min(listed.values()) > 0, (found["records"], listed))
    alerts = vedette("alerts", "list", "--limit", "1000000")["alerts"]
    promise("the alerts are those of vedette alerts list", found["uuids"] == sorted(alert["uuid"] for alert in alerts), len(alerts))
    nothing = {"records twice": 0, "alerts twice": 0, "alerts without their record": 0}
    twice = {what: found["duplicates"].get(what) for what in nothing}
    promise("nothing is twice", twice == nothing, twice)
    promise("patterns come again", found["duplicates"]["patterns that come again"] > 0)
    promise("nothing is left out", found["damaged"] == [], found["damaged"])
    promise("there are two versions", len(found["versions"]) >= 2, found["versions"])
    # A version may have come too late to score anything.
    differences = [row["largest difference"] for row in found["checked"]]
    promise("ONNX gives the archived scores", differences and max(differences) <= 1e-6, found["checked"])
    promise("versions agree on most", found["agreement"]["rank correlation"] > 0.5, found["agreement"])
    promise("a strange record alerts", found["needed"] is not None, found["needed"])


def changed_copy(directory):
    """A copy of the data directory, with a blank in its name: one object is damaged, one cut, and one has a field that comes late."""
    copy = Path(directory) / "kept data"
    shutil.copytree(DATA, copy)
    objects = sorted((copy / BUCKET / NAMESPACE / PIPELINE / "enriched_data").rglob("*.jsonl.zst"))
    flipped = bytearray(objects[0].read_bytes())
    flipped[len(flipped) // 2] ^= 1
    objects[0].write_bytes(flipped)
    # Parts have no hash of their writer: they are tried.
    cut = Path(f"{objects[1]}.tmp") / f"{0:020}"
    shutil.rmtree(cut.parent, ignore_errors=True)
    cut.parent.mkdir()
    cut.write_bytes(objects[1].read_bytes()[:-20])
    objects[1].unlink()
    record = {"uuid": "late-1", "utc": "no time", "site": "local", "late_field": "a 'late' \" one", "Late_Field": 2, "src_bytes": "7"}
    late = Path(re.sub(r"-\d{20}-[0-9a-f]{8}", f"-{10**15:020}-00c0ffee", str(objects[-1])))
    # A frame of zstd may hold what it holds as it is (RFC 8878): one block, which is the last.
    line = json.dumps(record).encode() + b"\n"
    late.write_bytes(bytes.fromhex("28b52ffd") + bytes([0x20, len(line)]) + (len(line) << 3 | 1).to_bytes(3, "little") + line)
    damaged = [objects[0].relative_to(copy / BUCKET).as_posix(), cut.relative_to(copy / BUCKET).as_posix()]
    return copy, damaged


def check_changed(whole):
    with tempfile.TemporaryDirectory() as directory:
        copy, damaged = changed_copy(directory)
        listed = vedette("archive", "ls", "--stream", "enriched_data")
        lost = sum(row["records"] for row in listed if any(key.startswith(row["key"]) for key in damaged))
        _, found = executed({"VEDETTE_DATA_DIR": str(copy)}, until="read")
        promise("what is damaged is named and left out", sorted(found["damaged"]) == sorted(damaged), found["damaged"])
        expected = whole["records"]["enriched_data"] - lost + 1
        promise("the rest is read", found["records"]["enriched_data"] == expected, (found["records"], expected))
        promise("a field that comes late is there", found["late"] == [["a 'late' \" one", None]], found["late"])
        promise("a number that comes as text, too, is kept", found["fields"]["src_bytes"] == "VARCHAR", found["fields"]["src_bytes"])


def check_little():
    """A bucket with nothing, with records only, and with one version and no alerts."""
    with tempfile.TemporaryDirectory() as directory:
        empty = Path(directory)
        refused({"VEDETTE_DATA_DIR": str(empty)}, "make demo")
        (empty / BUCKET).mkdir()
        refused({"VEDETTE_DATA_DIR": str(empty)}, "has no archive yet")
        source, target = Path(DATA) / BUCKET / NAMESPACE, empty / BUCKET / NAMESPACE
        first = sorted((source / PIPELINE / "enriched_data").rglob("*.jsonl.zst"))[0]
        (target / first.relative_to(source)).parent.mkdir(parents=True)
        shutil.copy(first, target / first.relative_to(source))
        model = sorted(path for path in (source / "models" / PIPELINE).iterdir() if (path / "manifest.json").exists())[0]
        shutil.copytree(model, target / "models" / PIPELINE / model.name)
        _, found = executed({"VEDETTE_DATA_DIR": str(empty)})
        promise("without alerts and with one version all cells run", found["records"]["alerts"] == 0 and found["versions"] == [model.name])
        refused({"VEDETTE_DATA_DIR": str(empty), "VEDETTE_PIPELINE": "flows"}, "demo/kdd")


def check_s3(whole):
    endpoint = f"http://{os.environ['VEDETTE_S3']}"
    options = {"endpoint_url": endpoint, "key": S3["AWS_ACCESS_KEY_ID"], "secret": S3["AWS_SECRET_ACCESS_KEY"]}
    files = s3fs.S3FileSystem(**options)
    bucket = f"notebook-{time.time_ns()}"
    files.mkdir(bucket)
    source = Path(DATA) / BUCKET
    for path in sorted(path for path in (source / NAMESPACE).rglob("*") if path.is_file()):
        content = path.read_bytes()
        key = f"{bucket}/{PREFIX}/{path.relative_to(source).as_posix()}"
        files.pipe_file(key, content, Metadata={"sha256": hashlib.sha256(content).hexdigest()})
    settings = {"VEDETTE_BUCKET": endpoint, "VEDETTE_BUCKET_NAME": bucket, "VEDETTE_BUCKET_PREFIX": f"{PREFIX}/", **S3}
    _, found = executed(settings, until="check")
    promise("S3 has the same records", found["records"] == whole["records"] and found["uuids"] == whole["uuids"], found["records"])
    scored = [[(row["version"], row["records"]) for row in run["checked"]] for run in (found, whole)]
    is_same = scored[0] == scored[1] and all(row["largest difference"] <= 1e-6 for row in found["checked"])
    promise("S3 has the same models", is_same, found["checked"])
    # A hash that is not that of the content says that the object is damaged there, too.
    key = next(path for path in files.find(f"{bucket}/{PREFIX}/{NAMESPACE}/{PIPELINE}/alerts"))
    files.pipe_file(key, files.cat_file(key), Metadata={"sha256": "0" * 64})
    _, found = executed(settings, until="read")
    promise("what is damaged in S3 is named", found["damaged"] == [key.removeprefix(f"{bucket}/{PREFIX}/")], found["damaged"])
    refused({**settings, "VEDETTE_BUCKET_PREFIX": "teams/other"}, "has no archive yet")


PROGRAM, DATA, KEPT = str(Path(sys.argv[1]).resolve()), str(Path(sys.argv[2]).resolve()), Path(sys.argv[3])
KEPT.with_name("kernel.log").unlink(missing_ok=True)
began = time.monotonic()
notebook, whole = executed({"VEDETTE_DATA_DIR": DATA})
keep_outputs(notebook)
check_found(whole)
check_changed(whole)
check_little()
check_s3(whole)
print(f"{len(broken)} promises are broken; it took {time.monotonic() - began:.0f} s")
sys.exit(bool(broken))
