// The workloads with ioredis or its fork iovalkey; all options are the library's defaults.
'use strict';

const LUA = "redis.call('RPUSH', KEYS[2], ARGV[1]) return redis.call('RPUSH', KEYS[1], ARGV[1])";

function newClient(settings) {
  const Redis = require(settings.package);
  const client = new Redis({
    sentinels: settings.sentinels.map(([host, port]) => ({ host, port })),
    name: settings.master,
  });
  client.on('error', () => {}); // what fails is seen by whoever awaits the operation
  return client;
}

// ioredis resolves a transaction with [error, reply] pairs, and with null if a watched key changed.
function failed(replies) {
  return (replies || []).map(([error]) => error).find((error) => error);
}

const STEPS = {
  plain: (client, key) => (value) => client.rpush(key, value),
  read: (client, key) => () => client.get(key),
  publish: (client, key) => (value) => client.publish(key, value),
  lua: (client, key) => {
    client.defineCommand('append', { numberOfKeys: 2, lua: LUA });
    return (value) => client.append(key, `${key}:twin`, value);
  },
  transaction: (client, key) => async (value) => {
    const error = failed(await client.multi().rpush(key, value).rpush(`${key}:twin`, value).exec());
    if (error) throw error;
  },
  watch: (client, key) => async (value) => {
    for (;;) {
      await client.watch(key);
      await client.lindex(key, -1);
      const replies = await client.multi().rpush(key, value).rpush(`${key}:twin`, value).exec();
      const error = failed(replies);
      if (error) throw error;
      if (replies) return;
    }
  },
};

async function consume(settings, tools) {
  const client = newClient(settings);
  while (!tools.isStopped()) {
    try {
      const taken = await client.blpop(settings.key, 2);
      if (taken) tools.log.got(taken[1]);
    } catch (error) {
      tools.log.broken(error);
      await tools.rest(settings.period_ms);
    }
  }
}

async function subscribe(settings, tools) {
  const client = newClient(settings);
  client.on('message', (_channel, message) => tools.log.got(message));
  await client.subscribe(settings.key);
}

async function run(settings, tools) {
  const client = newClient(settings);
  const { workload, key } = settings;
  if (workload === 'blpop') {
    await Promise.all([consume(settings, tools), tools.repeat(STEPS.plain(client, key))]);
  } else if (workload === 'pubsub') {
    await subscribe(settings, tools);
    await tools.repeat(STEPS.publish(client, key));
  } else {
    await tools.repeat(STEPS[workload](client, key));
  }
}

module.exports = { run };
