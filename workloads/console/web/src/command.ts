// The commands that do what the page does, as a shell takes them.
import type { Access, Finding, SimulationForm } from "./api";

export type Of = { namespace: string; pipeline: string };

/** One word of a shell, whatever is in it. */
export function word(text: string): string {
  return /^[\w.,:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function line(words: string[], access: Access, { namespace, pipeline }: Of, more: string[]): string {
  const known = ["vedette", ...words, ...access.place, "--site", access.site, "-n", namespace, "--pipeline", pipeline];
  return [...known.map(word), ...more].join(" ");
}

/** An option and its value as one word: the value is somebody's text, and may begin as an option does. */
function option(name: string, value: string): string {
  return `${name}=${word(value)}`;
}

/** Who does it, where that is known. */
function by(name: string): string[] {
  return name === "" ? [] : [option("--by", name)];
}

export type Wanted = { match: string; end: { for: string } | { until: string }; by: string; why: string };

export function silence(access: Access, of: Of, wanted: Wanted): string {
  const end = "for" in wanted.end ? option("--for", wanted.end.for) : option("--until", wanted.end.until);
  const more = [option("--match", wanted.match), end, ...by(wanted.by), option("--why", wanted.why)];
  return line(["silences", "add"], access, of, more);
}

export function end(access: Access, of: Of, id: string): string {
  return line(["silences", "end", id], access, of, []);
}

export type Judged = { alert: string; uuid: string | null; site: string } | { incident: string };

export function verdict(access: Access, of: Of, judged: Judged, finding: Finding, name: string, why: string): string {
  const which =
    "incident" in judged
      ? [option("--incident", judged.incident)]
      : [option("--alert", judged.uuid ?? ""), option("--alert-site", judged.site)];
  return line(["verdicts", "add"], access, of, [...which, option("--verdict", finding), ...by(name), option("--why", why)]);
}

/** Sends a record as the page does, by Kafka's own way: what it lacks of identity and time is filled in there. */
export function simulation({ topic, bootstrap_servers }: SimulationForm, record: string): string {
  return `printf '%s\\n' ${word(record)} | kcat -P -b ${word(bootstrap_servers)} -t ${word(topic)}`;
}
