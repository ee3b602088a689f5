"""The processes of a worker: django-q2's, with one more promise: whoever of them is killed, the others go on."""

import logging
import multiprocessing
from typing import Any

from django_q import cluster
from django_q.conf import Conf
from django_q.queues import Queue

logger = logging.getLogger(__name__)


class RenewingSentinel(cluster.Sentinel):
    """Guards the processes; where one was killed by a signal, it begins anew with all of them.

    They share queues, and one that waits for work holds the queue's lock: killed then, it takes the lock with it, and
    the others would wait for ever. What they were doing is done again, as after any death of a worker.
    """

    def reincarnate(self, process: Any) -> None:
        """Replace a process that ended; all of them, and the queues between them, where it was killed."""
        others = [*self.pool, self.monitor, self.pusher]
        if process not in others:
            return  # one of those that went with another, which the guard has still on its list
        if process.exitcode is None or process.exitcode >= 0:
            super().reincarnate(process)
            return
        logger.critical("%s was killed by signal %s: every process begins anew.", process.name, -process.exitcode)
        for other in others:
            other.kill()
            other.join()
        self.task_queue, self.result_queue = Queue(maxsize=Conf.QUEUE_LIMIT), Queue()
        self.event_out = multiprocessing.Event()
        self.spawn_cluster()
        self.reincarnations += len(others)


def run() -> None:
    """Work until SIGTERM or SIGINT; then finish what is being done."""
    # The cluster takes no other guard than the one that its module names.
    cluster.Sentinel = RenewingSentinel
    cluster.Cluster().start()
