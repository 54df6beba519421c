// How somebody answers on the page: an incident is silenced and told of again, a verdict is two clicks, and who may not write is shown the
// command that does the same.
import type { Page } from "@playwright/test";
import { alertTable, expect, incidentTable, open, rows, signIn, test } from "./page.ts";
import { until } from "./vedette.ts";

const silenceTable = "Silences, those in force first";

async function openAlert(page: Page): Promise<void> {
  await open(page, "alerts?text=telnet");
  await rows(page, alertTable).first().click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Alert at local");
}

test("an incident is silenced, and told of again", async ({ page }) => {
  await signIn(page, "Ada O'Neill");
  await open(page, "incidents");
  await rows(page, incidentTable).first().click();
  await page.getByRole("button", { name: "Silence …" }).click();
  const form = page.getByRole("form", { name: "Silence" });
  const match = form.getByLabel("Which alerts, as a CEL expression");
  await expect(match).toBeFocused();
  await expect(match).toHaveValue(/^site == 'local'/);
  await form.getByLabel("in 1 day").check();
  const why = `a test of ${Date.now()}`;
  await form.getByLabel("Why").fill(why);
  const command = form.locator("code");
  await expect(command).toContainText(/^vedette silences add --bucket http\S+ .* --site local -n shop --pipeline flows --match=/);
  await expect(command).toContainText(`--for=1d --by='Ada O'\\''Neill' --why='${why}'`);
  await form.getByRole("button", { name: "Silence", exact: true }).click();
  await expect(page.getByRole("status").filter({ hasText: "Silenced until" })).toBeVisible();
  await expect(form).toHaveCount(0);

  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Silences" }).click();
  const row = page.getByRole("region", { name: silenceTable }).getByRole("row").filter({ hasText: why });
  await expect(row).toContainText("in force");
  await expect(row).toContainText("Ada O'Neill");
  await row.getByRole("button", { name: /^End silence/ }).click();
  await row.getByRole("button", { name: "End it now" }).click();
  await expect(row.getByText("over", { exact: true })).toBeVisible();
  await expect(row.getByRole("button", { name: /^End silence/ })).toHaveCount(0);
});

test("what would silence nothing is refused with what to do, and stays in the form", async ({ page, expected }) => {
  expected.push(/Failed to load resource.*422/);
  await signIn(page, "ada");
  await openAlert(page);
  await page.getByRole("button", { name: "Silence …" }).click();
  const form = page.getByRole("form", { name: "Silence" });
  await form.getByLabel("Which alerts, as a CEL expression").fill("service == 'telnet'");
  await form.getByLabel("Why").fill("a test");
  await form.getByRole("button", { name: "Silence", exact: true }).click();
  await expect(form.getByRole("alert")).toContainText("example.service");
  await expect(form.getByLabel("Why")).toHaveValue("a test");
});

test("a verdict is two clicks, and the last one is shown to all", async ({ page, context, watch }) => {
  await signIn(page, "ada");
  await openAlert(page);
  const other = await context.newPage();
  watch(other);
  await other.goto(page.url());
  await page.getByRole("button", { name: "Expected", exact: true }).click();
  await page.getByRole("button", { name: "Say expected" }).click();
  const said = page.getByRole("region", { name: "What to do" });
  await expect(said).toContainText("Expected, said ada");
  await expect(other.getByRole("region", { name: "What to do" })).toContainText("Expected, said ada");
  await page.getByRole("button", { name: "Anomaly", exact: true }).click();
  await page.getByRole("button", { name: "Say anomaly" }).click();
  await expect(said).toContainText("Anomaly, said ada");
  await page.reload();
  await expect(said).toContainText("Anomaly, said ada");
});

test("an incident is judged by keys alone", async ({ page }) => {
  await signIn(page, "ada");
  await open(page, "incidents");
  await rows(page, incidentTable).first().click();
  const button = page.getByRole("button", { name: "Expected", exact: true });
  await button.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("form", { name: "Verdict" }).getByLabel("Why")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("form", { name: "Verdict" })).toHaveCount(0);
  await expect(button).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("form", { name: "Verdict" }).getByLabel("Why")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("region", { name: "What to do" })).toContainText("Expected, said ada");
});

test("who may not write is shown the command, and is refused", async ({ page }) => {
  await openAlert(page);
  for (const [button, name, command] of [
    ["Silence …", "Silence", /^vedette silences add /],
    ["Expected", "Verdict", /^vedette verdicts add .* --verdict=expected/],
    ["Anomaly", "Verdict", /^vedette verdicts add .* --verdict=anomaly/],
  ] as const) {
    await page.getByRole("button", { name: button, exact: true }).click();
    const form = page.getByRole("form", { name });
    await expect(form.locator("code").last()).toContainText(command);
    await expect(form).toContainText("You only read here");
    await expect(form.locator("button[type=submit]")).toHaveCount(0);
    await form.getByRole("button", { name: "Close" }).click();
  }
  const body = { namespace: "shop", pipeline: "flows", match: "true", until: new Date(Date.now() + 60_000).toISOString(), why: "a test", by: "eve" };
  const before = await silences(page);
  for (const headers of [{}, { authorization: "Bearer 0123456789abcdef0123456789abcdef" }, { "x-forwarded-user": "eve" }]) {
    const answer = await page.request.post("./api/v1/silences", { data: body, headers });
    expect(answer.status()).toBe(401);
  }
  expect(await silences(page)).toBe(before);
});

test("another page cannot act, also with the token", async ({ page }) => {
  const token = /token=(.+)$/.exec(process.env.VEDETTE_WRITE ?? "")?.[1] ?? "";
  const headers = { authorization: `Bearer ${token}`, origin: "http://evil.example.org" };
  const answer = await page.request.post("./api/v1/verdicts", { data: { incident: "x", verdict: "expected", why: "x" }, headers });
  expect(answer.status()).toBe(403);
  const form = await page.request.post("./api/v1/verdicts", { headers: { authorization: headers.authorization }, form: { verdict: "expected" } });
  expect(form.status()).toBe(415);
});

function silences(page: Page): Promise<number> {
  return until("the silences", async () => {
    const answer = await page.request.get("./api/v1/silences");
    return answer.ok() ? ((await answer.json()) as { matching: number }).matching : undefined;
  });
}
