// Sites beside each other: one that falls silent is said to be, and since when, while the others go on.
import { mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Page } from "@playwright/test";
import { expect, open, test } from "./page.ts";
import { until } from "./vedette.ts";

type Site = { site: string; silent_since_utc?: string | null };

const directory = process.env.VEDETTE_DATA ?? "";
/** What the operator of another site writes into the bucket, which is a directory here. */
const told = join(directory, "vedette/shop/flows/sites/north.json");

function tell(at: Date, more: { deleted?: true } = {}): void {
  const written = join(directory, "north.json");
  writeFileSync(written, JSON.stringify({ site: "north", training: null, model_version: null, ready: true, updated_at: at.toISOString(), ...more }));
  // Whether a site is heard of goes by the bucket's clock, which is the time of the file.
  utimesSync(written, at, at);
  mkdirSync(dirname(told), { recursive: true });
  // Whole, as an object comes.
  renameSync(written, told);
}

/** Waits until the console knows of the site what is asked for. */
function untilKnown(page: Page, what: string, is: (north: Site | undefined) => boolean): Promise<true> {
  return until(what, async () => {
    const answer = await page.request.get("./api/v1/overview");
    const { sites } = (await answer.json()) as { sites: Site[] };
    return is(sites.find(({ site }) => site === "north")) || undefined;
  });
}

test("a site that falls silent is shown as silent, and the others are not", async ({ page }) => {
  const row = (site: RegExp) => page.getByRole("region", { name: "Sites" }).getByRole("row", { name: site });
  try {
    // A site is silent when nothing was heard of it for six minutes. If that is over before the page has shown it, it speaks once more.
    await expect(async () => {
      tell(new Date(Date.now() - 315_000));
      await untilKnown(page, "another site", (north) => north !== undefined);
      await open(page, "");
      await expect(row(/^north/)).toContainText("ready", { timeout: 20_000 });
    }).toPass();
    // The page finds out by itself.
    await expect(row(/^north/)).toContainText("silent, last heard", { timeout: 180_000 });
    await expect(row(/^local/)).not.toContainText("silent");
    tell(new Date());
    await untilKnown(page, "a site that speaks again", (north) => north?.silent_since_utc === null);
    await page.reload();
    await expect(row(/^north/)).toContainText("ready");
    // Where the pipeline was deleted nobody waits to hear of it.
    tell(new Date(), { deleted: true });
    await untilKnown(page, "a site where it was deleted", (north) => north === undefined);
    await expect(row(/^north/)).toHaveCount(0);
    tell(new Date());
    await untilKnown(page, "a site where it is again", (north) => north !== undefined);
  } finally {
    rmSync(told, { force: true });
  }
  await untilKnown(page, "a site less", (north) => north === undefined);
});
