// How the tests of the console run: one after the other in Debian's Chromium, beside one `vedette local` for all of them. What they leave is
// below $VEDETTE_KEPT: pictures of each view, and what the page of a test that failed showed.
import { defineConfig } from "@playwright/test";
import { chromium, kept } from "./settings.ts";

const views = /views\.spec\.ts/;

export default defineConfig({
  globalSetup: "./vedette.ts",
  workers: 1,
  forbidOnly: true,
  // Until something is there, however busy the machine is.
  timeout: 480_000,
  expect: { timeout: 120_000 },
  outputDir: `${kept}/failures`,
  reporter: [["list"], ["html", { open: "never", outputFolder: `${kept}/report` }]],
  use: {
    viewport: { width: 1280, height: 800 },
    locale: "en-GB",
    timezoneId: "UTC",
    screenshot: "only-on-failure",
    launchOptions: { executablePath: chromium, args: ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"] },
  },
  projects: [
    { name: "desktop" },
    { name: "dark", testMatch: views, use: { colorScheme: "dark" } },
    { name: "phone", testMatch: views, use: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true } },
  ],
});
