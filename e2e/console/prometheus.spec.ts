// The dashboards for Grafana, and the alerts: every panel, and every metric of an alert, has data of a Prometheus that scrapes the running pipeline.
// Operators and receivers of incidents are not there; what they tell is tried with the chart.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { processes, until } from "./vedette.ts";

const chart = join(import.meta.dirname, "../../charts/vedette");
const dashboards = join(chart, "dashboards");
const absent = /vedette_(operator|notifier)_/;

interface Panel { title: string; targets?: { expr: string }[] }

/** What runs of the pipeline, as the chart's monitor names it. */
function targets(): { targets: string[]; labels: Record<string, string> }[] {
  return processes().flatMap(({ pid, program }) => {
    try {
      const words = ["cmdline", "environ"].flatMap((file) => readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0"));
      const address = words.map((word) => /^(?:--listen-address|LISTEN_ADDRESS)=(.+)/.exec(word)?.[1]).find(Boolean);
      const service = program.replace("vedette-", "flows-");
      return address ? [{ targets: [address], labels: { site: "local", namespace: "shop", service, pod: String(pid) } }] : [];
    } catch {
      return []; // It has just ended.
    }
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject).listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}

function expressions(): [string, string][] {
  return readdirSync(dashboards).flatMap((file) => {
    const panels: Panel[] = JSON.parse(readFileSync(join(dashboards, file), "utf8")).panels;
    return panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }): [string, string] => [`${file}: ${title}`, expr]));
  });
}

/** What the alerts go by: the metrics themselves, as an alert that should not fire has no data. */
function metrics(): [string, string][] {
  const rules = readFileSync(join(chart, "templates/_alerts.tpl"), "utf8");
  return [...new Set(rules.match(/\bvedette_\w+/g))].map((metric): [string, string] => ["alerts", metric]);
}

interface Prometheus { address: string; isOver: () => boolean; stop: () => Promise<void> }

async function started(directory: string): Promise<Prometheus> {
  const address = `127.0.0.1:${await freePort()}`;
  const options = [`--config.file=${directory}/prometheus.yaml`, `--storage.tsdb.path=${directory}/data`, `--web.listen-address=${address}`, "--log.level=error"];
  const prometheus = spawn("prometheus", options, { stdio: "inherit" });
  let isOver = false;
  const end = new Promise((resolve) => prometheus.once("exit", resolve).once("error", resolve)).then(() => void (isOver = true));
  const stop = () => {
    prometheus.kill();
    return end;
  };
  return { address, isOver: () => isOver, stop };
}

/** One that listens: where somebody else has taken the port meanwhile it ends, and another is started at another port. */
async function listening(directory: string): Promise<Prometheus> {
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    const prometheus = await started(directory);
    try {
      const listens = await until("prometheus", async () => {
        if (prometheus.isOver()) return false;
        const answer = await fetch(`http://${prometheus.address}/-/ready`, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
        return answer?.ok ? true : undefined;
      });
      if (listens) return prometheus;
    } catch (error) {
      await prometheus.stop();
      throw error;
    }
  }
  throw new Error("prometheus ended");
}

test("every panel and every alert has data", async () => {
  const directory = mkdtempSync(join(tmpdir(), "vedette-prometheus-"));
  // JSON is YAML.
  const config = { scrape_configs: [{ job_name: "vedette", scrape_interval: "1s", static_configs: targets() }] };
  writeFileSync(join(directory, "prometheus.yaml"), JSON.stringify(config));
  let prometheus: Prometheus | undefined;
  try {
    prometheus = await listening(directory);
    const { address, isOver } = prometheus;
    const asked = [...expressions(), ...metrics()].filter(([, expression]) => !absent.test(expression));
    expect(asked.length).toBeGreaterThan(20);
    expect(asked).toContainEqual(["alerts", "vedette_console_site_silence_seconds"]);
    for (const [panel, expression] of asked) {
      const chosen = expression
        .replaceAll("$__rate_interval", "10s").replaceAll("$site", "local").replaceAll("$namespace", "shop").replaceAll("$pipeline", "flows");
      await until(`${panel}, ${chosen}`, async () => {
        if (isOver()) throw new Error("prometheus ended");
        const answer = await fetch(`http://${address}/api/v1/query?query=${encodeURIComponent(chosen)}`).then((told) => told.json()).catch(() => undefined);
        return answer?.data?.result.length > 0 ? true : undefined;
      });
    }
  } finally {
    await prometheus?.stop();
    rmSync(directory, { recursive: true });
  }
});
