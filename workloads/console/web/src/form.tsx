// What the forms are made of in which somebody does something: the fields, the command that does the same, and who does it.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Access } from "./api";
import type { Data } from "./data";
import { shown } from "./format";
import { Copy, Value } from "./parts";
import { to } from "./route";
import { person } from "./token";

/** The command that does the same; where nobody may write, why, and that it is the way. */
function Command({ access: { value: access, error }, command }: { access: Data<Access>; command: (access: Access) => string }) {
  // Where it finds the bucket is not known without an answer, nor who may write.
  if (!access) return error ? <p class="notice bad" role="alert">{shown(error, 1_000)}</p> : <p class="quiet">Asking who may write …</p>;
  const text = command(access);
  return (
    <>
      {!access.may_write && (
        <p class="notice">
          You only read here: {shown(access.why_not ?? "", 1_000)}.{" "}
          {access.takes_token && <a href={to(["access"])}>Give a token.</a>} This command does it:
        </p>
      )}
      <p class="command">
        {access.may_write && <span class="quiet">The same: </span>}
        <code>{shown(text, 6_000)}</code> <Copy text={text} />
      </p>
    </>
  );
}

type FormProps = {
  label: string;
  access: Data<Access>;
  command: (access: Access) => string;
  action: string;
  /** What is done; it says what went wrong by an error. */
  onSend: () => Promise<void>;
  onClose: () => void;
  children?: ComponentChildren;
};

/** A form in the page: its first field is where one is, Escape leaves it. */
export function Form({ label, access, command, action, onSend, onClose, children }: FormProps) {
  const form = useRef<HTMLFormElement>(null);
  const [error, setError] = useState<string>();
  const [isSending, setSending] = useState(false);
  useEffect(() => form.current?.querySelector<HTMLElement>("input, textarea, select, button")?.focus(), []);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isSending || !access.value?.may_write) return;
    setSending(true);
    setError(undefined);
    try {
      await onSend();
    } catch (error) {
      setError(String((error as Error).message));
    }
    setSending(false);
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "Escape") onClose();
  };
  return (
    <form ref={form} class="act" aria-label={label} onSubmit={(event) => void submit(event)} onKeyDown={pressed}>
      {children}
      {error && (
        <p class="notice bad" role="alert">
          {shown(error, 1_000)}
        </p>
      )}
      <Command access={access} command={command} />
      <p class="buttons">
        {access.value?.may_write && (
          <button type="submit" class="main" disabled={isSending}>
            {action}
          </button>
        )}
        <button type="button" onClick={onClose}>
          Close
        </button>
      </p>
    </form>
  );
}

/** Who does it: as the proxy says, or as somebody says with a token. */
export function By({ access, name, onName }: { access: Data<Access>; name: string; onName: (name: string) => void }) {
  if (access.value?.by) {
    return (
      <p class="quiet">
        By <Value text={access.value.by} />.
      </p>
    );
  }
  return (
    <label>
      <span>Your name</span>
      <input type="text" value={name} required maxLength={100} autocomplete="name" onInput={(event) => onName(event.currentTarget.value)} />
    </label>
  );
}

/** Keeps a name for the next form of this tab. */
export function useName({ value: access }: Data<Access>): [string, (name: string) => void, string | undefined] {
  const [name, setName] = useState(person());
  // Where a proxy says who asks, nothing else is sent.
  return [access?.by ?? name, setName, access?.by ? undefined : name];
}

/** What is open below a row of buttons; focus goes back to the button that opened it. */
export function useOpen<T extends string>() {
  const [open, setOpen] = useState<T>();
  const opener = useRef<HTMLButtonElement | null>(null);
  const close = () => {
    setOpen(undefined);
    opener.current?.focus();
  };
  const button = (what: T) => ({
    type: "button" as const,
    "aria-expanded": open === what,
    onClick: (event: { currentTarget: HTMLButtonElement }) => {
      opener.current = event.currentTarget;
      setOpen(open === what ? undefined : what);
    },
  });
  return { open, button, close };
}
