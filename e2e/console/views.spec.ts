// Each view in each way that people look at it: whole, readable by all, and as a picture for whoever reviews it.
import axe from "axe-core";
import { readdirSync } from "node:fs";
import { alertTable, expect, incidentTable, open, rows, test } from "./page.ts";
import { kept } from "./settings.ts";

declare global {
  interface Window {
    axe: typeof axe;
  }
}

const pictures = `${kept}/pictures`;

const views: { name: string; view: string; follow?: string; press?: string; heading: RegExp }[] = [
  { name: "overview", view: "", heading: /^Overview$/ },
  { name: "incidents", view: "incidents", heading: /^Incidents$/ },
  { name: "incident", view: "incidents", follow: incidentTable, heading: /^Incident: / },
  { name: "alerts", view: "alerts", heading: /^Alerts$/ },
  { name: "alert", view: "alerts?text=telnet", follow: alertTable, heading: /^Alert at local/ },
  { name: "silence", view: "alerts?text=telnet", follow: alertTable, press: "Silence …", heading: /^Alert at local/ },
  { name: "simulation", view: "alerts?text=telnet", follow: alertTable, press: "Simulate …", heading: /^Alert at local/ },
  { name: "verdict", view: "incidents", follow: incidentTable, press: "Expected", heading: /^Incident: / },
  { name: "silences", view: "silences", heading: /^Silences$/ },
  { name: "access", view: "access", heading: /^Writing$/ },
  { name: "histogram", view: "histogram", heading: /^Histogram/ },
  { name: "sample", view: "histogram?of=sample", heading: /^Histogram of records$/ },
  { name: "models", view: "models", heading: /^Models/ },
];

for (const { name, view, follow, press, heading } of views) {
  test(name, async ({ page }, { project }) => {
    await open(page, view);
    if (follow !== undefined) await rows(page, follow).first().click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(heading);
    if (press !== undefined) await page.getByRole("button", { name: press, exact: true }).click();
    await expect(page.getByText("Loading …")).toHaveCount(0);
    // What is wide scrolls by itself; the page does not.
    expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
    await page.screenshot({ path: `${pictures}/${name}-${project.name}.png` });

    // In the page it runs as the browser's own tools do, which the policy does not concern. Colours are all that differs in the dark.
    await page.evaluate(axe.source);
    const found = await page.evaluate(
      async (only) => window.axe.run(document, { resultTypes: ["violations"], ...(only && { runOnly: { type: "rule", values: only } }) }),
      project.name === "dark" ? ["color-contrast"] : undefined,
    );
    const serious = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    expect(serious.map(({ id, nodes }) => ({ id, at: nodes.map(({ html }) => html).slice(0, 5) }))).toEqual([]);
  });
}

test("there is a picture of each", ({}, { project }) => {
  const made = readdirSync(pictures).filter((picture) => picture.endsWith(`-${project.name}.png`));
  expect(made.sort()).toEqual(views.map(({ name }) => `${name}-${project.name}.png`).sort());
});
