// How values are written for people. What comes from records is text of anybody's, so what a terminal or a browser would follow is
// made visible instead.

const unseen = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

export function shown(text: string, longest = 300): string {
  const short = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return short.replace(unseen, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const times = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

export function time(text: string | null | undefined): string {
  return text ? times.format(new Date(text)) : "–";
}

export function ago(text: string | null | undefined, now = Date.now()): string {
  if (!text) return "never";
  const seconds = Math.max(0, Math.round((now - Date.parse(text)) / 1000));
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

export function count(number: number): string {
  return whole.format(number);
}

export function number(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e9)) return value.toExponential(2);
  return new Intl.NumberFormat(undefined, { maximumSignificantDigits: Math.max(digits, 1) }).format(value);
}

/** Scores lie near one: what they lack tells more. */
export function score(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : value.toFixed(6);
}

export function plural(amount: number, one: string, many = `${one}s`): string {
  return `${count(amount)} ${amount === 1 ? one : many}`;
}

/** A time as somebody gives it, as the API has it; nothing where it is none. */
export function utc(text: string): string | undefined {
  const given = new Date(text);
  return Number.isNaN(given.getTime()) ? undefined : given.toISOString();
}

/** The next Friday at 18:00, as clocks are here. */
export function friday(now = new Date()): string {
  const end = new Date(now);
  end.setHours(18, 0, 0, 0);
  end.setDate(end.getDate() + ((5 - end.getDay() + 7) % 7));
  if (end <= now) end.setDate(end.getDate() + 7);
  return end.toISOString();
}
