// What is read of the bucket only when somebody asks for it: a sample of all records, and the report of a model version.
import { expect, open, test } from "./page.ts";

test("a histogram is of alerts, or of a sample of all records", async ({ page }) => {
  await open(page, "histogram");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Histogram of alerts");
  await page.getByRole("combobox", { name: "Of", exact: true }).selectOption("sample");
  await expect(page).toHaveURL(/[?&]of=sample/);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Histogram of records");
  const said = page.getByRole("main").getByRole("status");
  await expect(said).toHaveText(/^[\d,]+ records? of shop\/\S+, of 1 of 1 site that archived within the hour, from .+ to .+, read /);
  await expect(page.getByRole("img", { name: /^duration by service/ })).toBeVisible();
  // What is usual is no alert, and in the sample.
  await expect(page.getByRole("figure").getByText("http", { exact: true }).first()).toBeVisible();
  // What only alerts have is not asked of records.
  await expect(page.getByLabel("Severity")).toHaveCount(0);
  await expect(page.getByRole("heading", { name: "Scores" })).toHaveCount(0);
  await page.getByRole("combobox", { name: "Number", exact: true }).selectOption("answer_bytes");
  await expect(page.getByRole("img", { name: /^answer_bytes by service/ })).toBeVisible();
  // Whoever is given the address sees the same.
  await page.reload();
  await expect(page.getByRole("combobox", { name: "Of", exact: true })).toHaveValue("sample");
  await expect(said).toHaveText(/ records? of shop\//);
  await page.getByRole("combobox", { name: "Of", exact: true }).selectOption("alerts");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Histogram of alerts");
});

test("of several pipelines none is asked for a sample before one is chosen", async ({ page }) => {
  const samples: string[] = [];
  page.on("request", (request) => {
    if (request.url().includes("of=sample")) samples.push(request.url());
  });
  let pipeline = "";
  await page.route("**/api/v1/overview", async (route) => {
    const response = await route.fetch();
    const overview = (await response.json()) as { sites: { pipeline: string }[] };
    pipeline = overview.sites[0]?.pipeline ?? "";
    const others = overview.sites.map((site) => ({ ...site, pipeline: "others" }));
    await route.fulfill({ response, json: { ...overview, sites: [...overview.sites, ...others] } });
  });
  await page.goto("./#/histogram?of=sample");
  const choose = page.getByText("A sample is of one pipeline");
  await expect(choose).toBeVisible();
  expect(samples).toEqual([]);
  await page.getByLabel("Pipeline").selectOption(pipeline);
  await expect(page.getByRole("main").getByRole("status")).toHaveText(/ records? of shop\//);
  await expect(choose).toHaveCount(0);
});

test("a version has its report, which is a page of nobody", async ({ page, context, watch, expected }) => {
  // What records a trace of this test, if it is asked for, is a script in each page, and the report, which has none, lets none in.
  expected.push(/^Blocked script execution in '[^']*\/reports\/shop\/flows\/[^']*' because the document's frame is sandboxed/);
  await open(page, "models");
  const answered = context.waitForEvent("response", (response) => response.url().includes("/reports/"));
  const [report] = await Promise.all([context.waitForEvent("page"), page.getByRole("link", { name: /^show the report of / }).first().click()]);
  watch(report);
  const answer = await answered;
  expect(answer.status()).toBe(200);
  expect(answer.headers()["content-security-policy"]).toMatch(/^sandbox; default-src 'none'; /);
  const text = await answer.text();
  expect(text).toContain("<h1>Model of training flows</h1>");
  expect(text).not.toContain("<script");
  // Where a browser refuses to show a page, it is at an address for errors.
  await report.waitForLoadState();
  expect(report.url()).toMatch(/\/reports\/shop\/flows\/[^/]+$/);
  const missing = await page.request.get("./reports/shop/flows/20200101T000000Z-00000000");
  expect(missing.status()).toBe(404);
  expect(await missing.text()).toContain("no such version");
});

test("what somebody else wrote as a report does nothing", async ({ page, context }) => {
  const evil = `<!doctype html><title>report</title><base href="/evil/"><meta http-equiv="refresh" content="0;url=/evil/refresh">
    <link rel="stylesheet" href="/evil/style.css"><style>@import "/evil/import.css"; body { background: url("/evil/background.png") }</style>
    <script>location = "/evil/script"</script><script src="/evil/script.js"></script>
    <img src="/evil/image.png" onerror="location = '/evil/handler'"><iframe src="/evil/frame"></iframe><object data="/evil/object"></object>
    <form action="/evil/form" method="post"><input autofocus onfocus="this.form.submit()"></form>`;
  const answered: string[] = [];
  context.on("response", (response) => {
    if (/\/(evil|reports)\//.test(response.url())) answered.push(new URL(response.url()).pathname);
  });
  await context.route("**/reports/**", async (route) => {
    await route.fulfill({ response: await route.fetch(), body: evil });
  });
  await open(page, "models");
  const link = page.getByRole("link", { name: /^show the report of / }).first();
  const [report] = await Promise.all([context.waitForEvent("page"), link.click()]);
  await report.waitForLoadState();
  await report.reload();
  await open(page, "models");
  expect(report.url()).toMatch(/\/reports\/shop\/flows\/[^/]+$/);
  const { pathname } = new URL(report.url());
  expect(answered).toEqual([pathname, pathname]);
});
