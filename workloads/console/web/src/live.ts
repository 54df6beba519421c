// What changes, as the server tells it: one connection a browser, however many tabs there are, as browsers keep six a server and each
// would hold one. The tab that has the lock listens and tells the others; where there are no locks (they need HTTPS or localhost)
// each tab listens by itself while it is looked at.
import { address, type Changes } from "./api";

type Told = { kind: "changes"; changes: Changes } | { kind: "connected"; connected: boolean };
type Listener = (told: Told) => void;

const listeners = new Set<Listener>();
const channel = "BroadcastChannel" in window ? new BroadcastChannel(`vedette ${document.baseURI.split("#")[0]}`) : undefined;

/** Tells of each change until what it returns is called. */
export function listen(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function start(): void {
  if (channel && navigator.locks) {
    channel.onmessage = (event: MessageEvent<Told>) => tell(event.data);
    const name = `vedette ${document.baseURI.split("#")[0]}`;
    void navigator.locks.request(name, () => {
      connect((told) => {
        tell(told);
        channel.postMessage(told);
      });
      // The lock is kept until the tab is gone.
      return new Promise(() => undefined);
    });
    return;
  }
  let source = document.hidden ? undefined : connect(tell);
  document.addEventListener("visibilitychange", () => {
    source?.close();
    source = document.hidden ? undefined : connect(tell);
  });
}

function tell(told: Told): void {
  for (const listener of listeners) listener(told);
}

function connect(tell: Listener): EventSource {
  const source = new EventSource(address("changes"));
  source.addEventListener("open", () => tell({ kind: "connected", connected: true }));
  source.addEventListener("error", () => {
    tell({ kind: "connected", connected: false });
    // A browser gives up for ever where an answer is no stream, as that of a proxy without its server.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => connect(tell), 2_000);
  });
  let isFirst = true;
  source.addEventListener("changes", (event) => {
    const changes = JSON.parse(event.data) as Changes;
    // What was asked for before the connection was there may have missed something.
    if (isFirst) changes.is_cut = true;
    isFirst = false;
    tell({ kind: "changes", changes });
  });
  return source;
}
