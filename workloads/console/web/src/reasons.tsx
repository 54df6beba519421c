// The fields behind an alert or a score, each with its part in it and what would be usual.
import type { Reason } from "./api";
import { number, shown } from "./format";
import { Value } from "./parts";

export function Reasons({ reasons }: { reasons: Reason[] }) {
  if (reasons.length === 0) return <p class="quiet">None were told.</p>;
  return (
    <ul class="reasons">
      {reasons.map((reason) => (
        <li key={reason.field}>
          <div class="reason">
            <strong>
              <Value text={reason.field} longest={100} />
            </strong>
            <meter min={0} max={1} value={reason.share} aria-label={`share of ${shown(reason.field, 100)}`} />
            <span>{Math.round(reason.share * 100)} %</span>
          </div>
          <div>
            {"value" in reason && reason.value !== undefined ? (
              <>
                is <Value text={typeof reason.value === "string" ? reason.value : JSON.stringify(reason.value)} />
                {reason.direction && reason.direction !== "missing" ? `, ${words[reason.direction]}` : ""}
              </>
            ) : (
              "has no value that is shown"
            )}
            {reason.direction === "missing" && ", which is missing"}
          </div>
          <Usual reason={reason} />
        </li>
      ))}
    </ul>
  );
}

const words = { above: "above what is usual", below: "below what is usual", unseen: "never seen before", missing: "missing" };

function Usual({ reason: { usual, value, expected } }: { reason: Reason }) {
  const range = usual && !Array.isArray(usual) ? usual : undefined;
  return (
    <>
      {range && (
        <div class="quiet">
          usual: {number(range.low)} to {number(range.high)}
          {typeof value === "number" && <Range low={range.low} high={range.high} value={value} />}
        </div>
      )}
      {Array.isArray(usual) && (
        <div class="quiet">
          usual:{" "}
          {usual.map((one, index) => (
            <span key={one.value}>
              {index > 0 && ", "}
              <Value text={one.value} longest={60} /> ({Math.round(one.share * 100)} %)
            </span>
          ))}
        </div>
      )}
      {expected && (
        <div class="quiet">
          beside the other fields {number(expected.value)} would fit, from {number(expected.low)} to {number(expected.high)}
        </div>
      )}
    </>
  );
}

/** Where the value lies beside the usual range. */
function Range({ low, high, value }: { low: number; high: number; value: number }) {
  const from = Math.min(low, value);
  const to = Math.max(high, value);
  const x = (at: number) => (to > from ? 4 + (192 * (at - from)) / (to - from) : 100);
  return (
    <svg class="range" viewBox="0 0 200 16" width="200" height="16" aria-hidden="true">
      <line x1="4" x2="196" y1="8" y2="8" class="grid" />
      <rect x={x(low)} y="4" width={Math.max(2, x(high) - x(low))} height="8" class="usual" />
      <circle cx={x(value)} cy="8" r="4" class="value" />
    </svg>
  );
}
