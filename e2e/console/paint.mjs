// Opens views in a browser that has nothing of them yet, and says how long each took until its data was painted, milliseconds from when the
// address was entered. e2e/scripts/paint.sh runs it, for `make bench BENCH=console`.
import { chromium } from "@playwright/test";

const [page, rounds] = process.argv.slice(2);
const views = { alerts: "alerts", overview: "" };

// As in the tests beside it: whatever a browser asks by itself leads nowhere.
const args = ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"];
const browser = await chromium.launch({ executablePath: process.env.VEDETTE_CHROMIUM, args });
// The first page of a browser waits for the browser.
await paint("");
const painted = {};
for (const [name, view] of Object.entries(views)) {
  painted[name] = [];
  for (let round = 0; round < Number(rounds); round += 1) painted[name].push(await paint(view));
}
await browser.close();
console.log(JSON.stringify(painted));

async function paint(view) {
  // A context of its own has no cache of another's.
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const tab = await context.newPage();
  await tab.addInitScript(() => {
    window.painted = new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        if (!document.querySelector("main tbody tr")) return;
        observer.disconnect();
        // A frame begins before it is painted, so the second begins when the first, which has the data, was.
        requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now())));
      });
      observer.observe(document, { childList: true, subtree: true });
    });
  });
  await tab.goto(`${page}#/${view}`);
  await tab.locator("main tbody tr").first().waitFor();
  const milliseconds = await tab.evaluate(() => window.painted);
  await context.close();
  return milliseconds;
}
