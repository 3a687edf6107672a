// The workloads with node-redis (the package redis); all options are the library's defaults.
'use strict';

const { createSentinel, defineScript, WatchError } = require('redis');

const append = defineScript({
  SCRIPT: "redis.call('RPUSH', KEYS[2], ARGV[1]) return redis.call('RPUSH', KEYS[1], ARGV[1])",
  NUMBER_OF_KEYS: 2,
  parseCommand(parser, key, twin, value) {
    parser.pushKey(key);
    parser.pushKey(twin);
    parser.push(value);
  },
  transformReply: (reply) => reply,
});

async function newClient(settings) {
  const client = createSentinel({
    name: settings.master,
    sentinelRootNodes: settings.sentinels.map(([host, port]) => ({ host, port })),
    scripts: { append },
  });
  client.on('error', () => {}); // what fails is seen by whoever awaits the operation
  await client.connect();
  return client;
}

const STEPS = {
  plain: (client, key) => (value) => client.rPush(key, String(value)),
  read: (client, key) => () => client.get(key),
  publish: (client, key) => (value) => client.publish(key, String(value)),
  lua: (client, key) => (value) => client.append(key, `${key}:twin`, String(value)),
  transaction: (client, key) => (value) =>
    client.multi().rPush(key, String(value)).rPush(`${key}:twin`, String(value)).exec(),
  watch: (client, key, tools) => async (value) => {
    for (let done = false; !done; ) {
      try {
        await client.use(async (lease) => {
          await lease.watch(key);
          await lease.lIndex(key, -1);
          await lease.multi().rPush(key, String(value)).rPush(`${key}:twin`, String(value)).exec();
        });
        done = true;
      } catch (error) {
        if (!(error instanceof WatchError)) throw error;
        tools.log.broken(error);
        await tools.rest(20);
      }
    }
  },
};

async function consume(settings, tools) {
  const client = await newClient(settings);
  while (!tools.isStopped()) {
    try {
      const taken = await client.blPop(settings.key, 2);
      if (taken) tools.log.got(taken.element);
    } catch (error) {
      tools.log.broken(error);
      await tools.rest(settings.period_ms);
    }
  }
}

async function run(settings, tools) {
  const client = await newClient(settings);
  const { workload, key } = settings;
  if (workload === 'blpop') {
    await Promise.all([consume(settings, tools), tools.repeat(STEPS.plain(client, key))]);
  } else if (workload === 'pubsub') {
    const subscriber = await newClient(settings);
    await subscriber.subscribe(key, (message) => tools.log.got(message));
    await tools.repeat(STEPS.publish(client, key));
  } else {
    await tools.repeat(STEPS[workload](client, key, tools));
  }
}

module.exports = { run };
