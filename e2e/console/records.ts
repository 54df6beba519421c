// The data set of the tests: what is usual, and anomalies whose texts are those of an attacker.

/** What a page must show as text, and a word of it that is found there. */
export const hostile = {
  markup: `<img src="x" onerror="window.hacked=1"><b>markup</b>`,
  script: `</pre></script><script>window.hacked=2</script>`,
  address: `javascript:window.hacked=3//`,
  control: "bell\u0007 escape\u001b[31m nul\u0000 end",
  direction: "gpj\u202eexe.\u2066invoice",
  template: "${window.hacked=4}{{window.hacked=5}}",
  long: `long ${"m".repeat(3_000)}`,
};
/** An alert with it is longer than what the console keeps of one. */
const longest = "l".repeat(90_000);
/** A field of the records, which is a reason, too. */
export const hostileField = `<i>size</i>`;

const rows = 4_000;

/** Lines of JSON with a label. The same seed gives the same lines. */
export function dataset(seed = 7): string {
  const random = generator(seed);
  const texts = ["telnet", "finger", ...Object.values(hostile)];
  const lines = Array.from({ length: rows }, (_, row) => {
    const usual = {
      duration: round(random() * 12),
      service: pick(random, ["http", "http", "http", "dns", "smtp", "ssh"]),
      [hostileField]: Math.floor(random() * 4_000),
      answer_bytes: Math.floor(random() * 9_000),
      note: "none",
      label: "normal",
    };
    if (row % 40 !== 0) return usual;
    const text = pick(random, texts);
    return {
      ...usual,
      duration: round(400 + random() * 5_000),
      // What is longer than a console keeps has nothing that could be simulated: it is of this service only.
      service: row % 400 === 0 ? "finger" : text,
      [hostileField]: Math.floor(60_000 + random() * 900_000),
      // A few of them are strange in one field more, and so few that they are above the threshold of the next severity.
      ...(row % 800 === 0 ? { answer_bytes: Math.floor(1_000_000 + random() * 9_000_000) } : {}),
      note: row % 400 === 0 ? longest : "none",
      label: "attack",
    };
  });
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

function pick<T>(random: () => number, from: T[]): T {
  return from[Math.floor(random() * from.length)] as T;
}

function round(number: number): number {
  return Math.round(number * 100) / 100;
}

/** Numbers from 0 to 1: mulberry32, by Tommy Ettinger, in the public domain. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
