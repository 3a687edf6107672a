// Run one workload with one Node.js library, until told to stop.
//
// usage: node client.js SETTINGS    (the JSON of python/settings.py; run.py sets NODE_PATH)
//
// The log has the records of python/oplog.py.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const settings = JSON.parse(process.argv[2]);
const GRACE_MS = 3000;
// Errors that the server itself answers with: the operation was certainly not applied.
const REFUSED = ['READONLY', 'EXECABORT', 'LOADING', 'MASTERDOWN', 'NOPERM', 'NOSCRIPT', 'OOM', 'NOREPLICAS'];

const file = fs.openSync(settings.log, 'a');
let stopped = false;

function record(fields) {
  const t = Number(process.hrtime.bigint()) / 1e9; // CLOCK_MONOTONIC, as Python's time.monotonic()
  fs.writeSync(file, `${JSON.stringify({ t: Math.round(t * 1e6) / 1e6, ...fields })}\n`);
}

const log = {
  record,
  got: (value) => record({ got: Number(value) }),
  broken: (error) => record({ broken: error.name, text: String(error.message).slice(0, 200) }),
};

const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Run the step with 1, 2, 3, ... at the pace until told to stop.
async function repeat(step) {
  let due = performance.now();
  for (let value = 1; !stopped; value += 1) {
    record({ invoke: value });
    try {
      await step(value);
      record({ done: value, outcome: 'ok' });
    } catch (error) {
      const outcome = REFUSED.some((code) => String(error.message).startsWith(code)) ? 'fail' : 'unknown';
      record({ done: value, outcome, kind: error.name, text: String(error.message).slice(0, 200) });
    }
    due = Math.max(due + settings.period_ms, performance.now());
    await rest(due - performance.now());
  }
}

// End the process when the file appears or the parent ends, also if an operation hangs.
function watchStop() {
  const parent = process.ppid;
  setInterval(() => {
    if (!stopped && (fs.existsSync(settings.stop) || process.ppid !== parent)) {
      stopped = true;
      setTimeout(() => process.exit(0), GRACE_MS);
    }
  }, 100);
}

async function main() {
  const name = settings.package;
  const manifest = path.join(process.env.NODE_PATH, name, 'package.json'); // not every package exports it
  record({ library: name, version: JSON.parse(fs.readFileSync(manifest, 'utf8')).version });
  watchStop();
  const library = require(name === 'redis' ? './node_redis_workloads' : './ioredis_workloads');
  await library.run(settings, { log, repeat, rest, isStopped: () => stopped });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
