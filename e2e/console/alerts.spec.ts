// How somebody on call works with the page: what is new, which of it matters, why, and what belongs together.
import { alertTable, connection, expect, incidentTable, newest, open, rows, test, untilNews } from "./page.ts";

test("alerts arrive by themselves", async ({ page }) => {
  await open(page, "alerts");
  await expect(connection(page)).toHaveText("live");
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  // They are told, not asked for; only what came while the first answer was under way is asked for once more.
  await expect(async () => {
    const before = requests.length;
    await untilNews(page, await newest(page));
    expect(requests.slice(before).filter((url) => url.includes("/alerts"))).toEqual([]);
  }).toPass();
});

test("filters live in the address", async ({ page }) => {
  await open(page, "alerts");
  const severities = page.getByRole("region", { name: alertTable }).locator("tbody td:nth-child(2)");
  await expect(severities.getByText("low", { exact: true }).first()).toBeVisible();
  await page.getByLabel("Severity").selectOption("medium");
  await expect(page).toHaveURL(/#\/alerts\?severity=medium$/);
  await expect(severities.getByText("low", { exact: true })).toHaveCount(0);
  await expect(severities.getByText(/^(medium|high|critical)$/).first()).toBeVisible();

  await page.getByLabel("Reason (field)").fill("duration");
  await page.getByLabel("Reason (field)").press("Enter");
  await expect(page).toHaveURL(/severity=medium&reason=duration$/);
  await page.reload();
  await expect(page.getByLabel("Severity")).toHaveValue("medium");
  await expect(page.getByLabel("Reason (field)")).toHaveValue("duration");
  await expect(page.getByText(/ of [\d,]+ alerts match/)).toBeVisible();
  const reasons = page.getByRole("region", { name: alertTable }).locator("tbody td:last-child");
  await expect(reasons.first()).toBeVisible();
  await expect(reasons.filter({ hasNotText: "duration" })).toHaveCount(0);

  await page.getByRole("link", { name: "Histogram of these" }).click();
  await expect(page).toHaveURL(/#\/histogram\?severity=medium&reason=duration$/);
  await page.goBack();
  await page.goBack();
  await expect(page.getByLabel("Reason (field)")).toHaveValue("");
  await page.getByRole("link", { name: "Clear" }).click();
  await expect(page).toHaveURL(/#\/alerts$/);
});

test("a filter that nothing matches says so", async ({ page }) => {
  await open(page, "alerts?text=no-record-has-this");
  await expect(page.getByText("None.", { exact: true })).toBeVisible();
  await expect(page.getByText(/^0 of [\d,]+ alerts match/)).toBeVisible();
});

test("an incident has its alerts, and an alert its reasons", async ({ page }) => {
  await open(page, "incidents");
  await rows(page, incidentTable).first().click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Incident:");
  await expect(page.getByRole("region", { name: "Reasons" }).getByRole("rowheader").first()).toBeVisible();
  await expect(rows(page, "Alerts of this incident that are kept").nth(1)).toBeVisible();
  await rows(page, "Alerts of this incident that are kept").first().click();

  await expect(page.getByRole("heading", { level: 1 })).toContainText("Alert at local");
  const reasons = page.locator(".reasons > li");
  await expect(reasons.first().getByRole("meter")).toBeVisible();
  const shares = await reasons.getByRole("meter").evaluateAll((meters) => meters.map((meter) => (meter as HTMLMeterElement).value));
  expect(shares).toEqual([...shares].sort((one, other) => other - one));
  await expect(reasons.getByText(/^usual: /).first()).toBeVisible();
  await expect(rows(page, "Alerts with the same largest reason, of all sites").first()).toBeVisible();
});

test("a record can be copied", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await open(page, `alerts?${new URLSearchParams({ text: '"note":"none"' })}`);
  await rows(page, alertTable).first().click();
  // It says so for a moment, which whoever only looks now and then may miss: the page itself watches for it, from before the click.
  const watched = await page.evaluateHandle(() => {
    const copied = new Promise<void>((resolve) => {
      const look = () => {
        const buttons = [...document.querySelectorAll("button")];
        if (buttons.some((button) => button.textContent === "Copied" && button.checkVisibility())) resolve();
      };
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
    });
    return { copied };
  });
  await page.getByRole("button", { name: "Copy as JSON" }).click();
  await watched.evaluate(({ copied }) => copied);
  const record: unknown = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  expect(record).toMatchObject({ site: "local", uuid: expect.any(String), score: expect.any(Number) });
});

test("what is being written into a filter stays while alerts arrive", async ({ page }) => {
  await open(page, "alerts");
  const text = page.getByLabel("Text in the record");
  await text.pressSequentially("jk");
  // Nor do these keys move.
  await expect(text).toBeFocused();
  await untilNews(page, await newest(page));
  await expect(text).toHaveValue("jk");
});

test("an address that leads nowhere says what to do", async ({ page, expected }) => {
  await open(page, "nowhere");
  await expect(page.getByRole("link", { name: "Go to the overview." })).toBeVisible();
  expected.push(/Failed to load resource.*404/);
  await page.goto("./#/alerts/0000");
  await expect(page.getByRole("alert").first()).toBeVisible();
});

test("a list is gone through by keys", async ({ page }) => {
  // Its rows stay where they are: an alert of just now may still come, one of a minute ago does not.
  await expect(async () => {
    await open(page, `alerts?to=${new Date(Date.now() - 60_000).toISOString()}`);
    await expect(rows(page, alertTable).nth(2)).toBeVisible({ timeout: 5_000 });
  }).toPass();
  for (const [key, at] of [["j", 0], ["j", 1], ["j", 2], ["k", 1]] as const) {
    await page.keyboard.press(key);
    await expect(rows(page, alertTable).nth(at)).toBeFocused();
  }
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Alert at local");
});
