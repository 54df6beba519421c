// What the server answers, in the types that are made of its own (`npm run types`), and how it is asked.
import type { components } from "./openapi";
import { token } from "./token";

type Schemas = components["schemas"];
export type Overview = Schemas["OverviewView"];
export type Site = Schemas["SiteView"];
export type Source = Schemas["SourceView"];
export type History = Schemas["HistoryView"];
export type AlertRow = Schemas["AlertRow"];
export type Alerts = Schemas["AlertsView"];
export type Alert = Schemas["AlertView"];
export type Reason = Schemas["Reason"];
export type IncidentRow = Schemas["IncidentRow"];
export type Incidents = Schemas["IncidentsView"];
export type Incident = Schemas["IncidentView"];
export type Histogram = Schemas["HistogramView"];
export type Scores = Schemas["ScoresView"];
export type Trainings = Schemas["TrainingsView"];
export type Training = Schemas["TrainingView"];
export type Changes = Schemas["ChangesView"];
export type Access = Schemas["AccessView"];
export type Silence = Schemas["SilenceView"];
export type Silences = Schemas["SilencesView"];
export type Ended = Schemas["EndedView"];
export type Verdict = Schemas["VerdictView"];
export type Finding = Schemas["Finding"];
export type SilenceSent = Schemas["SilenceSent"];
export type EndSent = Schemas["EndSent"];
export type VerdictSent = Schemas["VerdictSent"];
export type SimulationForm = Schemas["SimulationFormView"];
export type Simulation = Schemas["SimulationView"];
export type SimulationSent = Schemas["SimulationSent"];
export type Severity = Schemas["Severity"];

export type Asked = Record<string, string | number | undefined>;

const api = new URL("api/v1/", document.baseURI.split("#")[0]);

export function address(path: string, asked: Asked = {}): string {
  const url = new URL(path, api);
  for (const [name, value] of Object.entries(asked)) {
    if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  return url.href;
}

/** Asks once. An error says what the server says is wrong, or that it does not answer. */
export async function ask<T>(path: string, asked: Asked, signal: AbortSignal): Promise<T> {
  let response: Response;
  try {
    // Who may write is asked for whoever has the token; all else anybody may see.
    response = await fetch(address(path, asked), { signal, redirect: "manual", headers: path === "access" ? credentials() : {} });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Error("The console does not answer. It is tried again.");
  }
  return answered<T>(response, "");
}

/** Has something written. It is not tried again by itself: whoever asked decides. */
export async function send<T>(path: string, body: unknown): Promise<T> {
  const headers = { ...credentials(), "content-type": "application/json" };
  let response: Response;
  try {
    response = await fetch(address(path), { method: "POST", redirect: "manual", headers, body: JSON.stringify(body) });
  } catch {
    throw new Error("The console does not answer, so whether it was written is not known. Look before you send it again.");
  }
  return answered<T>(response, " Nothing was written.");
}

/** In a header of its own: what stands in Authorization is a proxy's. */
function credentials(): Record<string, string> {
  const given = token();
  return given === undefined ? {} : { "vedette-token": given };
}

async function answered<T>(response: Response, consequence: string): Promise<T> {
  const kind = response.headers.get("content-type") ?? "";
  // The console sends nobody elsewhere: a proxy does, to where one signs in, or sends a page of its own in the place of an answer.
  if (response.type === "opaqueredirect" || (response.ok && !kind.startsWith("application/json"))) {
    throw new Error(`This is no answer of the console: you are not signed in any more at the proxy before it. Load the page again.${consequence}`);
  }
  if (!response.ok) {
    const problem: { detail?: string } = await response.json().catch(() => ({}));
    throw new Error(problem.detail ?? `The console answers with status ${response.status}.`);
  }
  return (await response.json()) as T;
}
