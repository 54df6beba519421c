// A record that somebody makes up to see what becomes of it: a form filled from the record of an alert, and what is known of what was sent.
import { useEffect, useState } from "preact/hooks";
import { ask, send, type Access, type Simulation, type SimulationForm, type SimulationSent } from "./api";
import { simulation as simulationCommand, type Of } from "./command";
import type { Data } from "./data";
import { By, Form, useName } from "./form";
import { score, shown } from "./format";
import { Value } from "./parts";
import { Reasons } from "./reasons";
import { to } from "./route";
import { setPerson } from "./token";

/** How often is asked what became of it, milliseconds; and how often where nothing is awaited but its alert, or the console does not answer. */
const soon = 300;
const later = 2_000;

type Field = { name: string; json: string; isSent: boolean };

type SimulateProps = { of: Of; form: SimulationForm; access: Data<Access>; onClose: () => void };

export function Simulate({ of, form, access, onClose }: SimulateProps) {
  // What nobody would see is spelled out, as JSON can spell it: it stays the same text.
  const [fields, setFields] = useState<Field[]>(() => form.fields.map(({ name, json }) => ({ name, json: shown(json, json.length), isSent: true })));
  const [name, setName, by] = useName(access);
  const [sent, setSent] = useState<Simulation>();
  const change = (name: string, changed: Partial<Field>) => setFields(fields.map((field) => (field.name === name ? { ...field, ...changed } : field)));
  const submit = async () => {
    fields.filter((field) => field.isSent).forEach(check);
    const body: SimulationSent = { ...of, record: record(fields), by };
    const answer = await send<Simulation>("simulations", body);
    if (by !== undefined) setPerson(by);
    setSent(answer);
  };
  const command = simulationCommand(form, shown(record([...fields, simulated]), Infinity));
  return (
    <>
      <Form label="Simulate" access={access} command={() => command} action="Send it" onSend={submit} onClose={onClose}>
        <p class="quiet">
          A record of this pipeline at this site, with an identity and a time of its own, and marked as simulated: it gets a score like any other, nobody is
          told of it, and no model learns from it. Values are JSON, so texts stand in quotes.
        </p>
        <fieldset>
          <legend>Fields</legend>
          {fields.map(({ name, json, isSent }) => (
            <div key={name} class="field">
              <label>
                <span>
                  <Value text={name} longest={100} />
                </span>
                <input type="text" value={json} required={isSent} disabled={!isSent} maxLength={8_192} spellcheck={false} onInput={(event) => change(name, { json: event.currentTarget.value })} />
              </label>
              <label class="choice">
                <input type="checkbox" checked={isSent} onChange={(event) => change(name, { isSent: event.currentTarget.checked })} />
                <span>
                  send <Value text={name} longest={100} />
                </span>
              </label>
            </div>
          ))}
        </fieldset>
        <By access={access} name={name} onName={setName} />
      </Form>
      {sent && <Followed key={sent.uuid} sent={sent} />}
    </>
  );
}

const simulated: Field = { name: "simulated", json: "true", isSent: true };

/** The JSON text of a record: numbers stay as they are written. */
function record(fields: Field[]): string {
  const members = fields.filter((field) => field.isSent).map(({ name, json }) => `${JSON.stringify(name)}:${json.trim()}`);
  return `{${members.join(",")}}`;
}

function check({ name, json }: Field): void {
  try {
    JSON.parse(json);
  } catch {
    throw new Error(`${shown(name, 100)} is no JSON value: write a text in quotes, as "http", and a number without them.`);
  }
}

/** What became of it, asked for until that is known. */
function Followed({ sent }: { sent: Simulation }) {
  const [simulation, setSimulation] = useState(sent);
  const [error, setError] = useState<string>();
  useEffect(() => {
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      let pause: number | undefined = later;
      try {
        const told = await ask<Simulation>(`simulations/${encodeURIComponent(sent.uuid)}`, {}, controller.signal);
        setSimulation(told);
        setError(undefined);
        if (told.status === "pending") pause = soon;
        else if (!told.is_alert || told.alert_id) pause = undefined;
      } catch (error) {
        if (!controller.signal.aborted) setError(String((error as Error).message));
      }
      if (pause !== undefined && !controller.signal.aborted) timer = setTimeout(look, pause);
    };
    timer = setTimeout(look, soon);
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [sent.uuid]);
  return (
    <section aria-label="What became of it">
      <p role="status">
        <Told simulation={simulation} />
      </p>
      {error && (
        <p class="notice bad" role="alert">
          {shown(error, 1_000)}
        </p>
      )}
      {simulation.status === "scored" && <Reasons reasons={simulation.reasons} />}
      <p class="quiet">Its uuid is {simulation.uuid}.</p>
    </section>
  );
}

function Told({ simulation }: { simulation: Simulation }) {
  const { status, is_alert, threshold, alert_id, why } = simulation;
  const points = score(simulation.score);
  if (status === "pending") return <>Sent; no detector has come to it yet.</>;
  if (status !== "scored") return <>{`${without[status]}: ${shown(why ?? "", 1_000)}.`}</>;
  if (is_alert === null) return <>Its score is {points}.</>;
  if (!is_alert) {
    return (
      <>
        Its score is {points}, not above {score(threshold)}: <strong>no alert</strong>.
      </>
    );
  }
  const alert = <strong>an alert</strong>;
  return (
    <>
      Its score is {points}, above {score(threshold)}: {alert_id ? <a href={to(["alerts", alert_id])}>{alert}</a> : alert}.
    </>
  );
}

const without = { unscored: "It has no score", dead_letter: "It is a dead letter", unanswered: "It has no score yet" };
