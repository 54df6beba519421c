// What e2e/scripts/console.sh says to the tests.
function said(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests by e2e/scripts/console.sh, or make e2e-console`);
  return value;
}

/** The browser. */
export const chromium = said("VEDETTE_CHROMIUM");
/** The program `vedette`, with the others beside it. */
export const program = said("VEDETTE_PROGRAM");
/** Where what is kept of a run goes. */
export const kept = said("VEDETTE_KEPT");
