// Starts `vedette local` before all tests, as a user does, and stops it after them. The tests find its console by the environment.
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { dataset } from "./records.ts";
import { kept, program } from "./settings.ts";

const patience = 240_000;
/** So many alerts, of which each text is likely to have its own, before the first test begins. */
const enough = 60;

export default async function start(): Promise<() => Promise<void>> {
  mkdirSync(kept, { recursive: true });
  const directory = mkdtempSync(join(tmpdir(), "vedette-console-"));
  const file = join(directory, "records.jsonl");
  writeFileSync(file, dataset());
  const data = join(directory, "data");
  const manifest = join(import.meta.dirname, "../fixtures/console.yaml");
  const local = spawn(program, ["local", "-f", manifest, "--dataset", file, "--for", "60m", "--data-dir", data], { stdio: ["ignore", "pipe", "pipe"] });
  process.env.VEDETTE_PID = String(local.pid);
  // Also where somebody breaks the tests off.
  process.once("exit", () => local.kill("SIGINT"));
  const log = createWriteStream(join(kept, "vedette.log"));
  let said = "";
  for (const stream of [local.stdout, local.stderr]) {
    stream.pipe(log, { end: false });
    stream.on("data", (bytes: Buffer) => (said += bytes.toString()));
  }
  const stop = async () => {
    try {
      await ended(local);
    } finally {
      rmSync(directory, { recursive: true });
    }
  };
  try {
    const page = await until("the console", () => {
      if (isOver(local)) throw new Error(`vedette local ended:\n${said}`);
      return /the console is at (http:\S+)/.exec(said)?.[1];
    });
    process.env.VEDETTE_PAGE = page;
    process.env.VEDETTE_DATA = data;
    process.env.VEDETTE_WRITE = await until("the address to write by", () => /open (http:\S+#\/access\?token=\S+)/.exec(said)?.[1]);
    await until("alerts, an incident and a model", () => hasEnough(page));
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
  return stop;
}

async function hasEnough(page: string): Promise<true | undefined> {
  const [alerts, incidents, trainings] = await Promise.all(
    ["alerts?limit=1", "incidents?limit=1", "trainings"].map(async (path) => {
      const answer = await fetch(`${page}api/v1/${path}`).catch(() => undefined);
      return answer?.ok ? answer.json() : undefined;
    }),
  );
  return alerts?.kept >= enough && incidents?.matching > 0 && trainings?.trainings.length > 0 ? true : undefined;
}

/** Waits until something is there. */
export async function until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`${what}: not there after ${patience / 1_000} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function isOver(local: ChildProcess): boolean {
  return local.exitCode !== null || local.signalCode !== null;
}

/** In the orderly way: it ends its processes itself. One that does not is killed with all of them, and that is an error. */
async function ended(local: ChildProcess): Promise<void> {
  if (isOver(local)) return;
  const end = new Promise((resolve) => local.once("exit", resolve));
  local.kill("SIGINT");
  const late = setTimeout(() => {
    const children = processes();
    local.kill("SIGKILL");
    for (const { pid } of children) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has just ended.
      }
    }
  }, patience);
  await end;
  clearTimeout(late);
  if (local.signalCode === "SIGKILL") throw new Error(`vedette local did not end within ${patience / 1_000} s`);
}

/** What `vedette local` runs: the process, and the name of its program. */
export function processes(): { pid: number; program: string }[] {
  const parent = process.env.VEDETTE_PID;
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      // The parent stands after the name in parentheses, which is cut at fifteen letters.
      const [, ppid] = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
      const [path = ""] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return ppid === parent ? [{ pid: Number(pid), program: basename(path) }] : [];
    } catch {
      return []; // It has just ended.
    }
  });
}

/** The console's process. */
export function consoleProcess(): number | undefined {
  return processes().find(({ program }) => program === "vedette-console")?.pid;
}
