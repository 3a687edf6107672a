// Opens each page of a folder in headless Chromium, narrow and wide, light and dark. Prints what is
// wrong with a page, and fails if anything is: a script that runs or fails, a request, an overflow.
//
// usage: node check.mjs FOLDER [FILE.html...]

import { readdirSync } from "node:fs";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const WIDTHS = [360, 1440];
const SCHEMES = ["light", "dark"];
const LEAST_CONTRAST = 4.5;

const [folder, ...more] = process.argv.slice(2);
const files = [...readdirSync(folder).filter((name) => name.endsWith(".html")).map((name) => resolve(folder, name)), ...more.map((name) => resolve(name))];

// runs in the page
function measure() {
  const channels = (color) => color.match(/[\d.]+/g).slice(0, 3).map(Number);
  const light = (color) => {
    const [red, green, blue] = channels(color).map((value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const body = getComputedStyle(document.body);
  const [one, other] = [light(body.color), light(body.backgroundColor)].sort((a, b) => b - a);
  const svg = document.querySelector("svg");
  return {
    overflow: document.documentElement.scrollWidth - window.innerWidth,
    contrast: (one + 0.05) / (other + 0.05),
    background: body.backgroundColor,
    svgWidth: svg ? svg.getBoundingClientRect().width : null,
    bars: document.querySelectorAll("svg rect").length,
    scripts: document.scripts.length,
  };
}

async function check(browser, file, width, scheme) {
  const page = await browser.newPage();
  const found = [];
  page.on("pageerror", (error) => found.push(`script error: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && found.push(`console: ${message.text()}`));
  page.on("request", (request) => request.url() !== pathToFileURL(file).href && found.push(`request: ${request.url()}`));
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(pathToFileURL(file).href);
  const seen = await page.evaluate(measure);
  if (seen.overflow > 0) found.push(`overflow of ${seen.overflow} pixels`);
  if (seen.scripts > 0) found.push(`${seen.scripts} scripts`);
  if (seen.contrast < LEAST_CONTRAST) found.push(`contrast of ${seen.contrast.toFixed(1)}`);
  if ((seen.background === "rgb(255, 255, 255)") !== (scheme === "light")) found.push(`background ${seen.background} in a ${scheme} scheme`);
  if (seen.svgWidth !== null && (seen.svgWidth < 0.8 * width - 320 || seen.bars === 0)) found.push("no timeline to see");
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/${basename(file, ".html")}-${width}-${scheme}.png`, fullPage: true });
  await page.close();
  return found;
}

const browser = await puppeteer.launch({ args: chromium.args, executablePath: await chromium.executablePath(), headless: "shell" });
let wrong = 0;
try {
  for (const file of files) {
    for (const width of WIDTHS) {
      for (const scheme of SCHEMES) {
        const found = await check(browser, file, width, scheme);
        wrong += found.length;
        for (const one of found) console.log(`${basename(file)}, ${width} pixels, ${scheme}: ${one}`);
      }
    }
  }
} finally {
  await browser.close();
}
console.log(`report pages: ${files.length} pages, ${files.length * WIDTHS.length * SCHEMES.length} views, ${wrong} problems`);
process.exit(wrong ? 1 : 0);
