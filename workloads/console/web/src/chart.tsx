// Everything that is drawn. Times are drawn by uPlot on a canvas, so what it shows is also a table for those who do not see it;
// counts are drawn as SVG.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Histogram, History, Scores } from "./api";
import { count, number, shown, time } from "./format";

const colours = 6;

function colour(index: number): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--series-${index % colours}`).trim();
}

/** Alerts of each site over a day. */
export function Rates({ history }: { history: History }) {
  const place = useRef<HTMLDivElement>(null);
  const sums = history.series.map((series) => series.alerts.reduce((sum, alerts) => sum + alerts, 0));
  const series = history.series
    .map((one, index) => ({ ...one, sum: sums[index] ?? 0 }))
    .sort((a, b) => b.sum - a.sum)
    .slice(0, colours);
  const from = Date.parse(history.from_utc) / 1000;
  const key = JSON.stringify([history.from_utc, series.map((one) => [one.site, one.pipeline, one.alerts])]);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const steps = series[0]?.alerts.length ?? 0;
    const times = Array.from({ length: steps }, (_, step) => from + step * history.step_seconds);
    const axis = { stroke: variable("--text"), grid: { stroke: variable("--line") }, ticks: { stroke: variable("--line") } };
    const options: uPlot.Options = {
      width: element.clientWidth || 600,
      height: 200,
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
      // Alerts are whole.
      axes: [axis, { ...axis, size: 60, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6, 1e7, 1e8] }],
      series: [
        {},
        ...series.map((one, index) => ({
          label: name(one),
          stroke: colour(index),
          width: 2,
          points: { show: false },
          paths: uPlot.paths.stepped?.({ align: 1 }),
        })),
      ],
    };
    const plot = new uPlot(options, [times, ...series.map((one) => one.alerts)] as uPlot.AlignedData, element);
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth || 600, height: 200 }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [key]);
  const what = `Alerts in each ${Math.round(history.step_seconds / 60)} minutes of the last day`;
  return (
    <figure>
      <figcaption>{what}</figcaption>
      <div ref={place} role="img" aria-label={`${what}: ${series.map((one) => `${name(one)} ${count(one.sum)}`).join(", ")}`} />
      <Legend names={series.map(name)} />
      <details>
        <summary>As a table</summary>
        <div class="wide" tabIndex={0} role="region" aria-label={what}>
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                {series.map((one) => (
                  <th scope="col" class="number" key={name(one)}>
                    {name(one)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {(series[0]?.alerts ?? []).map((_, step) =>
                series.some((one) => one.alerts[step]) ? (
                  <tr key={step}>
                    <th scope="row">{time(new Date((from + step * history.step_seconds) * 1000).toISOString())}</th>
                    {series.map((one) => (
                      <td class="number" key={name(one)}>
                        {count(one.alerts[step] ?? 0)}
                      </td>
                    ))}
                  </tr>
                ) : null,
              )}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}

function name(series: { namespace: string; pipeline: string; site: string }): string {
  return `${series.site} ${series.namespace}/${series.pipeline}`;
}

function variable(variable: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}

function Legend({ names }: { names: string[] }) {
  return (
    <ul class="legend">
      {names.map((one, index) => (
        <li key={one}>
          <svg width="12" height="12" aria-hidden="true">
            <rect width="12" height="12" class={`series-${index % colours}`} />
          </svg>
          <bdi>{shown(one, 60)}</bdi>
        </li>
      ))}
    </ul>
  );
}

type Stack = { category: string; counts: number[] };
type Mark = { label: string; at: number };

export function HistogramChart({ histogram }: { histogram: Histogram }) {
  const what = `${shown(histogram.field, 60)} by ${shown(histogram.by, 60)}`;
  return <Bars what={what} bounds={histogram.bounds} stacks={histogram.series} marks={[]} />;
}

export function ScoresChart({ scores }: { scores: Scores }) {
  const marks = scores.thresholds.map(({ model_version, threshold }) => ({
    label: `threshold of ${shown(model_version, 40)}`,
    at: threshold,
  }));
  return <Bars what="Scores of alerts" bounds={scores.bounds} stacks={[{ category: "alerts", counts: scores.counts }]} marks={marks} />;
}

const width = 720;
const height = 240;
const left = 48;
const bottom = 28;
const above = 12;

function Bars({ what, bounds, stacks, marks }: { what: string; bounds: number[]; stacks: Stack[]; marks: Mark[] }) {
  const bins = bounds.length - 1;
  if (bins < 1) return <p class="quiet">Nothing to draw.</p>;
  const totals = Array.from({ length: bins }, (_, bin) => stacks.reduce((sum, stack) => sum + (stack.counts[bin] ?? 0), 0));
  const most = Math.max(1, ...totals);
  const wide = (width - left) / bins;
  const high = (amount: number) => ((height - bottom - above) * amount) / most;
  const x = (value: number): number => {
    const bin = Math.max(0, Math.min(bins - 1, bounds.findIndex((_, at) => value < (bounds[at + 1] ?? Infinity))));
    const [low = 0, up = 1] = [bounds[bin], bounds[bin + 1]];
    return left + wide * (bin + Math.min(1, Math.max(0, (value - low) / (up - low))));
  };
  const labels = [0, Math.floor(bins / 2), bins];
  return (
    <figure>
      <figcaption>{what}</figcaption>
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`${what}; the numbers are in the table below`} class="bars">
        {[0, 0.5, 1].map((part) => (
          <g key={part}>
            <line x1={left} x2={width} y1={height - bottom - high(most * part)} y2={height - bottom - high(most * part)} class="grid" />
            <text x={left - 6} y={height - bottom - high(most * part) + 4} text-anchor="end">
              {count(most * part)}
            </text>
          </g>
        ))}
        {totals.map((_, bin) => {
          let y = height - bottom;
          return stacks.map((stack, index) => {
            const tall = high(stack.counts[bin] ?? 0);
            y -= tall;
            return tall > 0 ? (
              <rect key={`${bin} ${index}`} x={left + wide * bin + 0.5} y={y} width={Math.max(1, wide - 1)} height={tall} class={`series-${index % colours}`} />
            ) : null;
          });
        })}
        {labels.map((bin) => (
          <text key={bin} x={left + wide * bin} y={height - 8} text-anchor={bin === 0 ? "start" : bin === bins ? "end" : "middle"}>
            {number(bounds[bin], 6)}
          </text>
        ))}
        {marks.map((mark) => (
          <line key={mark.label} x1={x(mark.at)} x2={x(mark.at)} y1={4} y2={height - bottom} class="mark" />
        ))}
      </svg>
      <Legend names={stacks.map((stack) => stack.category)} />
      {marks.map((mark) => (
        <p class="quiet" key={mark.label}>
          Dashed: {mark.label}, {number(mark.at, 8)}
        </p>
      ))}
      <details>
        <summary>As a table</summary>
        <div class="wide" tabIndex={0} role="region" aria-label={what}>
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                <th scope="col">To</th>
                {stacks.map((stack) => (
                  <th scope="col" class="number" key={stack.category}>
                    <bdi>{shown(stack.category, 60)}</bdi>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {totals.map((total, bin) =>
                total > 0 ? (
                  <tr key={bin}>
                    <td>{number(bounds[bin], 8)}</td>
                    <td>{number(bounds[bin + 1], 8)}</td>
                    {stacks.map((stack) => (
                      <td class="number" key={stack.category}>
                        {count(stack.counts[bin] ?? 0)}
                      </td>
                    ))}
                  </tr>
                ) : null,
              )}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}
