"""The workloads with a library's asyncio client: the same as in sync_workloads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from oplog import OpLog
from settings import LUA, Pace, Settings

Step = Callable[[int], Awaitable[Any]]


def new_client(settings: Settings) -> Any:
    return settings.module("asyncio.sentinel").Sentinel(settings.sentinels).master_for(settings.master)


def plain(settings: Settings, client: Any, _log: OpLog) -> Step:
    return lambda value: client.rpush(settings.key, value)


def read(settings: Settings, client: Any, _log: OpLog) -> Step:
    return lambda _value: client.get(settings.key)


def publish(settings: Settings, client: Any, _log: OpLog) -> Step:
    return lambda value: client.publish(settings.key, value)


def lua(settings: Settings, client: Any, _log: OpLog) -> Step:
    script = client.register_script(LUA)
    return lambda value: script(keys=[settings.key, settings.twin], args=[value])


def transaction(settings: Settings, client: Any, _log: OpLog) -> Step:
    async def step(value: int) -> None:
        async with client.pipeline(transaction=True) as pipe:
            pipe.rpush(settings.key, value)
            pipe.rpush(settings.twin, value)
            await pipe.execute()

    return step


def transaction_function(settings: Settings, client: Any, _log: OpLog) -> Step:
    async def step(value: int) -> None:
        async def append(pipe: Any) -> None:
            await pipe.lindex(settings.key, -1)
            pipe.multi()
            pipe.rpush(settings.key, value)
            pipe.rpush(settings.twin, value)

        await client.transaction(append, settings.key)

    return step


def watch(settings: Settings, client: Any, log: OpLog) -> Step:
    watch_error = settings.module("exceptions").WatchError

    async def attempt(pipe: Any, value: int) -> None:
        await pipe.watch(settings.key)
        await pipe.lindex(settings.key, -1)
        pipe.multi()
        pipe.rpush(settings.key, value)
        pipe.rpush(settings.twin, value)
        await pipe.execute()

    async def step(value: int) -> None:
        async with client.pipeline() as pipe:
            while True:
                try:
                    await attempt(pipe, value)
                    return
                except watch_error as error:
                    log.broken(error)
                    await asyncio.sleep(settings.period_s)

    return step


STEPS: dict[str, Callable[[Settings, Any, OpLog], Step]] = {
    "plain": plain,
    "read": read,
    "lua": lua,
    "transaction": transaction,
    "transaction-function": transaction_function,
    "watch": watch,
}


async def repeat(settings: Settings, step: Step, log: OpLog) -> None:
    """Run the step with 1, 2, 3, ... at the pace until told to stop."""
    pace, value = Pace(settings.period_s), 0
    while not settings.stopped.is_set():
        value += 1
        log.invoke(value)
        try:
            await step(value)
            log.ok(value)
        except Exception as error:  # whatever an application would see
            log.failed(value, error)
        await asyncio.sleep(pace.rest_s())


async def consume(settings: Settings, log: OpLog) -> None:
    """Take values from the queue, blocked while it is empty."""
    client = new_client(settings)
    while not settings.stopped.is_set():
        try:
            taken = await client.blpop([settings.key], timeout=2)
            if taken:
                log.got(int(taken[1]))
        except Exception as error:
            log.broken(error)
            await asyncio.sleep(settings.period_s)


async def subscribe(settings: Settings, log: OpLog) -> None:
    """Receive messages; the library subscribes again after each disconnection."""
    subscription = new_client(settings).pubsub(ignore_subscribe_messages=True)
    await subscription.subscribe(settings.key)
    while not settings.stopped.is_set():
        try:
            message = await subscription.get_message(timeout=1)
            if message:
                log.got(int(message["data"]))
        except Exception as error:
            log.broken(error)
            await asyncio.sleep(settings.period_s)


RECEIVERS = {"blpop": (consume, plain), "pubsub": (subscribe, publish)}


async def run(settings: Settings, log: OpLog) -> None:
    client = new_client(settings)
    if settings.workload in STEPS:
        await repeat(settings, STEPS[settings.workload](settings, client, log), log)
        return
    receive, send = RECEIVERS[settings.workload]
    await asyncio.gather(receive(settings, log), repeat(settings, send(settings, client, log), log))
