"""The workloads with a library's blocking client, each as its documentation shows it.

The library keeps all its defaults: retries, timeouts, pool. Each call of a step is one operation.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from oplog import OpLog
from settings import LUA, Pace, Settings

Step = Callable[[int], Any]


def new_client(settings: Settings) -> Any:
    return settings.module("sentinel").Sentinel(settings.sentinels).master_for(settings.master)


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
    def step(value: int) -> None:
        with client.pipeline(transaction=True) as pipe:
            pipe.rpush(settings.key, value)
            pipe.rpush(settings.twin, value)
            pipe.execute()

    return step


def transaction_function(settings: Settings, client: Any, _log: OpLog) -> Step:
    def step(value: int) -> None:
        def append(pipe: Any) -> None:
            pipe.lindex(settings.key, -1)
            pipe.multi()
            pipe.rpush(settings.key, value)
            pipe.rpush(settings.twin, value)

        client.transaction(append, settings.key)

    return step


def watch(settings: Settings, client: Any, log: OpLog) -> Step:
    watch_error = settings.module("exceptions").WatchError

    def attempt(pipe: Any, value: int) -> None:
        pipe.watch(settings.key)
        pipe.lindex(settings.key, -1)
        pipe.multi()
        pipe.rpush(settings.key, value)
        pipe.rpush(settings.twin, value)
        pipe.execute()

    def step(value: int) -> None:
        with client.pipeline() as pipe:
            while True:
                try:
                    attempt(pipe, value)
                    return
                except watch_error as error:
                    log.broken(error)
                    time.sleep(settings.period_s)

    return step


STEPS: dict[str, Callable[[Settings, Any, OpLog], Step]] = {
    "plain": plain,
    "read": read,
    "lua": lua,
    "transaction": transaction,
    "transaction-function": transaction_function,
    "watch": watch,
}


def repeat(settings: Settings, step: Step, log: OpLog) -> None:
    """Run the step with 1, 2, 3, ... at the pace until told to stop."""
    pace, value = Pace(settings.period_s), 0
    while not settings.stopped.is_set():
        value += 1
        log.invoke(value)
        try:
            step(value)
            log.ok(value)
        except Exception as error:  # whatever an application would see
            log.failed(value, error)
        time.sleep(pace.rest_s())


def consume(settings: Settings, log: OpLog) -> None:
    """Take values from the queue, blocked while it is empty."""
    client = new_client(settings)
    while not settings.stopped.is_set():
        try:
            taken = client.blpop([settings.key], timeout=2)
            if taken:
                log.got(int(taken[1]))
        except Exception as error:
            log.broken(error)
            time.sleep(settings.period_s)


def subscribe(settings: Settings, log: OpLog) -> None:
    """Receive messages; the library subscribes again after each disconnection."""
    subscription = new_client(settings).pubsub(ignore_subscribe_messages=True)
    subscription.subscribe(settings.key)
    while not settings.stopped.is_set():
        try:
            message = subscription.get_message(timeout=1)
            if message:
                log.got(int(message["data"]))
        except Exception as error:
            log.broken(error)
            time.sleep(settings.period_s)


RECEIVERS = {"blpop": (consume, plain), "pubsub": (subscribe, publish)}


def run(settings: Settings, log: OpLog) -> None:
    client = new_client(settings)
    if settings.workload in STEPS:
        repeat(settings, STEPS[settings.workload](settings, client, log), log)
        return
    receive, send = RECEIVERS[settings.workload]
    threading.Thread(target=receive, args=(settings, log), daemon=True).start()
    repeat(settings, send(settings, client, log), log)
