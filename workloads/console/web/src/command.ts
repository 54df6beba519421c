// The commands that do what the page does, as a shell takes them.
import type { Access, Finding, SimulationForm } from "./api";

export type Of = { namespace: string; pipeline: string };

/** One word of a shell, whatever is in it. */
export function word(text: string): string {
  return /^[\w.,:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function line(words: string[], access: Access | undefined, { namespace, pipeline }: Of, more: string[]): string {
  const place = access ? [...access.place, "--site", access.site] : [];
  return ["vedette", ...words, ...place, "-n", namespace, "--pipeline", pipeline, ...more].map(word).join(" ");
}

/** Who does it, where that is known. */
function by(name: string): string[] {
  return name === "" ? [] : ["--by", name];
}

export type Wanted = { match: string; end: { for: string } | { until: string }; by: string; why: string; exclude: boolean };

export function silence(access: Access | undefined, of: Of, wanted: Wanted): string {
  const end = "for" in wanted.end ? ["--for", wanted.end.for] : ["--until", wanted.end.until];
  const exclude = wanted.exclude ? ["--exclude-from-training"] : [];
  return line(["silences", "add"], access, of, ["--match", wanted.match, ...end, ...by(wanted.by), "--why", wanted.why, ...exclude]);
}

export function end(access: Access | undefined, of: Of, id: string): string {
  return line(["silences", "end", id], access, of, []);
}

export type Judged = { alert: string; uuid: string | null; site: string } | { incident: string };

export function verdict(access: Access | undefined, of: Of, judged: Judged, finding: Finding, name: string, why: string): string {
  const which = "incident" in judged ? ["--incident", judged.incident] : ["--alert", judged.uuid ?? "", "--alert-site", judged.site];
  return line(["verdicts", "add"], access, of, [...which, "--verdict", finding, ...by(name), "--why", why]);
}

/** Sends a record as the page does, by Kafka's own way: what it lacks of identity and time is filled in there. */
export function simulation({ topic, bootstrap_servers }: SimulationForm, record: string): string {
  return `printf '%s\\n' ${word(record)} | kcat -P -b ${word(bootstrap_servers)} -t ${word(topic)}`;
}
