"""All faults, by subject and in the order of the tests.

Faults that leave a deployment untouched come first.
"""

from __future__ import annotations

import faults_access
import faults_binaries
import faults_controller
import faults_handover
import faults_leftovers
import faults_nodes
import faults_sentinels

SUBJECTS = {
    "Controllers and hosts": faults_controller.FAULTS,
    "Sentinels": faults_sentinels.FAULTS,
    "Data nodes": faults_nodes.FAULTS,
    "The handover": faults_handover.FAULTS,
    "The new version": faults_binaries.FAULTS,
    "Passwords, users, certificates": [*faults_access.FAULTS, *faults_access.LAST],
    "What an earlier run has left": faults_leftovers.FAULTS,
}
_ALL = [one for faults in SUBJECTS.values() for one in faults]
# The last faults are the upgrades that complete the earlier refusals.
FAULTS = sorted(_ALL, key=lambda one: 1 if one.last else 0 if one.shared else 2)
