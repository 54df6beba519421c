// What lies between page and server: the policy, the connection, many tabs, and a server that goes away.
import { alertTable, connection, expect, newest, open, rows, test, untilNews } from "./page.ts";
import { consoleProcess, until } from "./vedette.ts";

test("the policy lets nothing run that the server did not send", async ({ page, expected }) => {
  const answer = await page.goto("./");
  const policy = answer?.headers()["content-security-policy"] ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain("unsafe");
  expected.push(/Content Security Policy/, /Failed to load resource.*404/);
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.head.append(script);
    document.body.insertAdjacentHTML("beforeend", `<img src="x" onerror="window.ran = true">`);
    return new Promise((resolve) => setTimeout(() => resolve("ran" in window), 200));
  });
  expect(ran).toBe(false);
});

test("eight tabs share one connection, and another takes it over", async ({ context, page, watch }) => {
  const streams: string[] = [];
  context.on("request", (request) => {
    if (request.url().endsWith("/changes")) streams.push(request.url());
  });
  const tabs = [page];
  while (tabs.length < 8) tabs.push(await context.newPage());
  for (const tab of tabs) {
    if (tab !== page) watch(tab);
    await open(tab, "alerts");
  }
  const news = async () => {
    const before = await Promise.all(tabs.map(newest));
    await Promise.all(tabs.map((tab, at) => untilNews(tab, before[at] ?? null)));
  };
  await news();
  expect(streams).toHaveLength(1);
  // The first has it.
  await tabs.shift()?.close();
  await news();
  expect(streams).toHaveLength(2);
});

test("a server that dies is waited for, and nothing is lost", async ({ page, expected }) => {
  await open(page, "alerts");
  await expect(connection(page)).toHaveText("live");
  const last = (await newest(page)) ?? "";
  const { detected_utc: detected } = (await (await page.request.get(`./api/v1${last.slice(1)}`)).json()) as { detected_utc: string };
  const killed = consoleProcess();
  if (killed === undefined) throw new Error("there is no console");
  expected.push(/net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/);
  process.kill(killed, "SIGKILL");
  await expect(connection(page)).toHaveText("not connected; trying again");
  // What was there stays meanwhile.
  await expect(rows(page, alertTable).first()).toBeVisible();
  await until("another console", () => (consoleProcess() !== killed ? consoleProcess() : undefined));
  await expect(connection(page)).toHaveText("live");
  await untilNews(page, last);
  // The last that was shown before is there again, from the archive or from Kafka. Newer ones would push it out of a table of all.
  await open(page, `alerts?to=${detected}`);
  await expect(page.locator(`a.row-link[href="${last}"]`)).toHaveCount(1);
});
