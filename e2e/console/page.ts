// What the tests share: a page whose console stays clean, and where things are on it.
import { test as base, expect, type Locator, type Page } from "@playwright/test";

type Watched = {
  /** Messages of the browser that a test expects. */
  expected: RegExp[];
  /** Watches a page. */
  watch: (page: Page) => void;
  clean: void;
};

export const test = base.extend<Watched>({
  // Playwright reads the names of what a fixture needs from its first parameter.
  baseURL: ({}, use) => use(process.env.VEDETTE_PAGE),
  expected: ({}, use) => use([]),
  watch: async ({ expected }, use) => {
    const errors: string[] = [];
    await use((page) => {
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") errors.push(message.text());
      });
      page.on("pageerror", (error) => errors.push(String(error)));
      page.on("dialog", (dialog) => {
        errors.push(`a dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
    });
    expect(errors.filter((error) => !expected.some((pattern) => pattern.test(error)))).toEqual([]);
  },
  // A violation of the content security policy is an error of the browser's console, too.
  clean: [
    async ({ page, watch }, use) => {
      watch(page);
      await use();
    },
    { auto: true },
  ],
});

export { expect };

/** Opens a view and waits until it shows what it asked for. */
export async function open(page: Page, view: string): Promise<void> {
  await page.goto(`./#/${view}`);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.getByText("Loading …")).toHaveCount(0);
}

/** Opens the page as whoever started `vedette local` is told to. */
export async function signIn(page: Page, name: string): Promise<void> {
  await page.goto(process.env.VEDETTE_WRITE ?? "");
  await expect(page.getByText(/^You may add and end silences/)).toBeVisible();
  // The token stays in no address.
  await expect(page).toHaveURL(/#\/access$/);
  await page.getByLabel("Your name, which stands in what you write").fill(name);
  await page.getByRole("button", { name: "Use" }).click();
}

/** Links of the rows of a table. */
export function rows(page: Page, table: string | RegExp): Locator {
  return page.getByRole("region", { name: table }).locator("a.row-link");
}

export const alertTable = "Alerts, the newest first";
export const incidentTable = "Incidents, those with the newest alert first";

export function connection(page: Page): Locator {
  return page.getByRole("banner").getByRole("status");
}

/** Where the newest alert of a list leads; another one when a new alert has come. */
export async function newest(page: Page): Promise<string | null> {
  return rows(page, alertTable).first().getAttribute("href");
}

/** Waits until an alert has come that was not there. */
export async function untilNews(page: Page, before: string | null): Promise<void> {
  await expect.poll(() => newest(page), { message: "a new alert" }).not.toBe(before);
}
