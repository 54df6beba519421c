// Writes each dashboard as JSON into the directory that is named.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { operator } from "./operator.js";
import { site } from "./site.js";
import { sites } from "./sites.js";
import { training } from "./training.js";

const directory = process.argv[2];
if (directory === undefined) {
  throw new Error("usage: build.js DIRECTORY");
}
mkdirSync(directory, { recursive: true });
for (const [name, dashboard] of Object.entries({ sites, site, training, operator })) {
  writeFileSync(join(directory, `${name}.json`), `${JSON.stringify(dashboard().build(), null, 2)}\n`);
}
