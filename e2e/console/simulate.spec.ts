// An anomaly is made up from the record of an alert, sent, and followed to its score: nobody is told of it, and it counts nowhere.
import type { Locator, Page } from "@playwright/test";
import { alertTable, expect, newest, open, rows, signIn, test, untilNews } from "./page.ts";
import { hostile, hostileField } from "./records.ts";

/** Opens the form beside an alert whose record has this text. */
async function openForm(page: Page, text: string): Promise<Locator> {
  await open(page, `alerts?${new URLSearchParams({ text, reason: "service" })}`);
  await rows(page, alertTable).first().click();
  await page.getByRole("button", { name: "Simulate …" }).click();
  return page.getByRole("form", { name: "Simulate" });
}

function field(form: Locator, name: string): Locator {
  return form.getByRole("textbox", { name, exact: true });
}

function outcome(page: Page): Locator {
  return page.getByRole("region", { name: "What became of it" });
}

test("an anomaly that is made up is scored, and is an alert that nobody is told of", async ({ page }) => {
  const madeUp = `made-up-${Date.now()}`;
  await signIn(page, "ada");
  const form = await openForm(page, "telnet");
  await expect(field(form, hostileField)).toBeFocused();
  await expect(field(form, "service")).toHaveValue('"telnet"');
  for (const added of ["uuid", "utc", "site", "score", "simulated", "alert_text"]) await expect(field(form, added)).toHaveCount(0);
  await field(form, "service").fill(JSON.stringify(madeUp));
  await field(form, "duration").fill("9000");
  await field(form, hostileField).fill("950000");
  const command = form.locator("code").last();
  await expect(command).toContainText(/^printf '%s\\n' '\{.*"simulated":true\}' \| kcat -P -b \S+ -t \S+$/);
  await expect(command).toContainText(`"duration":9000`);
  await form.getByRole("button", { name: "Send it" }).click();
  await expect(outcome(page).getByRole("status")).toContainText(/^Its score is 0\.\d+, above 0\.\d+: an alert/);
  await expect(outcome(page).locator(".reasons")).toContainText("duration");
  await outcome(page).getByRole("link", { name: "an alert" }).click();
  await expect(page.getByText("Somebody made this record up")).toBeVisible();
  await expect(page.locator("pre")).toContainText(madeUp);
  for (const answer of ["Silence …", "Expected", "Anomaly"]) await expect(page.getByRole("button", { name: answer, exact: true })).toHaveCount(0);

  await open(page, `alerts?text=${madeUp}`);
  await expect(rows(page, alertTable)).toHaveCount(1);
  await expect(page.getByRole("region", { name: alertTable })).toContainText("simulated");
  // An alert of the stream that came later is told of, and this one is not.
  await open(page, "alerts");
  await untilNews(page, await newest(page));
  const incidents = await page.request.get("./api/v1/incidents?limit=100");
  expect(await incidents.text()).not.toContain(madeUp);
  const histogram = await page.request.get("./api/v1/histogram", { params: { text: madeUp } });
  expect(((await histogram.json()) as { alerts: number }).alerts).toBe(0);
});

test("a record that is usual is no alert, and says why not", async ({ page }) => {
  await signIn(page, "ada");
  const form = await openForm(page, "telnet");
  for (const [name, value] of [["service", '"http"'], ["duration", "5"], ["answer_bytes", "4000"], [hostileField, "2000"]] as const) {
    await field(form, name).fill(value);
  }
  await form.getByRole("checkbox", { name: "send label" }).uncheck();
  await expect(form.locator("code").last()).not.toContainText('"label"');
  await form.getByRole("button", { name: "Send it" }).click();
  await expect(outcome(page).getByRole("status")).toContainText(/^Its score is 0\.\d+, not above 0\.\d+: no alert/);
  // What was written stays, and can be sent once more.
  for (const [name, value] of [["service", '"telnet"'], ["duration", "9000"], [hostileField, "950000"]] as const) await field(form, name).fill(value);
  await form.getByRole("button", { name: "Send it" }).click();
  await expect(outcome(page).getByRole("status")).toContainText(/: an alert/);
});

test("a text of an attacker is text in the form, and is sent as it is", async ({ page }) => {
  await signIn(page, "ada");
  for (const text of [hostile.markup, hostile.direction]) {
    const form = await openForm(page, JSON.stringify(text).slice(1, -1).slice(0, 60));
    const value = await field(form, "service").inputValue();
    expect(JSON.parse(value)).toBe(text);
    expect(value).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
    await form.getByRole("button", { name: "Send it" }).click();
    await expect(outcome(page).getByRole("status")).toContainText("Its score is");
    expect(await page.evaluate(() => (window as unknown as { hacked?: number }).hacked ?? null)).toBeNull();
  }
});

test("an alert that is longer than a console keeps says why nothing is simulated that begins with it", async ({ page }) => {
  await open(page, `alerts?${new URLSearchParams({ text: "llllllllllllllll" })}`);
  await rows(page, alertTable).first().click();
  const actions = page.getByRole("region", { name: "What to do" });
  await expect(actions).toContainText("Nothing can be simulated that begins with it: the alert is longer than a console keeps of one");
  await expect(page.getByRole("button", { name: "Simulate …" })).toHaveCount(0);
  await expect(actions.getByRole("button", { name: "Silence …" })).toBeVisible();
  // Others begin with a form, and need no word.
  await openForm(page, "telnet");
  await expect(page.getByText("Nothing can be simulated")).toHaveCount(0);
});

test("what is no JSON is said, and nothing is sent", async ({ page }) => {
  await signIn(page, "ada");
  const form = await openForm(page, "telnet");
  await field(form, "service").fill("http");
  await form.getByRole("button", { name: "Send it" }).click();
  await expect(form.getByRole("alert")).toContainText("service is no JSON value");
  await expect(outcome(page)).toHaveCount(0);
});

test("who may not write is shown the command, and is refused", async ({ page }) => {
  const form = await openForm(page, "telnet");
  await expect(form).toContainText("You only read here");
  await expect(form.locator("code").last()).toContainText("kcat -P");
  await expect(form.locator("button[type=submit]")).toHaveCount(0);
  const data = { namespace: "shop", pipeline: "flows", record: "{}", by: "eve" };
  expect((await page.request.post("./api/v1/simulations", { data })).status()).toBe(401);
});
