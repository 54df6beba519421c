"""The job of 2016 in Spark's Structured Streaming, local[2]: reads records of KDD Cup 99's shape from Kafka, casts their columns,
calculates a field, applies a random forest of Spark ML, and writes enriched records and alerts to Kafka.

usage: job.py JARS BROKER INPUT ENRICHED ALERTS DIRECTORY. Reads what is there and ends; its last line says in JSON how many records it
did in how many seconds and with what CPU. The first third of its batches is left out, in which the JVM gets warm.
"""

import json
import os
import sys
import time
from pathlib import Path

from pyspark.ml import Pipeline
from pyspark.ml.classification import RandomForestClassifier
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import SparkSession, functions as F
from pyspark.sql.types import StringType, StructField, StructType

COLUMNS = """duration src_bytes dst_bytes land wrong_fragment urgent hot num_failed_logins logged_in num_compromised root_shell
su_attempted num_root num_file_creations num_shells num_access_files num_outbound_cmds is_host_login is_guest_login count srv_count
serror_rate srv_serror_rate rerror_rate srv_rerror_rate same_srv_rate diff_srv_rate srv_diff_host_rate dst_host_count dst_host_srv_count
dst_host_same_srv_rate dst_host_diff_srv_rate dst_host_same_src_port_rate dst_host_srv_diff_host_rate dst_host_serror_rate
dst_host_srv_serror_rate dst_host_rerror_rate dst_host_srv_rerror_rate""".split()
TEXTS = "protocol_type service flag label uuid utc sequence_id index".split()
BATCH = 30_000
LEARNED = 20_000
THRESHOLD = 0.5
TICKS_PER_SECOND = 100


def session(jars: Path, directory: Path) -> SparkSession:
    # Beside Kafka there is no network in which this host has a name.
    os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
    builder = SparkSession.builder.master("local[2]").appName("2016")
    settings = {
        "spark.jars": ",".join(str(jar) for jar in sorted(jars.glob("*.jar"))),
        "spark.sql.shuffle.partitions": "2",
        "spark.ui.enabled": "false",
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": str(directory / "local"),
        "spark.sql.warehouse.dir": str(directory / "warehouse"),
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def columns(messages):
    """The fields of the messages, the numbers cast."""
    schema = StructType([StructField(name, StringType()) for name in COLUMNS + TEXTS])
    record = messages.select("key", F.from_json(F.col("value").cast("string"), schema).alias("record"))
    numbers = [F.col(f"record.{name}").cast("double").alias(name) for name in COLUMNS]
    fields = record.select("key", *numbers, *[F.col(f"record.{name}") for name in TEXTS])
    return fields.withColumn("total_bytes", F.col("src_bytes") + F.col("dst_bytes"))


def learn(messages):
    """A forest of ten trees from the labels of the first records."""
    rows = columns(messages.limit(LEARNED)).fillna(0.0)
    rows = rows.withColumn("anomaly", F.when(F.col("label").startswith("normal"), 0.0).otherwise(1.0))
    assembler = VectorAssembler(inputCols=[*COLUMNS, "total_bytes"], outputCol="features", handleInvalid="keep")
    forest = RandomForestClassifier(labelCol="anomaly", featuresCol="features", numTrees=10, maxDepth=10, seed=1)
    return Pipeline(stages=[assembler, forest]).fit(rows)


def cpu_seconds(spark) -> float:
    """Of the JVM, as it sees itself, and of this process."""
    jvm = spark.sparkContext._jvm
    stat = jvm.java.nio.file.Files.readString(jvm.java.io.File("/proc/self/stat").toPath())
    user, system = stat.rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / TICKS_PER_SECOND + time.process_time()


def main() -> None:
    jars, broker, source, enriched, alerts, directory = sys.argv[1:]
    directory = Path(directory)
    spark = session(Path(jars), directory)
    kafka = {"kafka.bootstrap.servers": broker}
    offsets = {"subscribe": source, "startingOffsets": "earliest"}
    model = learn(spark.read.format("kafka").options(**kafka, **offsets).load())
    stream = spark.readStream.format("kafka").options(**kafka, **offsets, maxOffsetsPerTrigger=BATCH).load()
    scored = model.transform(columns(stream)).withColumn("score", vector_to_array("probability")[1])
    fields = [*COLUMNS, *TEXTS, "total_bytes", "score"]
    messages = scored.select("key", "score", F.to_json(F.struct(*fields)).alias("value"))
    marks = []

    def write(batch, _number) -> None:
        batch.persist()
        sink = {**kafka, "kafka.acks": "all", "kafka.compression.type": "lz4"}
        batch.select("key", "value").write.format("kafka").options(**sink, topic=enriched).save()
        alarming = batch.filter(F.col("score") > THRESHOLD)
        alarming.select("key", "value").write.format("kafka").options(**sink, topic=alerts).save()
        batch.unpersist()
        marks.append((time.monotonic(), cpu_seconds(spark)))

    query = (
        messages.writeStream.foreachBatch(write)
        .option("checkpointLocation", str(directory / "checkpoint"))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    batches = [progress["numInputRows"] for progress in query.recentProgress if progress["numInputRows"] > 0]
    warm = len(marks) // 3
    (began, cpu_before), (ended, cpu_after) = marks[warm], marks[-1]
    told = {"records": sum(batches[warm + 1 :]), "seconds": ended - began, "cpu_seconds": cpu_after - cpu_before}
    print(json.dumps(told))
    spark.stop()


main()
