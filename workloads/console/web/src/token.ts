// The token by which somebody writes here, and the name under which: both stay in this tab, and go with it.
const base = document.baseURI.split("#")[0];
const listeners = new Set<() => void>();

function kept(what: string): string | undefined {
  try {
    return sessionStorage.getItem(`vedette ${what} ${base}`) ?? undefined;
  } catch {
    return undefined; // A browser may keep nothing.
  }
}

function keep(what: string, text: string): void {
  try {
    if (text === "") sessionStorage.removeItem(`vedette ${what} ${base}`);
    else sessionStorage.setItem(`vedette ${what} ${base}`, text);
  } catch {
    // As above.
  }
  for (const listener of listeners) listener();
}

export const token = () => kept("token");
export const setToken = (text: string) => keep("token", text.trim());
export const person = () => kept("person") ?? "";
export const setPerson = (text: string) => keep("person", text.trim());

/** Tells of each change until what it returns is called. */
export function onToken(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
