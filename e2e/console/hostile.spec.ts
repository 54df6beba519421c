// Values and names of records are an attacker's: everywhere they are text, all of it visible, and none of it does anything.
import type { Page } from "@playwright/test";
import { alertTable, expect, incidentTable, open, rows, test } from "./page.ts";
import { hostile, hostileField } from "./records.ts";
import { until } from "./vedette.ts";

async function expectInert(page: Page): Promise<void> {
  const done = await page.evaluate(() => ({
    ran: (window as unknown as { hacked?: number }).hacked ?? null,
    images: document.querySelectorAll("main img, main script, main iframe, main i, main b").length,
    links: [...document.querySelectorAll("a")].filter((link) => !/^https?:$/.test(link.protocol)).length,
    // What a terminal or a browser would follow and nobody sees, but for what parts the cells and lines of the page.
    unseen: /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/.exec(document.body.innerText)?.[0] ?? null,
  }));
  expect(done).toEqual({ ran: null, images: 0, links: 0, unseen: null });
}

/** The id of an alert whose record has this text, and perhaps a field among its reasons. */
function alertWith(page: Page, text: string, reason = ""): Promise<string> {
  const written = JSON.stringify(text).slice(1, -1).slice(0, 60);
  return until(`an alert with ${written}`, async () => {
    const params = { text: written, limit: 1, ...(reason && { reason }) };
    const answer = await page.request.get("./api/v1/alerts", { params });
    const { alerts } = (await answer.json()) as { alerts: { id: string }[] };
    return alerts[0]?.id;
  });
}

const shown: Record<keyof typeof hostile, string> = {
  markup: hostile.markup,
  script: hostile.script,
  address: hostile.address,
  control: "bell\\u0007 escape\\u001b[31m nul\\u0000 end",
  direction: "gpj\\u202eexe.\\u2066invoice",
  template: hostile.template,
  // A reason has no value that is so long.
  long: "has no value that is shown",
};

for (const kind of Object.keys(hostile) as (keyof typeof hostile)[]) {
  test(`${kind} in a record is text`, async ({ page }) => {
    await open(page, `alerts/${await alertWith(page, hostile[kind], "service")}`);
    await expect(page.locator(".reasons")).toContainText(shown[kind]);
    await expectInert(page);
  });
}

test("a record that is too long is shown in part", async ({ page }) => {
  await open(page, `alerts/${await alertWith(page, "llllllllllllllll")}`);
  await expect(page.getByText(/It has [\d,]+ bytes; this is the beginning/)).toBeVisible();
  await expectInert(page);
});

test("lists, incidents and histograms are as inert", async ({ page }) => {
  await open(page, "alerts");
  await expect(page.getByRole("region", { name: alertTable })).toContainText(hostileField);
  await expectInert(page);
  await open(page, "incidents");
  await expectInert(page);
  await rows(page, incidentTable).first().click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Incident:");
  await expectInert(page);
  await open(page, `histogram?${new URLSearchParams({ field: hostileField, by: "service" })}`);
  await expect(page.locator("main figure").first()).toContainText(/markup|window\.hacked|\\u0007|\\u202e/);
  await expectInert(page);
});

test("an address is text, too", async ({ page }) => {
  await open(page, `alerts?${new URLSearchParams({ text: hostile.markup })}`);
  await expect(page.getByLabel("Text in the record")).toHaveValue(hostile.markup);
  await expectInert(page);
  await open(page, `models/${encodeURIComponent(hostile.markup)}/${encodeURIComponent(hostile.script)}`);
  await expectInert(page);
});
