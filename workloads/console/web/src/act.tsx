// What somebody does beside an incident or an alert: a silence, a verdict, a simulation. Each form shows the command that does the same, and
// is all that there is where nobody may write.
import { useState } from "preact/hooks";
import { useAccess } from "./access";
import { send, type Access, type EndSent, type Ended, type Finding, type Silence, type SilenceSent, type SimulationForm, type Verdict, type VerdictSent } from "./api";
import { end as endCommand, silence as silenceCommand, verdict as verdictCommand, type Judged, type Of } from "./command";
import type { Data } from "./data";
import { By, Form, useName, useOpen } from "./form";
import { friday, shown, time, utc } from "./format";
import { Time, Value } from "./parts";
import { Simulate } from "./simulate";
import { setPerson } from "./token";

type ActionsProps = {
  of: Of;
  match: string;
  judged: Judged;
  verdict: Verdict | null | undefined;
  /** Somebody made the record up: there is nothing to be told of less, and nothing to judge. */
  isSimulated?: boolean;
  /** With what a simulation of the record begins, where one can be sent. */
  simulation?: SimulationForm | null;
  /** Why none can be sent, where one could of another record. */
  notSimulatedBecause?: string | null;
};

/** What can be done of an incident or an alert. */
export function Actions({ of, match, judged, verdict, isSimulated = false, simulation, notSimulatedBecause }: ActionsProps) {
  const access = useAccess();
  const { open, button, close } = useOpen<"silence" | "simulation" | Finding>();
  const [done, setDone] = useState<string>();
  const [given, setGiven] = useState<Verdict>();
  const last = given && (!verdict || Date.parse(verdict.given_utc) < Date.parse(given.given_utc)) ? given : verdict;
  const finish = (what: string) => {
    setDone(what);
    close();
  };
  const isNamed = !isSimulated && ("incident" in judged || judged.uuid !== null);
  return (
    <section aria-label="What to do">
      {last && (
        <p>
          <strong>{last.verdict === "expected" ? "Expected" : "Anomaly"}</strong>, said <Value text={last.by} longest={100} /> at{" "}
          <Time utc={last.given_utc} />: <Value text={last.why} longest={1_000} />
        </p>
      )}
      <p class="buttons">
        {!isSimulated && <button {...button("silence")}>Silence …</button>}
        {isNamed && (
          <>
            <button {...button("expected")}>Expected</button>
            <button {...button("anomaly")}>Anomaly</button>
          </>
        )}
        {simulation && <button {...button("simulation")}>Simulate …</button>}
      </p>
      {notSimulatedBecause && <p class="quiet">Nothing can be simulated that begins with it: {shown(notSimulatedBecause, 1_000)}.</p>}
      <p role="status">{done && shown(done, 500)}</p>
      {open === "silence" && <SilenceForm of={of} match={match} access={access} onDone={finish} onClose={close} />}
      {open === "simulation" && simulation && <Simulate of={of} form={simulation} access={access} onClose={close} />}
      {(open === "expected" || open === "anomaly") && (
        <VerdictForm
          key={open}
          of={of}
          judged={judged}
          finding={open}
          access={access}
          onClose={close}
          onDone={(verdict) => {
            setGiven(verdict);
            finish("The verdict is given.");
          }}
        />
      )}
    </section>
  );
}

type Until = "1h" | "1d" | "friday" | "other";

type SilenceFormProps = { of: Of; match: string; access: Data<Access>; onDone: (what: string) => void; onClose: () => void };

function SilenceForm({ of, match: suggested, access, onDone, onClose }: SilenceFormProps) {
  const [match, setMatch] = useState(suggested);
  const [until, setUntil] = useState<Until>("1h");
  const [other, setOther] = useState("");
  const [why, setWhy] = useState("");
  const [name, setName, by] = useName(access);
  const end = (): string | undefined => (until === "friday" ? friday() : utc(other));
  const lasting = until === "1h" || until === "1d" ? { for: until } : { until: end() ?? "…" };
  const command = (access: Access) => silenceCommand(access, of, { match, end: lasting, by: name, why: why || "…" });
  const submit = async () => {
    // How long it lasts is by the clock of the bucket, which a browser's need not be.
    const ends = until === "1h" ? { lasting_seconds: 3_600 } : until === "1d" ? { lasting_seconds: 86_400 } : { until: end() };
    const sent: SilenceSent = { ...of, match, ...ends, why, by };
    const added = await send<Silence>("silences", sent);
    if (by !== undefined) setPerson(by);
    onDone(`Silenced until ${time(added.until_utc)}: silence ${added.id}.`);
  };
  return (
    <Form label="Silence" access={access} command={command} action="Silence" onSend={submit} onClose={onClose}>
      <label>
        <span>Which alerts, as a CEL expression</span>
        <textarea rows={3} value={match} required maxLength={2_000} spellcheck={false} onInput={(event) => setMatch(event.currentTarget.value)} />
      </label>
      <fieldset>
        <legend>Until</legend>
        {(
          [
            ["1h", "in 1 hour"],
            ["1d", "in 1 day"],
            ["friday", `Friday (${time(friday())})`],
            ["other", "another time"],
          ] as const
        ).map(([value, label]) => (
          <label key={value} class="choice">
            <input type="radio" name="until" value={value} checked={until === value} onChange={() => setUntil(value)} />
            <span>{label}</span>
          </label>
        ))}
        {until === "other" && (
          <label>
            <span>Time</span>
            <input type="datetime-local" max="9999-12-31T23:59" value={other} required onInput={(event) => setOther(event.currentTarget.value)} />
          </label>
        )}
      </fieldset>
      <label>
        <span>Why</span>
        <input type="text" value={why} required maxLength={1_000} onInput={(event) => setWhy(event.currentTarget.value)} />
      </label>
      <By access={access} name={name} onName={setName} />
    </Form>
  );
}

type VerdictFormProps = {
  of: Of;
  judged: Judged;
  finding: Finding;
  access: Data<Access>;
  onDone: (verdict: Verdict) => void;
  onClose: () => void;
};

function VerdictForm({ of, judged, finding, access, onDone, onClose }: VerdictFormProps) {
  const [why, setWhy] = useState("judged by its reasons");
  const [name, setName, by] = useName(access);
  const command = (access: Access) => verdictCommand(access, of, judged, finding, name, why || "…");
  const submit = async () => {
    const which = "incident" in judged ? { incident: judged.incident } : { alert: judged.alert };
    const sent: VerdictSent = { ...which, verdict: finding, why, by };
    const given = await send<Verdict>("verdicts", sent);
    if (by !== undefined) setPerson(by);
    onDone(given);
  };
  const all = "incident" in judged ? "All alerts of this incident were" : "This alert was";
  const what = finding === "expected" ? "to be expected: nothing was wrong" : "right: something was wrong";
  return (
    <Form label="Verdict" access={access} command={command} action={`Say ${finding}`} onSend={submit} onClose={onClose}>
      <p>
        {all} {what}.
      </p>
      <label>
        <span>Why</span>
        <input type="text" value={why} required maxLength={1_000} onInput={(event) => setWhy(event.currentTarget.value)} />
      </label>
      <By access={access} name={name} onName={setName} />
    </Form>
  );
}

/** Ends a silence that this site has written. */
export function End({ silence, access }: { silence: Silence; access: Data<Access> }) {
  const { open, button, close } = useOpen<"end">();
  const [name, setName, by] = useName(access);
  if (silence.state === "over") return <>–</>;
  if (access.value && silence.site !== access.value.site) return <span class="quiet">at the console of {silence.site}</span>;
  const of = { namespace: silence.namespace, pipeline: silence.pipeline };
  const submit = async () => {
    const sent: EndSent = { ...of, by };
    await send<Ended>(`silences/${encodeURIComponent(silence.id)}/end`, sent);
    if (by !== undefined) setPerson(by);
    close();
  };
  return (
    <>
      <button {...button("end")} aria-label={`End silence ${silence.id} …`}>
        End …
      </button>
      {open && (
        <Form label={`End silence ${silence.id}`} access={access} command={(access) => endCommand(access, of, silence.id)} action="End it now" onSend={submit} onClose={close}>
          <p class="quiet">People are told of such alerts again.</p>
          <By access={access} name={name} onName={setName} />
        </Form>
      )}
    </>
  );
}
